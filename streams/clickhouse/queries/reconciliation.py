"""Comparing the live counts with the rows: entry by entry and by status, at each entry's own position.

Count goes on while the comparison runs. So the entries are copied first, once, under an attempt; then store has to pass
the furthest of their positions; only then are the rows counted.
"""

import datetime as dt
from typing import Any

from schemas.event import DAY_MS
from schemas.live import LIVE_HORIZON_MS, LIVE_KEPT_DAYS
from streams.clickhouse.client import Database

_ENTRY = "window_start, kafka_topic, kafka_partition, tenant_id, direction, sync_id"

_COPY = f"""INSERT INTO reconciliation_entries (attempt_id, {_ENTRY}, succeeded, failed, skipped, position)
SELECT {{attempt:UUID}}, {_ENTRY}, sumIf(records, status = 'success'), sumIf(records, status = 'failed'),
    sumIf(records, status = 'skipped'), max(position)
FROM (SELECT {_ENTRY}, status, reason, argMax(records, live_counts.position) AS records, max(position) AS position
    FROM live_counts WHERE kafka_topic = {{topic:String}} AND window_start >= {{since:DateTime('UTC')}}
    GROUP BY {_ENTRY}, status, reason)
GROUP BY {_ENTRY} ORDER BY {_ENTRY}"""

# Rows without an entry are judged by the partition's position, which was read before the entries: they should be there.
_COMPARE = f"""SELECT sum(abs(ok) + abs(bad) + abs(left_out)) AS difference,
    countIf(ok != 0 OR bad != 0 OR left_out != 0) AS entries
FROM (
    SELECT {_ENTRY}, sum(s) AS ok, sum(f) AS bad, sum(k) AS left_out FROM (
        SELECT {_ENTRY}, toInt64(succeeded) AS s, toInt64(failed) AS f, toInt64(skipped) AS k
        FROM reconciliation_entries WHERE attempt_id = {{attempt:UUID}}
        UNION ALL
        SELECT {_ENTRY}, -toInt64(countIf(status = 'success')), -toInt64(countIf(status = 'failed')),
            -toInt64(countIf(status = 'skipped'))
        FROM (
            SELECT toDateTime(toStartOfHour(occurred_at), 'UTC') AS window_start, kafka_topic, kafka_partition,
                tenant_id, direction, sync_id, status, kafka_offset
            FROM sync_records FINAL
            WHERE kafka_topic = {{topic:String}} AND occurred_at >= {{since:DateTime('UTC')}}
                AND toUnixTimestamp(toStartOfHour(occurred_at)) * 1000 + {{horizon:Int64}}
                    >= toUnixTimestamp64Milli(received_at)
        ) AS rows
        LEFT JOIN (
            SELECT {_ENTRY}, position, 1 AS known FROM reconciliation_entries WHERE attempt_id = {{attempt:UUID}}
        ) AS entries USING ({_ENTRY})
        WHERE kafka_offset < if(known, position, {{positions:Map(UInt16, UInt64)}}[kafka_partition])
        GROUP BY {_ENTRY}
    ) GROUP BY {_ENTRY}
) SETTINGS do_not_merge_across_partitions_select_final = 1"""


def positions(database: Database, topic: str) -> dict[int, int]:
    """By partition: up to which offset `live_counts` counts. Partitions that nobody counted yet are missing."""
    rows = database.rows(
        "SELECT kafka_partition, max(position) AS up_to FROM live_positions "
        "WHERE kafka_topic = {topic:String} GROUP BY kafka_partition",
        topic=topic,
    )
    return {row["kafka_partition"]: row["up_to"] for row in rows}


def compared_since(now: dt.datetime) -> dt.datetime:
    """The first Monday whose entries can't have expired yet, nor will while they are compared."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0) - dt.timedelta(days=LIVE_KEPT_DAYS - 2)
    return day + dt.timedelta(days=-day.weekday() % 7)


def copy_entries(database: Database, attempt: str, topic: str, since: dt.datetime) -> dict[int, int]:
    """Copy the entries of `topic` under `attempt`; the furthest position of each partition's entries."""
    database.command(_COPY, token=f"reconciliation_entries:{attempt}", attempt=attempt, topic=topic, since=since)
    rows = database.rows(
        "SELECT kafka_partition, max(position) AS up_to FROM reconciliation_entries "
        "WHERE attempt_id = {attempt:UUID} GROUP BY kafka_partition",
        attempt=attempt,
    )
    return {row["kafka_partition"]: row["up_to"] for row in rows}


def difference(
    database: Database, attempt: str, topic: str, since: dt.datetime, positions: dict[int, int]
) -> tuple[int, int]:
    """How far copied entries and rows are apart, summed over entries and statuses; and in how many entries."""
    row: dict[str, Any] = database.rows(
        _COMPARE, attempt=attempt, topic=topic, since=since, positions=positions, horizon=LIVE_HORIZON_MS
    )[0]
    return int(row["difference"]), int(row["entries"])


assert LIVE_HORIZON_MS < (LIVE_KEPT_DAYS - 7) * DAY_MS, "live_counts would lose entries that still change"
