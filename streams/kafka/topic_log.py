"""A topic as a reader of committed records sees it: where it ends, what came at a time, what lies between.

For whoever only looks at the log and at other groups' positions: nothing here joins a group or commits. Every error of
Kafka inside `open_log` comes out as KafkaUnavailable.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streams.config import Settings
from streams.errors import KafkaUnavailable
from streams.kafka import clients
from streams.kafka.partition import committed

_PROBE_SECONDS = 2.0
_PROBE_BYTES = 1 << 16


@asynccontextmanager
async def open_log(settings: Settings, topic: str) -> AsyncIterator["TopicLog"]:
    """The log of `topic` until the block ends. KafkaUnavailable if Kafka does not answer, or has no such topic."""
    admin = await clients.started(lambda: clients.admin(settings), settings)
    try:
        consumer = await clients.started(
            lambda: clients.reader(settings, max_partition_fetch_bytes=_PROBE_BYTES), settings
        )
        try:
            yield TopicLog(topic, await _partitions(admin, topic), admin, consumer)
        finally:
            await clients.stop(consumer)
    except (KafkaError, OSError) as error:
        raise clients.unavailable(settings, error) from error
    finally:
        await admin.close()


async def _partitions(admin: AIOKafkaAdminClient, topic: str) -> list[int]:
    (described,) = await admin.describe_topics([topic])
    if described["error_code"]:
        raise KafkaUnavailable(f"topic {topic} does not exist, or may not be read: run `synclogs migrate`")
    return sorted(partition["partition"] for partition in described["partitions"])


class TopicLog:
    """Made by `open_log`. One question at a time: the answers share one consumer."""

    def __init__(
        self, topic: str, partitions: list[int], admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer
    ) -> None:
        self.topic = topic
        self.partitions = partitions
        self._admin = admin
        self._consumer = consumer

    async def begins(self) -> dict[int, int]:
        """For each partition the first offset that retention has left."""
        found = await self._consumer.beginning_offsets(self._all())
        return {tp.partition: offset for tp, offset in found.items()}

    async def ends(self) -> dict[int, int]:
        """For each partition the first offset behind what is committed (open transactions hold it back)."""
        found = await self._consumer.end_offsets(self._all())
        return {tp.partition: offset for tp, offset in found.items()}

    async def first_at(self, moment_ms: int) -> dict[int, int]:
        """For each partition that has one the first offset in the log with a timestamp at or after `moment_ms`."""
        found = await self._consumer.offsets_for_times(dict.fromkeys(self._all(), moment_ms))
        return {tp.partition: at.offset for tp, at in found.items() if at is not None}

    async def positions(self, group: str) -> dict[int, int]:
        """The group's committed offsets; 0 where it has none yet."""
        found = {}
        for tp in self._all():
            position = await committed(self._admin, group, tp)
            found[tp.partition] = position.offset if position else 0
        return found

    async def has_record(self, partition: int, start: int, end: int) -> bool:
        """Whether a committed record is at or after `start` and before `end`; True too while that can't be told.

        Markers, aborted and deleted records are none. It can't be told while an open transaction lies between.
        """
        tp = TopicPartition(self.topic, partition)
        start = max(start, (await self._consumer.beginning_offsets([tp]))[tp])
        if start >= end:
            return False
        self._consumer.assign([tp])
        self._consumer.seek(tp, start)
        deadline = asyncio.get_running_loop().time() + _PROBE_SECONDS
        try:
            while asyncio.get_running_loop().time() < deadline:
                for records in (await self._consumer.getmany(tp, timeout_ms=100, max_records=1)).values():
                    if records:
                        return bool(records[0].offset < end)
                # Read after nothing came: the position moves over what is no record, and only the reader knows how far.
                if await self._consumer.position(tp) >= end:
                    return False
        finally:
            self._consumer.unsubscribe()
        return True

    async def behind(self, positions: dict[int, int], goal: dict[int, int]) -> list[int]:
        """The partitions in which a committed record lies between the position (0 if missing) and the goal."""
        return [
            partition
            for partition, end in sorted(goal.items())
            if (start := positions.get(partition, 0)) < end and await self.has_record(partition, start, end)
        ]

    def _all(self) -> Iterable[TopicPartition]:
        return [TopicPartition(self.topic, partition) for partition in self.partitions]
