"""Reading ranges of a log by hand, committed records only: a changelog at restore, a hole in what Faust gave.

In go a partition and two offsets, out come its records between them and the offsets where its log begins and ends.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from streams.config import Settings
from streams.errors import PositionOutOfRange
from streams.kafka import clients

CHUNK = 10_000


class Bounds(NamedTuple):
    """The offsets of a log that can be read: from `begin` to before `end`, the last stable offset."""

    begin: int
    end: int


class LogReader:
    """One reader for any partition, one range at a time. `start` first; `close` at last."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer: AIOKafkaConsumer | None = None
        self._reading = asyncio.Lock()

    async def start(self) -> None:
        """KafkaUnavailable if Kafka does not answer."""
        self._consumer = await clients.started(
            lambda: clients.reader(self._settings, fetch_max_wait_ms=100), self._settings
        )

    async def ends(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Where the committed records of each partition end."""
        assert self._consumer
        found: dict[TopicPartition, int] = await self._consumer.end_offsets(list(partitions))
        return found

    async def bounds(self, tp: TopicPartition) -> Bounds:
        assert self._consumer
        begin = await self._consumer.beginning_offsets([tp])
        return Bounds(begin[tp], (await self.ends([tp]))[tp])

    async def read(self, tp: TopicPartition, start: int, end: int) -> AsyncIterator[list[Any]]:
        """The committed records in [start, end), in chunks. PositionOutOfRange if the log does not reach back to it."""
        assert self._consumer
        consumer = self._consumer
        async with self._reading:
            consumer.assign([tp])
            consumer.seek(tp, start)
            try:
                while (position := await consumer.position(tp)) < end:
                    found = await consumer.getmany(tp, timeout_ms=200, max_records=min(end - position, CHUNK))
                    if records := [record for record in found.get(tp, ()) if record.offset < end]:
                        yield records
            except OffsetOutOfRangeError as error:
                raise PositionOutOfRange(
                    f"{tp.topic}[{tp.partition}]: offset {start} is not in the log any more"
                ) from error
            finally:
                consumer.assign([])  # else it goes on fetching what nobody asked for

    async def last_values(self, tp: TopicPartition) -> dict[bytes, bytes]:
        """The last committed value of each key that is not deleted, of a log that is compacted."""
        values: dict[bytes, bytes] = {}
        begin, end = await self.bounds(tp)
        async for records in self.read(tp, begin, end):
            for record in records:
                if record.value is None:
                    values.pop(record.key, None)
                else:
                    values[record.key] = record.value
        return values

    async def close(self) -> None:
        if self._consumer:
            await clients.stop(self._consumer)
