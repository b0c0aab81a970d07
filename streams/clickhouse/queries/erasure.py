"""Erasing a tenant in ClickHouse: what every table holds of it, its deletion, and the snapshot of what remains.

Rows are deleted by `ALTER TABLE ... DELETE`, which rewrites the parts, and not by a lightweight DELETE, which leaves
the bytes there until a merge. What came at or behind the given positions is new data and stays.
"""

import uuid
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from schemas.rows import PUBLISHED, SNAPSHOTS, SYNC_MARKS, SYNC_RECORDS
from streams import clock
from streams.clickhouse.client import Database
from streams.clickhouse.queries.publication import Publication
from streams.clickhouse.queries.published import Pointer
from streams.clickhouse.writer import Writer

JOURNAL = "erasures"
_AT_ONCE = "SETTINGS mutations_sync = 2"  # returns when the rows are gone, on every replica
_WON = """SELECT count() FROM snapshots WHERE number = {number:UInt32} AND attempts = {attempts:Array(UUID)}
    AND published_at = {now:DateTime64(3, 'UTC')} AND (syncs, succeeded, failed, skipped)
        = ({syncs:UInt64}, {succeeded:UInt64}, {failed:UInt64}, {skipped:UInt64})"""
_ONLY_EARLIER = """SELECT arrayMap(a -> toString(a), groupUniqArrayArrayIf(attempts, number < {number:UInt32}) AS old)
FROM (SELECT number, arrayFilter(a -> a NOT IN (
    SELECT arrayJoin(attempts) FROM snapshots WHERE number >= {number:UInt32}), attempts) AS attempts FROM snapshots)"""

# Asked of the server: a table that comes later and names tenants is never forgotten here.
_TABLES = """SELECT table, groupArray(name) AS columns FROM system.columns
WHERE database = currentDatabase() AND table != {journal:String} AND table IN (
    SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree')
GROUP BY table HAVING has(columns, 'tenant_id') ORDER BY table"""
_OF_TENANT = "tenant_id = {tenant:String}"
_LATER = "(kafka_topic = {{topic:String}} AND {offset} {later} {{positions:Map(UInt16, UInt64)}}[kafka_partition])"


