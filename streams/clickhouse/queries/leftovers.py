"""Deleting what tries to publish left behind: rows whose attempt no pointer names, so nobody ever read them."""

import datetime as dt

from streams.clickhouse.client import Database

_ORPHANS = """SELECT toString(attempt_id) AS orphan FROM publication_attempts
WHERE started_at < {before:DateTime64(3, 'UTC')} AND snapshot <= (SELECT max(number) FROM snapshots)
    AND attempt_id NOT IN (SELECT arrayJoin(attempts) FROM snapshots)"""
_TABLES = ("published_failures", "published_syncs", "published_days", "reconciliation_entries", "publication_attempts")


def tidy(database: Database, now: dt.datetime) -> int:
    """Delete what tries left behind that began a day ago or earlier and that no pointer names; how many tries.

    Only of numbers that are taken: a publisher that slept for longer can't win with one, so nobody will read its rows.
    """
    orphans = [row["orphan"] for row in database.rows(_ORPHANS, before=now - dt.timedelta(days=1))]
    for table in _TABLES if orphans else ():  # the note of the attempts last, so that a crash leaves no row unknown
        database.command(f"DELETE FROM {table} WHERE attempt_id IN {{orphans:Array(UUID)}}", orphans=orphans)
    return len(orphans)
