"""One test's topics on the Kafka of the run: sending, recounting, and what the ledgers have in the changelog."""

import asyncio
import uuid
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from schemas.topics import TopicSpec
from streams.config import Settings, load
from streams.count import changelog
from streams.count.reading import LogReader
from streams.count.tally import Counts, Entry
from streams.kafka import clients, topics
from tests.count.messages import recount


class Cluster:
    """`async with Cluster(kafka) as cluster`: topics (unless not to `create`) and groups of its own, session 6 s."""

    def __init__(self, kafka: str, partitions: int = 2, create: bool = True, **more: object) -> None:
        name = f"t{uuid.uuid4().hex[:10]}"
        self.kafka = kafka
        self._create = create
        self.settings: Settings = load(
            kafka=kafka, records_topic=name, dead_letters_topic=f"{name}-dead", count_group=f"{name}-count",
            partitions=partitions, session_seconds=6, **more,
        )  # fmt: skip
        self._producer: AIOKafkaProducer
        self._admin: AIOKafkaAdminClient
        self._reader = LogReader(self.settings)

    async def __aenter__(self) -> Self:
        settings = self.settings
        self._admin = await clients.started(lambda: clients.admin(settings), settings)
        if self._create:
            await self.create(topics.wanted(settings))
        self._producer = await clients.started(lambda: clients.idempotent_producer(settings), settings)
        await self._reader.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._producer.stop()
        await self._reader.close()
        await self._admin.close()

    async def create(self, specs: Sequence[TopicSpec]) -> None:
        await topics.create(self._admin, specs, 1)

    async def grow(self, topic: str, partitions: int) -> None:
        """Give a topic so many partitions."""
        await self._admin.create_partitions({topic: NewPartitions(partitions)})

    def source(self, partition: int) -> TopicPartition:
        return TopicPartition(self.settings.records_topic, partition)

    async def topic_names(self) -> set[str]:
        return {name for name in await self._admin.list_topics() if not name.startswith("__")}

    async def group_offset(self, partition: int) -> int | None:
        tp = self.source(partition)
        found = await self._admin.list_consumer_group_offsets(self.settings.count_group, partitions=[tp])
        return found[tp].offset if tp in found and found[tp].offset >= 0 else None

    async def group_reaches(self, partition: int, offset: int) -> None:
        """Wait until the group's offset is told; for some milliseconds after a transaction it is the one before."""
        async with asyncio.timeout(5):
            while await self.group_offset(partition) != offset:
                await asyncio.sleep(0.02)

    async def send(self, values: Iterable[bytes], rate: float = 0) -> int:
        """Send round robin, `rate` a second or as fast as possible; how many, once Kafka has them."""
        sent, started = [], asyncio.get_running_loop().time()
        for number, value in enumerate(values):
            sent.append(
                await self._producer.send(
                    self.settings.records_topic, value, partition=number % self.settings.partitions
                )
            )
            ahead = started + number / rate - asyncio.get_running_loop().time() if rate else 0
            if ahead > 0.02:
                await asyncio.sleep(ahead)
        await asyncio.gather(*sent)
        return len(sent)

    async def read(self, topic: str, partition: int) -> list[Any]:
        tp = TopicPartition(topic, partition)
        begin, end = await self._reader.bounds(tp)
        return [record async for records in self._reader.read(tp, begin, end) for record in records]

    async def end(self, partition: int) -> int:
        return (await self._reader.bounds(self.source(partition))).end

    async def truth(self) -> list[dict[Entry, dict[str, int]]]:
        """A recount of the topic, by partition."""
        found = []
        for partition in range(self.settings.partitions):
            found.append(recount(await self.read(self.settings.records_topic, partition)))
        return found

    async def state(self, partition: int) -> changelog.State | None:
        """What the changelog holds of a partition."""
        values: dict[bytes, bytes] = {}
        for record in await self.read(topics.changelog_name(self.settings), partition):
            if record.value is None:
                values.pop(record.key, None)
            else:
                values[record.key] = record.value
        return changelog.restore(self.source(partition), values)

    async def counted(self, seconds: float = 40) -> list[dict[Entry, Counts]]:
        """The entries by partition, once every position is at its log's end. TimeoutError if that does not come."""
        async with asyncio.timeout(seconds):
            while True:
                states: Sequence[Any] = [await self.state(p) for p in range(self.settings.partitions)]
                ends = [await self.end(p) for p in range(self.settings.partitions)]
                if all(state and state.position == end for state, end in zip(states, ends, strict=True)):
                    return [state.entries for state in states]
                await asyncio.sleep(0.1)
