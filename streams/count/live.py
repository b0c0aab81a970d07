"""What is committed, upserted to ClickHouse: changed entries to `live_counts`, positions to `live_positions`.

It follows the ledgers at its own pace and never holds them up. While ClickHouse is away only the keys of entries that
are to be written are kept; what is written later is their committed state of that moment. A crash between a commit and
its upsert heals itself, since an opened ledger has all its entries to write.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any
from uuid import uuid4

from schemas.rows import LIVE_COUNTS, LIVE_POSITIONS, TableColumns
from streams import clock, metrics
from streams.clickhouse.writer import Writer
from streams.config import Settings
from streams.count.ledger import Ledger
from streams.count.tally import Entry, split
from streams.errors import Kind, StoreRefused, StoreUnavailable
from streams.failpoints import Step, reach
from streams.logs import log

ENTRIES_AT_ONCE = 20_000
LONGEST_DELAY = 30.0
REPEAT_SECONDS = 10.0
"""An unchanged position is written again after so long: its `updated_at` tells that the worker lives."""


class Live:
    """Writes for the ledgers that `ledgers` names at each round; none while `held`, when partitions may be moving."""

    def __init__(
        self, settings: Settings, ledgers: Callable[[], Iterable[Ledger]], held: Callable[[], bool] = lambda: False
    ) -> None:
        self._held = held
        self._writer = Writer(settings)
        self._interval = settings.live_upsert_seconds
        self._ledgers = ledgers
        self._told: dict[Ledger, tuple[int, float]] = {}
        self._failures = 0
        self._refused: Kind | None = None
        """Why the last round failed."""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(min(self._interval * 2**self._failures, max(LONGEST_DELAY, self._interval)))
            if not self._held():  # to prove that a partition is ours would end us if it has just gone
                await self.write()

    async def write(self) -> None:
        """One round: everything that is unwritten now, then the positions of now. What ClickHouse does not take stays
        unwritten, and what is committed meanwhile is the next round's: else a round might never end."""
        positions = {ledger: ledger.committed for ledger in self._ledgers() if ledger.ready.is_set()}
        unwritten = [(ledger, list(ledger.unwritten)) for ledger in positions]
        reach(Step.COUNT_UPSERTING)
        try:
            await self._write_entries((ledger, entry) for ledger, entries in unwritten for entry in entries)
            reach(Step.COUNT_UPSERTED)
            await self._write_positions(positions)
        except (StoreUnavailable, StoreRefused) as error:
            # A refusal is no reason to stop either: counting goes on, and a migration may be under way.
            if error.kind != self._refused:
                log("count").error("live_counts_behind", kind=error.kind.value, error=str(error))
            self._refused = error.kind
            self._failures = min(self._failures + 1, 10)
            metrics.INSERT_RETRIES.labels(LIVE_COUNTS.table, error.kind).inc()
            return
        if self._failures:
            log("count").warning("live_counts_written_again")
        self._failures, self._refused = 0, None

    async def _write_entries(self, unwritten: Iterator[tuple[Ledger, Entry]]) -> None:
        """Write the committed state that each entry has when its turn comes."""
        while some := list(islice(unwritten, ENTRIES_AT_ONCE)):
            taken: dict[Ledger, list[Entry]] = {}
            for ledger, entry in some:
                taken.setdefault(ledger, []).append(entry)
            for ledger in taken:
                await ledger.prove()  # else a tenant's entries could come back here after they were erased
            at = {ledger: ledger.committed for ledger in taken}
            # All rows of an entry at once and at one position: a version of it is whole or not there.
            await self._insert(LIVE_COUNTS, [row for ledger, entry in some for row in _rows(ledger, entry)])
            for ledger, entries in taken.items():
                ledger.acknowledge(entries, at[ledger])

    async def _write_positions(self, positions: dict[Ledger, int]) -> None:
        """Positions below which nothing is unwritten, which is what a position promises."""
        now = time.monotonic()
        self._told = {ledger: told for ledger, told in self._told.items() if ledger in positions}
        due: dict[Ledger, tuple[int, float]] = {}
        for ledger, committed in positions.items():
            position, when = self._told.get(ledger, (-1, 0.0))
            if position != committed or now - when >= REPEAT_SECONDS:
                due[ledger] = (committed, now)
        updated = clock.now_ms()
        await self._insert(
            LIVE_POSITIONS,
            [(led.source.topic, led.source.partition, position, updated) for led, (position, _) in due.items()],
        )
        self._told |= due

    async def _insert(self, table: TableColumns, rows: list[Sequence[Any]]) -> None:
        if rows:
            # A token of its own: it only keeps the client's own re-send from adding the same block twice.
            await asyncio.to_thread(self._writer.insert, table, list(zip(*rows, strict=True)), f"live:{uuid4()}")
            metrics.UPSERTED.inc(len(rows))


def _rows(ledger: Ledger, entry: Entry) -> Iterable[Sequence[Any]]:
    hour, tenant, direction, sync = entry
    source = ledger.source
    for label, records in ledger.table.data.get(entry, {}).items():
        status, reason = split(label)
        yield hour, source.topic, source.partition, tenant, direction, sync, status, reason, records, ledger.committed
