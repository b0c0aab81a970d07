"""One test's topics, tables and group on real servers: sending, running store, and looking at what it left."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from prometheus_client import REGISTRY

from streams.clickhouse.client import Database
from streams.clickhouse.migrate import migrate
from streams.clickhouse.writer import Writer
from streams.config import load
from streams.kafka import clients, topics
from streams.kafka.partition import OwnedPartition, Position, committed
from streams.store.lane import Lane
from streams.store.worker import Worker

SECONDS = 30.0


class Stack:
    """Settings with short times and names of their own."""

    def __init__(self, kafka: str, clickhouse: str, database: str, name: str) -> None:
        self.settings = load(
            kafka=kafka, clickhouse=clickhouse, database=database, partitions=2, session_seconds=6, store_seconds=0.2,
            drain_seconds=2, records_topic=f"records-{name}", dead_letters_topic=f"dead-{name}",
            store_group=f"store-{name}", count_group=f"count-{name}",
        )  # fmt: skip
        self.database = Database(self.settings)
        self._consumers: list[AIOKafkaConsumer] = []

    async def start(self) -> None:
        self.admin: AIOKafkaAdminClient = await clients.started(lambda: clients.admin(self.settings), self.settings)
        await topics.create(self.admin, topics.wanted(self.settings), 1)
        await asyncio.to_thread(migrate, self.settings)
        self._producer: AIOKafkaProducer = await clients.started(
            lambda: clients.idempotent_producer(self.settings, linger_ms=0), self.settings
        )
        self._reader = await self._read(self.tp(0), self.tp(1))

    async def stop(self) -> None:
        for consumer in self._consumers:
            await clients.stop(consumer)
        await self._producer.stop()
        await self.admin.close()
        self.database.close()

    async def _read(self, *tps: TopicPartition) -> AIOKafkaConsumer:
        consumer = await clients.started(lambda: clients.reader(self.settings), self.settings)
        self._consumers.append(consumer)
        consumer.assign(list(tps))
        return consumer

    def tp(self, partition: int = 0) -> TopicPartition:
        return TopicPartition(self.settings.records_topic, partition)

    # What goes in

    async def send(
        self, *values: bytes | None, partition: int = 0, key: bytes | None = b"k", headers: Any = ()
    ) -> None:
        sent = [
            await self._producer.send(
                self.settings.records_topic, value, key=key, partition=partition, headers=list(headers)
            )
            for value in values
        ]
        await asyncio.gather(*sent)

    # Who works

    @asynccontextmanager
    async def worker(self, **changed: Any) -> AsyncIterator[Worker]:
        """A worker in this process, drained at the end."""
        worker = Worker(self.settings.model_copy(update=changed))
        running = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.end()
            worker.exit_code = await running  # type: ignore[attr-defined]  # for tests that look at it

    @asynccontextmanager
    async def process(self, log: Path, **changed: Any) -> AsyncIterator[subprocess.Popen[bytes]]:
        """A worker as a process of its own, killed at the end."""
        settings = self.settings.model_copy(update=changed)
        names = {*self.settings.model_fields_set, *changed}
        environment = {**os.environ, **{f"SYNCLOGS_{name.upper()}": str(getattr(settings, name)) for name in names}}
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "streams.cli", "store"], env=environment, stdout=output, stderr=output
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    @asynccontextmanager
    async def lane(self, partition: int = 0, **changed: Any) -> AsyncIterator[Lane]:
        """A lane without a group around it, whose steps a test takes one by one."""
        settings = self.settings.model_copy(update=changed)
        consumer = await self._read(self.tp(partition))
        writer = Writer(settings)
        lane = Lane(settings, consumer, self.admin, writer, self.tp(partition))
        try:
            yield lane
        finally:
            await lane.close()
            writer.close()

    async def commit(self, position: Position, partition: int = 0) -> None:
        """Set the state of a partition as another owner would."""
        owned = OwnedPartition(self.settings, self.settings.store_group, self.tp(partition))
        await owned.open()
        await owned.commit(position)
        await owned.close()

    # What came out

    async def position(self, partition: int = 0) -> Position | None:
        return await committed(self.admin, self.settings.store_group, self.tp(partition))

    async def left_at(self, wanted: Position, partition: int = 0) -> None:
        """Wait for a state. What a transaction has committed is seen by whoever opens the partition next; others see it
        a moment later, when the coordinator has written its marker."""

        async def there() -> bool:
            return await self.position(partition) == wanted

        await eventually(there)

    async def settled(self, *partitions: int) -> None:
        """Wait until all that was sent is stored and nothing is announced."""

        async def done() -> bool:
            ends = await self._reader.end_offsets([self.tp(partition) for partition in partitions or (0,)])
            found = [(await self.position(tp.partition), end) for tp, end in ends.items()]
            return all(at is not None and at.offset == end and ":" not in at.note for at, end in found)

        await eventually(done)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self.database.rows(sql)]

    def ids(self, table: str = "sync_records") -> list[str]:
        """Every row's event id, in order and without FINAL: a doubled row shows."""
        return sorted(str(row[0]) for row in self.rows(f"SELECT event_id FROM {table}"))

    async def record(self, offset: int, partition: int = 0) -> ConsumerRecord:
        """The message at an offset of the records topic."""
        self._reader.seek(self.tp(partition), offset)
        found: list[ConsumerRecord] = []
        while not found:
            batch = await self._reader.getmany(self.tp(partition), timeout_ms=100, max_records=1)
            found = batch.get(self.tp(partition), [])
        assert found[0].offset == offset
        return found[0]

    async def delete_before(self, offset: int, partition: int = 0) -> None:
        await self.admin.delete_records({self.tp(partition): RecordsToDelete(before_offset=offset)})

    async def letters(self, partition: int = 0) -> Sequence[ConsumerRecord]:
        tp = TopicPartition(self.settings.dead_letters_topic, partition)
        consumer = await self._read(tp)
        consumer.seek(tp, 0)
        end = (await consumer.end_offsets([tp]))[tp]
        found: list[ConsumerRecord] = []
        while await consumer.position(tp) < end:
            found += (await consumer.getmany(tp, timeout_ms=100)).get(tp, [])
        return found


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what must come true soon."""
    async with asyncio.timeout(SECONDS):
        while not await condition():
            await asyncio.sleep(0.05)


async def eventually_true(condition: Callable[[], bool]) -> None:
    async def asked() -> bool:
        return condition()

    await eventually(asked)


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0
