"""The counts of one partition and the position up to which they count, kept in Kafka in one transaction.

In go runs of records, in any order Faust delivers them; out go changelog records and the group's offset. Nothing rests
on what Faust delivers, acknowledges, commits or clears: records below the position are left out, and what is missing at
the position is read from Kafka.
"""

import asyncio
import math
import time
from collections.abc import Iterable, Sequence

from aiokafka import TopicPartition

from schemas.decode import Message
from schemas.event import HOUR_MS
from streams import metrics
from streams.config import Settings
from streams.count import changelog
from streams.count.driver import CountTable
from streams.count.reading import LogReader
from streams.count.tally import KEPT_MS, Counts, Entry, Tally, shared, split
from streams.errors import PositionOutOfRange, StateRefused
from streams.failpoints import Step, reach
from streams.kafka.partition import Outgoing, OwnedPartition, Position
from streams.kafka.topics import changelog_name
from streams.logs import log

PROOF_SECONDS = 5.0
"""How long a transaction proves that the partition is ours, for what is written beside it: see `prove`."""
QUIET_SECONDS = 1.0
"""A ledger that nothing was counted into for so long reads itself what has been in the log for as long."""
FIRST_RUN_SECONDS = 5.0
"""How long the first run may take: Faust subscribes, seeks and fetches anew after each assignment."""