class Erasure:
    """One tenant of one database. Each step may be taken again at any time: what is gone stays gone."""

    def __init__(self, database: Database, tenant: str, topic: str) -> None:
        self.database = database
        self.tenant = tenant
        self.topic = topic
        self._tables = {
            row["table"]: frozenset(row["columns"]) for row in database.rows(_TABLES, journal=JOURNAL)
        }

    @property
    def tables(self) -> list[str]:
        """Every table that names tenants. Published rows last: they are made of the others."""
        return sorted(self._tables, key=lambda table: (table in PUBLISHED, table))

    def held(self) -> dict[str, int]:
        """How many rows each table has of the tenant."""
        return {
            table: int(self.database.value(f"SELECT count() FROM {table} WHERE {_OF_TENANT}", tenant=self.tenant))
            for table in self.tables
        }

    def begun(self) -> bool:
        """Whether an erasure of the tenant was begun and is not finished."""
        return bool(self.database.value(f"SELECT count() FROM {JOURNAL} WHERE {_OF_TENANT}", tenant=self.tenant))

    def begin(self) -> None:
        """Note the tenant."""
        erasure = str(uuid.uuid4())
        self.database.command(
            f"INSERT INTO {JOURNAL} (tenant_id, erasure_id) SELECT {{tenant:String}}, {{erasure:UUID}}",
            token=f"{JOURNAL}:{erasure}", tenant=self.tenant, erasure=erasure,
        )  # fmt: skip

    def delete(self, table: str, positions: Mapping[int, int], up_to: int | None = None) -> int:
        """Delete what the table has of the tenant from below the positions; how many rows those were. Of published
        rows all, or those up to a snapshot's number."""
        where = f"{_OF_TENANT}{self._unless_later(table)}"
        bound: dict[str, Any] = {"tenant": self.tenant, "topic": self.topic, "positions": dict(positions)}
        if table in PUBLISHED and up_to is not None:
            where, bound["number"] = f"{where} AND snapshot <= {{number:UInt32}}", up_to
        found = int(self.database.value(f"SELECT count() FROM {table} WHERE {where}", **bound))
        if found:
            self.database.command(f"ALTER TABLE {table} DELETE WHERE {where} {_AT_ONCE}", **bound)
        return found

    def sent_later(self, positions: Mapping[int, int]) -> bool:
        """Whether a result or mark of the tenant from behind the positions is stored."""
        later = _LATER.format(offset="kafka_offset", later=">=")
        bound: dict[str, Any] = {"tenant": self.tenant, "topic": self.topic, "positions": dict(positions)}
        return any(
            self.database.value(f"SELECT count() FROM {table} WHERE {_OF_TENANT} AND {later}", **bound)
            for table in (SYNC_RECORDS.table, SYNC_MARKS.table)
        )

    def _unless_later(self, table: str) -> str:
        columns = self._tables[table]
        if table in PUBLISHED or "kafka_partition" not in columns:
            return ""
        if "kafka_offset" in columns:
            return " AND NOT " + _LATER.format(offset="kafka_offset", later=">=")
        # An entry's position is the first offset that it does not count: one of these positions is of before.
        return " AND NOT " + _LATER.format(offset="position", later=">") if table == "live_counts" else ""

    def point(self, before: Pointer) -> int | None:
        """Move the pointer to the next number: the same attempts, which are without the tenant by now, and its totals
        counted anew. The number, None if another publisher took it.

        What is covered, and how it was reconciled then, is said as before. StoreUnavailable: it is not known whether
        the pointer moved; who starts again sees it.
        """
        found = self.database.rows(
            "SELECT * FROM snapshots WHERE number = {number:UInt32} LIMIT 1", number=before.number
        )
        if not found:
            return None
        number, now, totals = before.number + 1, clock.from_ms(clock.now_ms()), self._totals(before)
        row = found[0] | totals | {
            "number": number, "attempts": before.attempts, "cut": before.cut, "next_at": before.next_at,
            "published_at": now,
        }  # fmt: skip
        writer = Writer(self.database.settings)
        writer.insert(SNAPSHOTS, [[row[name]] for name in SNAPSHOTS.names], f"snapshot:{number}")
        writer.close()
        # Of two erasures at once each points to the same attempts, but not at the same moment to the same totals.
        won = self.database.value(_WON, number=number, now=now, attempts=before.attempts, **totals)
        return number if won else None

    def _totals(self, before: Pointer) -> dict[str, int]:
        """Of the snapshot as its rows are now."""
        *earlier, last = before.attempts
        as_before = Publication(
            self.database, attempt=last, number=before.number, topic=before.topic, cut=before.cut,
            offsets=before.cuts, attempts_before=earlier,
        )  # fmt: skip
        return asdict(as_before.totals())

    def forget_earlier(self, number: int) -> None:
        """Delete every pointer before `number`, so that no link to one is honoured, and the rows that only those
        named, which nobody would find any more."""
        gone = self.database.value(_ONLY_EARLIER, number=number)
        for table in PUBLISHED if gone else ():
            self.database.command(
                f"ALTER TABLE {table} DELETE WHERE attempt_id IN {{gone:Array(UUID)}} {_AT_ONCE}", gone=list(gone)
            )
        self.database.command(
            f"ALTER TABLE snapshots DELETE WHERE number < {{number:UInt32}} {_AT_ONCE}", number=number
        )

    def finish(self) -> None:
        """Forget that the tenant was erased: the last trace of its name."""
        self.database.command(f"ALTER TABLE {JOURNAL} DELETE WHERE {_OF_TENANT} {_AT_ONCE}", tenant=self.tenant)
