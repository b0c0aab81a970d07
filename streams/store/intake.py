"""Taking the records of one partition from the group's consumer, by runs: consecutive offsets that are stored as one.

A run is gathered until it is full by records, bytes or time; a run that an earlier owner announced is formed again from
exactly the same offsets. Nothing is changed here but the consumer's place in the log.
"""

import time
from collections.abc import Sequence
from itertools import accumulate, takewhile
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError

from streams.config import Settings
from streams.errors import PositionOutOfRange

PULL_SECONDS = 0.5
IDLE_SECONDS = 5.0
"""After so long without a record, a place in the log that moved on (markers, aborted records) is committed."""


class Run(NamedTuple):
    """Every record of [first, end), of which some offsets may have none."""

    first: int
    end: int
    records: Sequence[ConsumerRecord]


class Intake:
    """The records of one partition from `seek` on."""

    def __init__(self, settings: Settings, consumer: AIOKafkaConsumer, tp: TopicPartition) -> None:
        self._settings = settings
        self._consumer = consumer
        self._tp = tp
        self._read_to = 0
        self.taken: list[ConsumerRecord] = []
        """Taken from the consumer and not in a run yet."""
        self.end = 0
        """Where the log ended when somebody last asked."""

    def seek(self, position: int) -> None:
        """Forget what was taken, and go on at `position`."""
        self._consumer.seek(self._tp, position)
        self.taken = []
        self._read_to = position

    async def gather(self, first: int) -> Run:
        """The next run, as soon as it is full. One without records only moves the position (see IDLE_SECONDS)."""
        settings, records = self._settings, self.taken
        size = _bytes(records)
        began = time.monotonic()
        while True:
            waited = time.monotonic() - began
            full = len(records) >= settings.store_rows or size >= settings.store_bytes
            if records and (full or waited >= settings.store_seconds):
                whole = len(records) if size <= settings.store_bytes else _fitting(records, settings.store_bytes)
                records, self.taken = records[:whole], records[whole:]
                return Run(first, records[-1].offset + 1, records)
            if not records and waited >= IDLE_SECONDS and self._read_to > first:
                return Run(first, self._read_to, ())
            wait = min(PULL_SECONDS, settings.store_seconds - waited) if records else PULL_SECONDS
            pulled = await self._pull(wait, settings.store_rows - len(records))
            if pulled and not records:
                began = time.monotonic()
            size += _bytes(pulled)
            records += pulled

    async def reform(self, first: int, end: int) -> Run:
        """Exactly the run [first, end) that an earlier owner announced."""
        records = self.taken
        # The last offsets may hold no record: a transaction's marker, an aborted or a deleted one.
        while not (records and records[-1].offset >= end - 1) and self._read_to < end:
            records += await self._pull(PULL_SECONDS, end - first)
        self.taken = [record for record in records if record.offset >= end]
        return Run(first, end, [record for record in records if record.offset < end])

    def lag(self) -> int:
        """How many offsets up to the end of what is committed in the log are not in a run yet."""
        seen = self._consumer.last_stable_offset(self._tp) if self._tp in self._consumer.assignment() else None
        return len(self.taken) + max(0, max(self.end, seen or 0) - self._read_to)

    async def _pull(self, seconds: float, most: int) -> list[ConsumerRecord]:
        try:
            found = await self._consumer.getmany(self._tp, timeout_ms=int(seconds * 1000), max_records=max(1, most))
        except (OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
            raise PositionOutOfRange(out_of_range(self._tp, self._read_to, type(error).__name__)) from error
        self._read_to = await self._consumer.position(self._tp)
        return list(found.get(self._tp, ()))


def out_of_range(tp: TopicPartition, position: int, why: str) -> str:
    """What an operator has to know: what happened, that nothing goes on by itself, and what to do."""
    return (
        f"{tp.topic}[{tp.partition}]: offset {position} is not in the log ({why}): records were deleted before they "
        "were read, or the topic was made anew. This partition stays stopped. Stop every store worker, set the group's "
        "offset with kafka-consumer-groups --reset-offsets to where storing shall go on, and start them again"
    )


def _fitting(records: Sequence[ConsumerRecord], most: int) -> int:
    """How many of the records hold at most so many bytes; one at least."""
    sizes = accumulate(len(record.value or b"") for record in records)
    return max(1, sum(1 for _ in takewhile(lambda size: size <= most, sizes)))


def _bytes(records: Sequence[ConsumerRecord]) -> int:
    return sum([len(record.value or b"") for record in records])
