"""What count waits for before it begins, and what it says meanwhile."""

import asyncio
from dataclasses import replace

import pytest

from streams.config import load
from streams.count.beginning import until_kafka_is_ready
from streams.count.reading import LogReader
from streams.errors import KafkaUnavailable
from streams.kafka import topics
from tests.conftest import free_port
from tests.count.cluster import Cluster


class Told(asyncio.Queue[str]):
    """What is said, to be waited for."""

    async def next(self) -> str:
        return await asyncio.wait_for(self.get(), 15)


class LostOnce(LogReader):
    """The broker goes between the look at the topics and the reader's start, and comes back."""

    tries = 0

    async def start(self) -> None:
        self.tries += 1
        if self.tries == 1:
            raise KafkaUnavailable("gone")
        await super().start()


async def test_without_kafka_it_waits() -> None:
    settings, told = load(kafka=f"127.0.0.1:{free_port()}"), Told()
    waiting = asyncio.create_task(until_kafka_is_ready(settings, LogReader(settings), told.put_nowait))
    assert [await told.next(), await told.next()] == ["Kafka", "Kafka"]
    waiting.cancel()


@pytest.mark.stack
async def test_it_begins_when_the_changelog_has_as_many_partitions_as_the_records_topic(kafka: str) -> None:
    async with Cluster(kafka, create=False) as cluster:
        settings, told = cluster.settings, Told()
        records, _, changelog = topics.wanted(settings)
        reader = LogReader(settings)
        waiting = asyncio.create_task(until_kafka_is_ready(settings, reader, told.put_nowait))
        assert f"topic {records.name}, {changelog.name}: run `synclogs migrate`" in await told.next()
        await cluster.create([records, replace(changelog, partitions=1)])
        while "synclogs migrate" in (said := await told.next()):
            pass
        assert f"topic {changelog.name}: it has 1 partitions and {records.name} has 2" in said
        await cluster.grow(changelog.name, 2)
        await asyncio.wait_for(waiting, 15)
        await reader.close()


@pytest.mark.stack
async def test_a_broker_that_is_lost_at_the_last_step_is_waited_for(kafka: str) -> None:
    async with Cluster(kafka) as cluster:
        told, reader = Told(), LostOnce(cluster.settings)
        await asyncio.wait_for(until_kafka_is_ready(cluster.settings, reader, told.put_nowait), 15)
        assert await told.next() == "Kafka"
        await reader.close()
