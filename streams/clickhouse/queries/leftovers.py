"""Deleting published rows that nobody reads any more: what tries to publish left behind, and what was replaced."""

import datetime as dt
from collections.abc import Sequence

from streams import clock
from streams.clickhouse.client import Database

KEPT = dt.timedelta(days=1)
"""How long the rows of a replaced list stay, counted from the pointer that replaced it. Links to the snapshots that
named them end an hour earlier (`published.GRACE`)."""

_ORPHANS = """SELECT toString(attempt_id) AS orphan FROM publication_attempts
WHERE started_at < {before:DateTime64(3, 'UTC')} AND snapshot <= (SELECT max(number) FROM snapshots)
    AND attempt_id NOT IN (SELECT arrayJoin(attempts) FROM snapshots)"""
_POINTERS = """SELECT arrayMap(a -> toString(a), attempts) AS ids, toUnixTimestamp64Milli(published_at) AS published_ms
FROM snapshots ORDER BY number"""
_TABLES = (
    "published_failures", "published_syncs", "published_days", "reconciliation_entries", "reclassified",
    "publication_attempts",
)  # fmt: skip


def tidy(database: Database, now: dt.datetime) -> int:
    """Delete what tries left behind that began a day ago or earlier and that no pointer names; how many tries.

    Only of numbers that are taken: a publisher that slept for longer can't win with one, so nobody will read its rows.
    And of what a reclassification replaced a day ago or earlier, the rows that are still there.
    """
    orphans = [row["orphan"] for row in database.rows(_ORPHANS, before=now - KEPT)]
    for table in _TABLES if orphans else ():  # the note of the attempts last, so that a crash leaves no row unknown
        database.command(f"DELETE FROM {table} WHERE attempt_id IN {{orphans:Array(UUID)}}", orphans=orphans)
    _drop_replaced(database, now)
    return len(orphans)


def replaced(lists: Sequence[tuple[Sequence[str], dt.datetime]], now: dt.datetime) -> list[str]:
    """Attempts that the last list does not name, nor any of the last day. `lists`: with the moment of each, in order.

    Any list that left an attempt out counts from its own moment on, as the links to older snapshots do.
    """
    out: dict[str, dt.datetime] = {}
    for (named, _), (following, moment) in zip(lists, lists[1:], strict=False):
        for attempt in set(named) - set(following):
            out.setdefault(attempt, moment)
    current = set(lists[-1][0]) if lists else set()
    return sorted(attempt for attempt, moment in out.items() if moment + KEPT <= now and attempt not in current)


def _drop_replaced(database: Database, now: dt.datetime) -> None:
    pointers = [(row["ids"], clock.from_ms(row["published_ms"])) for row in database.rows(_POINTERS)]
    gone = replaced(pointers, now)
    for table in _TABLES if gone else ():
        where = f"FROM {table} WHERE attempt_id IN {{gone:Array(UUID)}}"
        if database.value(f"SELECT count() {where}", gone=gone):  # most times they went long ago
            database.command(f"DELETE {where}", gone=gone)
