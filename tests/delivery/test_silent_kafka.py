"""A sender while Kafka goes silent: whoever waits is told why, nothing is lost, and giving up is possible."""

import asyncio

import pytest

from streams.ingest import emitter as emitting
from streams.ingest.emitter import Emitter
from tests.delivery.parts import Kafka
from tests.delivery.processes import until
from tests.delivery.sending import event
from tests.delivery.stack import Stack

pytestmark = pytest.mark.stack


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emitting, "SILENCE_SECONDS", 0.5)
    monkeypatch.setattr(emitting, "STOP_SECONDS", 1)


async def test_a_user_is_told_once_and_everything_arrives_when_kafka_is_back(stack: Stack, node: Kafka) -> None:
    told: list[str] = []

    async def was_told() -> bool:
        return bool(told)

    async with Emitter(stack.settings, tell=told.append) as emitter:
        frozen = node.happened["freeze"]
        node.freeze()
        try:
            for number in range(3):
                await emitter.send(None, event(record_id=str(number)).value or b"")
            flushing = asyncio.create_task(emitter.flush())
            await until("the user is told", was_told)
        finally:
            node.thaw()
        await flushing
        assert node.happened["freeze"] == frozen + 1
    assert emitter.accepted == emitter.sent == 3
    assert len(told) == 1
    assert "has not answered" in told[0] and "0 events are accepted" in told[0]


async def test_who_gives_up_while_kafka_is_silent_is_let_go(stack: Stack, node: Kafka) -> None:
    async def send() -> None:
        async with Emitter(stack.settings) as emitter:
            node.freeze()
            await emitter.send(None, event().value or b"")
            await emitter.flush()

    sending = asyncio.create_task(send())
    try:
        await asyncio.wait({sending}, timeout=1)
        assert not sending.done()
        sending.cancel()
        done, _ = await asyncio.wait({sending}, timeout=15)
        assert done and sending.cancelled()
    finally:
        node.thaw()
