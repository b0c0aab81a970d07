"""Watching the committed offsets of store while faults happen: what was durable at the moment each was seen.

The offset is read first and the tables after it, so a row that comes in between can only make a sample look better,
never wrongly bad. Only what lies between one sample and the next is fetched.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streams.clickhouse.client import Database
from streams.config import Settings
from streams.errors import SyncLogsError
from streams.kafka import clients
from streams.kafka.partition import committed

_DURABLE = " UNION DISTINCT ".join(
    f"SELECT kafka_offset FROM {table} WHERE kafka_topic = {{topic:String}} AND kafka_partition = {{partition:UInt16}} "
    "AND kafka_offset >= {begin:UInt64} AND kafka_offset < {end:UInt64}"
    for table in ("sync_records", "sync_marks", "dead_letters")
)


class Sample(NamedTuple):
    """`committed` was seen after `before`; `durable` are the offsets between them that were in a table then. `at` is
    when, by `time.time`."""

    partition: int
    before: int
    committed: int
    durable: frozenset[int]
    at: float = 0.0


class Sampler:
    """`samples` grow while `sampling` is entered; `missed` counts the looks that Kafka or ClickHouse did not answer.

    It looks by addresses of its own settings: give it those without a fault between.
    """

    def __init__(self, settings: Settings, partitions: int, every: float = 0.2) -> None:
        self.samples: list[Sample] = []
        self.missed = 0
        self._settings = settings
        self._every = every
        self._seen = dict.fromkeys(range(partitions), 0)

    @asynccontextmanager
    async def sampling(self) -> AsyncIterator["Sampler"]:
        looking = asyncio.create_task(self._run())
        try:
            yield self
        finally:
            looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await looking

    async def _run(self) -> None:
        admin = await clients.started(lambda: clients.admin(self._settings), self._settings, patient=True)
        database = Database(self._settings, timeout=10)
        try:
            while True:
                for partition in self._seen:
                    try:
                        await self._look(admin, database, partition)
                    except (SyncLogsError, KafkaError, OSError):
                        self.missed += 1
                await asyncio.sleep(self._every)
        finally:
            await admin.close()
            database.close()

    async def _look(self, admin: AIOKafkaAdminClient, database: Database, partition: int) -> None:
        topic = self._settings.records_topic
        position = await committed(admin, self._settings.store_group, TopicPartition(topic, partition))
        if position is None:
            return
        before, now, at = self._seen[partition], position.offset, time.time()
        if now == before:
            return
        rows = await asyncio.to_thread(
            database.rows, _DURABLE, topic=topic, partition=partition, begin=before, end=max(before, now)
        )
        self.samples.append(Sample(partition, before, now, frozenset(row["kafka_offset"] for row in rows), at))
        self._seen[partition] = now
