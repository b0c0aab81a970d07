"""What is committed, upserted to ClickHouse: changed entries to `live_counts`, positions to `live_positions`.

It follows the ledgers at its own pace and never holds them up. While ClickHouse is away only the keys of entries that
are to be written are kept; what is written later is their committed state of that moment. A crash between a commit and
its upsert heals itself, since an opened ledger has all its entries to write.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import uuid4

from schemas.rows import LIVE_COUNTS, LIVE_POSITIONS, TableColumns
from streams import clock, metrics
from streams.clickhouse.writer import Writer
from streams.config import Settings
from streams.count.ledger import Ledger
from streams.count.tally import Entry, split
from streams.errors import StoreRefused, StoreUnavailable
from streams.logs import log

ENTRIES_AT_ONCE = 20_000
LONGEST_DELAY = 30.0
REPEAT_SECONDS = 10.0
"""An unchanged position is written again after so long: its `updated_at` tells that the worker lives."""


class Live:
    """Writes for the ledgers that `ledgers` names at each round."""

    def __init__(self, settings: Settings, ledgers: Callable[[], Iterable[Ledger]]) -> None:
        self._writer = Writer(settings)
        self._interval = settings.live_upsert_seconds
        self._ledgers = ledgers
        self._told: dict[Ledger, tuple[int, float]] = {}
        self._failures = 0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(min(self._interval * 2**self._failures, max(LONGEST_DELAY, self._interval)))
            await self.write()

    async def write(self) -> None:
        """One round: everything unwritten, then the positions. What ClickHouse does not take now stays unwritten."""
        try:
            while await self._write_entries():
                pass
            await self._write_positions()
        except (StoreUnavailable, StoreRefused) as error:
            # A refusal is no reason to stop either: counting goes on, and a migration may be under way.
            if not self._failures:
                log("count").error("live_counts_behind", error=str(error))
            self._failures = min(self._failures + 1, 10)
            metrics.INSERT_RETRIES.labels(LIVE_COUNTS.table, "unavailable").inc()
            return
        if self._failures:
            log("count").warning("live_counts_written_again")
        self._failures = 0

    async def _write_entries(self) -> bool:
        """Write the present committed state of some unwritten entries; False if there were none."""
        taken = _take([ledger for ledger in self._ledgers() if ledger.unwritten], ENTRIES_AT_ONCE)
        rows: list[Sequence[Any]] = []
        for ledger, entries in taken:
            # All rows of an entry at once and at one position: a version of it is whole or not there.
            rows += [row for entry in entries for row in _rows(ledger, entry)]
        try:
            await self._insert(LIVE_COUNTS, rows)
        except BaseException:
            for ledger, entries in taken:
                ledger.unwritten |= entries & ledger.table.data.keys()
            raise
        return bool(taken)

    async def _write_positions(self) -> None:
        """Positions of ledgers of which nothing below is unwritten: a position promises that."""
        now = time.monotonic()
        ledgers = [ledger for ledger in self._ledgers() if ledger.ready.is_set() and not ledger.unwritten]
        self._told = {ledger: told for ledger, told in self._told.items() if ledger in set(ledgers)}
        due: dict[Ledger, tuple[int, float]] = {}
        for ledger in ledgers:
            position, when = self._told.get(ledger, (-1, 0.0))
            if position != ledger.committed or now - when >= REPEAT_SECONDS:
                due[ledger] = (ledger.committed, now)
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


def _take(ledgers: list[Ledger], most: int) -> list[tuple[Ledger, set[Entry]]]:
    taken = []
    for ledger in ledgers:
        entries = ledger.unwritten
        if len(entries) > most:
            entries = {entry for entry, _ in zip(entries, range(most), strict=False)}
        ledger.unwritten = ledger.unwritten - entries
        taken.append((ledger, entries))
        most -= len(entries)
        if most <= 0:
            break
    return taken


def _rows(ledger: Ledger, entry: Entry) -> Iterable[Sequence[Any]]:
    hour, tenant, direction, sync = entry
    source = ledger.source
    for label, records in ledger.table.data[entry].items():
        status, reason = split(label)
        yield hour, source.topic, source.partition, tenant, direction, sync, status, reason, records, ledger.committed