class Ledger:
    """One partition while this worker owns it, from `open` to `close`.

    Nothing is shared with the ledger before or after: a run still in hand when the partition goes is counted into this
    one, and forgotten with it. A ledger that can't go on is `stopped` (why): it counts no more, and nothing is lost.
    """

    def __init__(self, settings: Settings, source: TopicPartition, table: CountTable, reader: LogReader) -> None:
        self.source = source
        self.table = table
        """What is committed: counts by entry."""
        self.unwritten: dict[Entry, int] = {}
        """Entries that ClickHouse has not acknowledged in their present state, each with the position that committed
        it; `live` takes them out with `acknowledge`. They are never deleted from the table."""
        self.position = 0
        """First offset that is not counted."""
        self.committed = 0
        """First offset that is not counted by what is committed."""
        self.ready = asyncio.Event()
        """Restored, or stopped."""
        self.stopped = ""
        self.progress = time.monotonic()
        """When the position last moved."""
        self._settings = settings
        self._changelog = TopicPartition(changelog_name(settings), source.partition)
        self._reader = reader
        self._owned = OwnedPartition(settings, settings.count_group, source)
        self._tally = Tally()
        self._latest = 0
        self._swept = 0
        self._proven = math.inf  # not opened: nothing is ours, and nothing to prove
        self._seen_end = 0
        self._counting = asyncio.Lock()
        self._flushing = asyncio.Lock()

    async def open(self) -> None:
        """Fence every earlier owner, then restore. PartitionLost, KafkaUnavailable: begin afresh."""
        started = time.perf_counter()
        self._proven = time.monotonic()
        # First of all: from here on no earlier owner can change what is read below.
        await self._owned.open(self._changelog.topic)
        reader = LogReader(self._settings)
        await reader.start()
        try:
            state = changelog.restore(self.source, await reader.last_values(self._changelog))
            begin, end = await reader.bounds(self.source)
            self._begin_at(state, begin, end)
        except (StateRefused, PositionOutOfRange) as error:
            self.stop(error)
        finally:
            await reader.close()
        reach(Step.COUNT_OPENED)
        self.progress = time.monotonic() + FIRST_RUN_SECONDS - QUIET_SECONDS
        self.ready.set()
        metrics.RESTORE.observe(time.perf_counter() - started)

    def _begin_at(self, state: changelog.State | None, begin: int, end: int) -> None:
        if state is None:  # the very first start: the log's beginning
            self.position = self.committed = begin
            return
        if not begin <= state.position <= end:
            raise PositionOutOfRange(_out_of_range(self.source, state.position, begin, end))
        self.position = self.committed = state.position
        self._latest = state.latest
        self.table.raw_update(state.entries)
        self.unwritten.update(dict.fromkeys(state.entries, state.position))

    def stop(self, error: Exception) -> None:
        """Count nothing more here and say so: to go on would be a silent jump. What is committed stays as it is."""
        self.stopped = str(error)
        log("count").error(
            "partition_stopped", topic=self.source.topic, partition=self.source.partition, why=str(error)
        )

    async def apply(self, records: Sequence[Message]) -> None:
        """Count a run that Faust delivered, after what it skipped. What is not in the log any more stops the ledger."""
        await self.ready.wait()
        async with self._counting:
            if self.stopped or records[-1].offset < self.position:
                return
            try:
                await self._read_up_to(records[0].offset)
            except PositionOutOfRange as error:
                self.stop(error)
                return
            self._count(records)

    async def catch_up(self, end: int) -> None:
        """Count what Faust does not deliver: what was there at the call before and still is not counted. Call it every
        QUIET_SECONDS with `end`, where the committed records end; between it and the position may be markers only."""
        due, self._seen_end = self._seen_end, end
        if not self.ready.is_set() or self.stopped or time.monotonic() - self.progress < QUIET_SECONDS:
            return
        async with self._counting:
            try:
                if end < self.position:
                    begin, end = await self._reader.bounds(self.source)
                    if end < self.position:
                        raise PositionOutOfRange(_out_of_range(self.source, self.position, begin, end))
                await self._read_up_to(due)
            except PositionOutOfRange as error:
                self.stop(error)

    async def _read_up_to(self, end: int) -> None:
        """Read and count [position, end) from Kafka: skipped by Faust, or a hole (marker, aborted, deleted)."""
        if end <= self.position:
            return
        start, found = self.position, 0
        async for records in self._reader.read(self.source, start, end):
            found += len(records)
            self._count(records)
        self._advance(max(self.position, end))
        if found:
            metrics.REREAD.inc(found)
            log("count").warning("read_again", partition=self.source.partition, records=found, start=start, end=end)

    def _count(self, records: Sequence[Message]) -> None:
        if records[0].offset < self.position:  # delivered again
            records = [record for record in records if record.offset >= self.position]
        if records:
            self._tally.add(records)
            self._advance(records[-1].offset + 1)

    def _advance(self, position: int) -> None:
        self.position = position
        self.progress = time.monotonic()

    async def flush(self) -> None:
        """Commit what has been counted and the position. PartitionLost: it may or may not have been."""
        async with self._flushing:
            if not self.ready.is_set() or self.position == self.committed:
                return
            position, tally = self.position, self._tally  # from here to the first await: one state
            self._tally = Tally()
            self._latest = max(self._latest, tally.latest)
            changed = {entry: self._added(entry, counts) for entry, counts in tally.entries().items()}
            deleted = self._left_behind(changed)
            reach(Step.COUNT_FLUSHING)
            await self._transact(position, changed, deleted)
            reach(Step.COUNT_FLUSHED)
            self.table.update(changed)
            for entry in deleted:
                del self.table[entry]
            self.unwritten.update(dict.fromkeys(changed, position))
            self.committed = position
            _report(tally)

    async def prove(self) -> None:
        """Return only if the partition was still ours PROOF_SECONDS ago; PartitionLost if it is not. For what is about
        to be written elsewhere: an owner without traffic commits nothing, and would never learn that it is none."""
        async with self._flushing:
            if self.ready.is_set() and not self.stopped and time.monotonic() - self._proven >= PROOF_SECONDS:
                await self._transact(self.committed, {}, ())

    def acknowledge(self, entries: Iterable[Entry], position: int) -> None:
        """ClickHouse has got these as they were when `position` was committed; later changes stay unwritten."""
        for entry in entries:
            if self.unwritten.get(entry, position + 1) <= position:
                del self.unwritten[entry]

    def _added(self, entry: Entry, more: Counts) -> Counts:
        """What the table will hold once the transaction has been; until then its own must not change."""
        counts: dict[str, int] = dict(self.table.data.get(entry) or ())
        for label, number in more.items():
            counts[label] = counts.get(label, 0) + number
        return shared(tuple(counts.items()))

    def _left_behind(self, changed: dict[Entry, Counts]) -> list[Entry]:
        """Entries whose hour left the horizon a day ago, looked for once an hour of the partition's time.

        One that ClickHouse has not got yet stays until it has: nothing else holds its last state.
        """
        hour = self._latest // HOUR_MS
        if hour == self._swept:
            return []
        self._swept = hour
        oldest = (self._latest - KEPT_MS) // 1000
        return [e for e in self.table.data if e[0] < oldest and e not in self.unwritten and e not in changed]

    async def _transact(self, position: int, changed: dict[Entry, Counts], deleted: Iterable[Entry]) -> None:
        records: list[Outgoing] = [changelog.entry_record(self.source, e, counts) for e, counts in changed.items()]
        records += [changelog.entry_record(self.source, entry, None) for entry in deleted]
        records.append(changelog.position_record(self.source, position, self._latest))
        started = time.perf_counter()
        begun = time.monotonic()
        # The group's offset only tells Faust where to start and lag tools where we are: the changelog's counts.
        await self._owned.commit(Position(position), self._changelog.topic, records)
        self._proven = begun
        metrics.TRANSACTION.labels("count").observe(time.perf_counter() - started)

    async def close(self) -> None:
        """What was not flushed is read again by the next owner; so is a run that is still in hand."""
        # It may never have been opened: the agent, which is one for all partitions, would wait for that for ever.
        self.stopped = self.stopped or "given back"
        self.ready.set()
        async with self._flushing:
            await self._owned.close()

    @property
    def oldest_uncommitted(self) -> int:
        """Kafka timestamp of the oldest record counted and not committed, 0 if none."""
        return self._tally.oldest

    @property
    def latest(self) -> int:
        """Highest Kafka timestamp counted, 0 if none."""
        return max(self._latest, self._tally.latest)


def _out_of_range(source: TopicPartition, position: int, begin: int, end: int) -> str:
    return (
        f"{source.topic}[{source.partition}]: the position {position} is not in its log, which holds {begin} to {end}. "
        "Records were deleted before they were counted, or the topic was made anew. "
        f"{changelog.COUNT_ANEW}"
    )


def _report(tally: Tally) -> None:
    """Metrics of what has been committed, once."""
    if not tally.messages:
        return
    metrics.CONSUMED.labels("count").inc(tally.messages)
    metrics.BATCH_RECORDS.labels("count").observe(tally.messages)
    metrics.LATE.inc(tally.late)
    metrics.DELAY.labels("count").observe(max(0.0, time.time() - tally.oldest / 1000))
    metrics.LAST_SETTLED.labels("count").set_to_current_time()
    for (direction, label), number in tally.totals().items():
        status, reason = split(label)
        metrics.COUNTED.labels(direction, status).inc(number)
        if reason:
            metrics.FAILURES.labels(direction, reason).inc(number)
