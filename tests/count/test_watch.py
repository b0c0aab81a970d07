"""A worker that Kafka never answers: not ready soon, and ended before it becomes a shell that only looks alive."""

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from streams.config import load
from streams.count import watch
from streams.count.reading import LogReader


class Deaf(LogReader):
    """As a client whose own tasks have ended: each question runs into its time-out, whether Kafka is there or not."""

    async def ends(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        raise KafkaTimeoutError("Failed to get offsets by times in 10000 ms")


def ledger() -> Any:
    ready = asyncio.Event()
    ready.set()
    return SimpleNamespace(ready=ready, stopped="", source=TopicPartition("records", 0))


async def test_a_worker_that_is_deaf_to_kafka_is_not_ready_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SECONDS", 0.01)
    monkeypatch.setattr(watch, "STUCK_SECONDS", 0.1)
    monkeypatch.setattr(watch, "DEAF_SECONDS", 0.5)
    deaf = watch.Watch(Deaf(load()), lambda: [cast(Any, ledger())])
    assert deaf.why_not_ready() == ""
    running = asyncio.create_task(deaf.run())
    await asyncio.sleep(0.25)
    assert "Kafka does not answer" in deaf.why_not_ready()
    with pytest.raises(KafkaTimeoutError):
        await asyncio.wait_for(running, 5)


async def test_a_worker_without_partitions_has_nothing_to_ask_and_stays_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SECONDS", 0.01)
    monkeypatch.setattr(watch, "STUCK_SECONDS", 0.1)
    idle = watch.Watch(Deaf(load()), lambda: [])
    running = asyncio.create_task(idle.run())
    await asyncio.sleep(0.3)
    assert idle.why_not_ready() == "" and not running.done()
    running.cancel()
