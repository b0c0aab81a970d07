"""Writing a snapshot: what its appends, its checks and its pointer are in SQL. What readers see of it: `published`.

A `Publication` is one try, with an attempt of its own that all of its rows carry. Rows are taken by their offsets, from
where the snapshot before ended to the cut; of several copies of an event the first to arrive is the row, as in a merge.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from schemas.event import DAY_MS
from streams import clock
from streams.clickhouse.client import Database
from streams.errors import TotalsDiffer

VISIBLE_DAYS = 182
"""How far before the cut's day a snapshot shows; the TTL of the tables takes nothing younger."""
_RUNNING_MS = DAY_MS
_RUNNING_UNMARKED_MS = DAY_MS // 24

# Copies in other weeks are other rows: without the first setting FINAL would take them for one, but no merge ever does.
# With the second FINAL would read all 26 weeks again, to look for copies where there can be none.
_FINAL = "SETTINGS do_not_merge_across_partitions_select_final = 1, use_skip_indexes_if_final = 0"
_BELOW_CUT = "kafka_topic = {topic:String} AND kafka_offset < {cuts:Map(UInt16, UInt64)}[kafka_partition]"
# The last line says nothing new, but it is what the index over offsets understands.
_BETWEEN = f"""{_BELOW_CUT} AND kafka_offset >= {{since:Map(UInt16, UInt64)}}[kafka_partition]
    AND kafka_offset >= {{lowest:UInt64}} AND kafka_offset < {{highest:UInt64}}"""
_SYNC = "tenant_id, direction, sync_id"
_COUNTS = "succeeded, failed, skipped"
# What keeps FINAL from reading the half year: the weeks that matter, and the primary key of what was touched.
_IN_WEEKS = "toMonday(occurred_at) IN {weeks:Array(Date)}"
_NEW = f"""{_IN_WEEKS} AND ({_SYNC}) IN (SELECT {_SYNC} FROM sync_records WHERE {_BETWEEN}) AND {_BETWEEN}"""
_BY_STATUS = """countIf(status = 'success') AS succeeded, countIf(status = 'failed') AS failed,
    countIf(status = 'skipped') AS skipped"""
_COPIED = """event_id, tenant_id, direction, sync_id, module, record_id, record_name, target_id, operation, reason,
    error_codes, error_messages, error_fields, error_reasons, catalogue_version, occurred_at, attempt, payload,
    truncated, received_at, kafka_topic, kafka_partition, kafka_offset"""

_FAILURES = f"""INSERT INTO published_failures (attempt_id, snapshot, {_COPIED})
SELECT {{attempt:UUID}}, {{number:UInt32}}, {_COPIED} FROM sync_records FINAL
WHERE status = 'failed' AND {_NEW} ORDER BY {_SYNC}, event_id {_FINAL}"""

_TOUCHED = f"""SELECT {_SYNC} FROM sync_records WHERE {_BETWEEN}
    UNION DISTINCT SELECT {_SYNC} FROM sync_marks WHERE {_BETWEEN}
    UNION DISTINCT SELECT {_SYNC} FROM published_syncs
        WHERE snapshot = {{before:UInt32}} AND attempt_id = {{attempt_before:UUID}} AND outcome = 'running'"""
# All weeks in which a touched sync has rows: those of its new ones, and those that its published versions span.
_WEEKS = f"""SELECT arraySort(groupUniqArray(week)) FROM (
    SELECT toMonday(occurred_at) AS week FROM sync_records WHERE {_BETWEEN}
    UNION DISTINCT SELECT toMonday(occurred_at) AS week FROM sync_marks WHERE {_BETWEEN}
    UNION DISTINCT SELECT arrayJoin(arrayMap(
            i -> toMonday(first_at) + 7 * i, range(intDiv(toMonday(last_at) - toMonday(first_at), 7) + 1))) AS week
        FROM published_syncs WHERE attempt_id IN {{attempts_before:Array(UUID)}} AND ({_SYNC}) IN ({_TOUCHED})
)"""
# Each row as (when, what it is): results and marks of the touched syncs under one roof. `came` orders marks by arrival.
_OF_SYNCS = f"""SELECT {_SYNC}, 'record' AS kind, module, record_id, status, occurred_at, 0 AS records_total,
        toUInt256(0) AS came
    FROM sync_records FINAL WHERE {_IN_WEEKS} AND {_BELOW_CUT} AND ({_SYNC}) IN ({_TOUCHED})
    UNION ALL
    SELECT {_SYNC}, type AS kind, '' AS module, '' AS record_id, '' AS status, occurred_at, records_total,
        bitNot(arrival) AS came
    FROM sync_marks FINAL WHERE {_IN_WEEKS} AND {_BELOW_CUT} AND ({_SYNC}) IN ({_TOUCHED})"""
_OUTCOME = """multiIf(
    marks > 0 AND finished_at IS NULL AND last_at >= {running_since:DateTime64(3, 'UTC')}, 'running',
    marks = 0 AND last_at >= {unmarked_running_since:DateTime64(3, 'UTC')}, 'running',
    marks > 0 AND (finished_at IS NULL OR records < expected), 'incomplete',
    failed > 0 AND succeeded = 0, 'failed',
    failed > 0, 'partly_failed',
    'completed')"""
_SYNCS = f"""INSERT INTO published_syncs (attempt_id, snapshot, {_SYNC}, modules, first_at, last_at, started_at,
    finished_at, expected, records, total, {_COUNTS}, outcome)
SELECT {{attempt:UUID}}, {{number:UInt32}}, {_SYNC}, modules, first_at, last_at, started_at,
    finished_at, expected, records, total, {_COUNTS}, {_OUTCOME}
FROM (
    SELECT {_SYNC}, arraySort(groupUniqArrayIf(module, kind = 'record')) AS modules,
        min(occurred_at) AS first_at, max(occurred_at) AS last_at,
        minOrNullIf(occurred_at, kind = 'sync_started') AS started_at,
        maxOrNullIf(occurred_at, kind = 'sync_finished') AS finished_at,
        argMaxOrNullIf(records_total, (occurred_at, came), kind = 'sync_finished') AS expected,
        uniqExactIf((module, record_id), kind = 'record') AS records,
        countIf(kind = 'record') AS total, countIf(kind != 'record') AS marks, {_BY_STATUS}
    FROM ({_OF_SYNCS}) GROUP BY {_SYNC}
) ORDER BY {_SYNC} {_FINAL}"""

_DAYS = f"""INSERT INTO published_days (attempt_id, snapshot, tenant_id, direction, day, {_COUNTS})
SELECT {{attempt:UUID}}, {{number:UInt32}}, tenant_id, direction, day, sum(ok), sum(bad), sum(left_out)
FROM (
    SELECT tenant_id, direction, toDate(occurred_at) AS day, countIf(status = 'success') AS ok,
        countIf(status = 'failed') AS bad, countIf(status = 'skipped') AS left_out, 1 AS new
    FROM sync_records FINAL WHERE {_NEW} GROUP BY tenant_id, direction, day
    UNION ALL
    SELECT tenant_id, direction, day, argMax(succeeded, snapshot), argMax(failed, snapshot),
        argMax(skipped, snapshot), 0
    FROM published_days WHERE attempt_id IN {{attempts_before:Array(UUID)}} GROUP BY tenant_id, direction, day
) GROUP BY tenant_id, direction, day HAVING max(new) = 1 ORDER BY tenant_id, direction, day {_FINAL}"""

# What the attempt adds to the versions before its own, and how many of its rows stand for one sync or day twice.
_ADDED = """SELECT sum(s) AS succeeded, sum(f) AS failed, sum(k) AS skipped, sum(doubled) AS doubles, count() AS keys
FROM (
    SELECT {key},
        argMax(succeeded, snapshot) - toInt64(argMaxIf(succeeded, snapshot, snapshot < {{number:UInt32}})) AS s,
        argMax(failed, snapshot) - toInt64(argMaxIf(failed, snapshot, snapshot < {{number:UInt32}})) AS f,
        argMax(skipped, snapshot) - toInt64(argMaxIf(skipped, snapshot, snapshot < {{number:UInt32}})) AS k,
        count() > uniqExact(snapshot) AS doubled
    FROM {table} WHERE attempt_id IN {{attempts:Array(UUID)}} AND ({key}) IN (
        SELECT {key} FROM {table} WHERE snapshot = {{number:UInt32}} AND attempt_id = {{attempt:UUID}})
    GROUP BY {key}
)"""
_FAILURES_PER_SYNC = f"""SELECT sum(counted) AS failures, sum(copied) AS copies, countIf(counted != copied) AS differing
FROM (
    SELECT {_SYNC}, sum(failed) AS counted, sum(rows) AS copied, max(first_at) AS began FROM (
        SELECT {_SYNC}, failed, 0 AS rows, first_at FROM published_syncs
        WHERE snapshot = {{number:UInt32}} AND attempt_id = {{attempt:UUID}}
        UNION ALL
        SELECT {_SYNC}, 0, count(), toDateTime64(0, 3, 'UTC') FROM published_failures
        WHERE attempt_id IN {{attempts:Array(UUID)}} AND ({_SYNC}) IN (
            SELECT {_SYNC} FROM published_syncs WHERE snapshot = {{number:UInt32}} AND attempt_id = {{attempt:UUID}})
        GROUP BY {_SYNC}
    ) GROUP BY {_SYNC} HAVING began >= {{visible_since:DateTime64(3, 'UTC')}}
)"""
_TOTALS = f"""SELECT count() AS syncs, sum(counts.1) AS succeeded, sum(counts.2) AS failed, sum(counts.3) AS skipped
FROM (
    SELECT argMax(first_at, snapshot) AS began, argMax(({_COUNTS}), snapshot) AS counts FROM published_syncs
    WHERE attempt_id IN {{attempts:Array(UUID)}} GROUP BY {_SYNC}
) WHERE began >= {{visible_since:DateTime64(3, 'UTC')}}"""
_EXPIRED = """SELECT arrayMap(a -> toString(a), groupUniqArrayArray(attempts)) FROM snapshots
WHERE cut < {cut:DateTime64(3, 'UTC')} - INTERVAL 32 WEEK"""


@dataclass(frozen=True)
class Totals:
    """Of the syncs that a snapshot shows: how many, and their results by status."""

    syncs: int
    succeeded: int
    failed: int
    skipped: int


@dataclass(frozen=True)
class Publication:
    """One try to publish snapshot `number`; nothing of it is read by anybody before the pointer names `attempt`."""

    database: Database
    attempt: str
    number: int
    topic: str
    cut: dt.datetime
    offsets: Mapping[int, int]
    offsets_before: Mapping[int, int] = field(default_factory=dict)
    attempts_before: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """Note the attempt, so that `tidy` finds what it may leave behind."""
        self.database.command(
            "INSERT INTO publication_attempts (attempt_id, snapshot) SELECT {attempt:UUID}, {number:UInt32}",
            token=f"publication_attempts:{self.attempt}",
            **self._parameters,
        )

    def append_failures(self) -> None:
        """Copy the failed rows that are new."""
        self._append(_FAILURES, "published_failures")

    def append_syncs(self) -> None:
        """Count anew every sync that a row or mark touched, or that was running, with its outcome at the cut."""
        self._append(_SYNCS, "published_syncs")

    def append_days(self) -> None:
        """Add the new results to the days they occurred on: counted otherwise than the syncs, so that each checks the
        other."""
        self._append(_DAYS, "published_days")

    def check(self) -> None:
        """TotalsDiffer unless the three tables tell the same: what is published must never contradict itself."""
        syncs = self._row(_ADDED.format(table="published_syncs", key=_SYNC))
        days = self._row(_ADDED.format(table="published_days", key="tenant_id, direction, day"))
        failures = self._row(_FAILURES_PER_SYNC)
        wrong = []
        if syncs["doubles"] or days["doubles"]:
            wrong.append(f"{syncs['doubles']} syncs and {days['doubles']} days stand there twice")
        for status in ("succeeded", "failed", "skipped"):
            if syncs[status] != days[status] and not self._reaches_beyond():
                wrong.append(f"{status}: syncs add {syncs[status]}, days {days[status]}")
        if failures["differing"]:
            wrong.append(
                f"{failures['differing']} syncs count {failures['failures']} failures, have {failures['copies']} rows"
            )
        if wrong:
            raise TotalsDiffer(f"snapshot {self.number} is not published: {'; '.join(wrong)}")

    def _reaches_beyond(self) -> bool:
        """Whether a counted sync began before what is shown: rows of it may have expired, so it may count less."""
        return bool(self.database.value(
            "SELECT count() FROM published_syncs WHERE snapshot = {number:UInt32} AND attempt_id = {attempt:UUID} "
            "AND first_at < {visible_since:DateTime64(3, 'UTC')}", **self._parameters,
        ))  # fmt: skip

    def totals(self) -> Totals:
        return Totals(**{name: int(value) for name, value in self._row(_TOTALS).items()})

    @cached_property
    def attempts(self) -> list[str]:
        """Those whose rows are the snapshot, this one last; without those whose rows have all expired."""
        expired = set(self.database.value(_EXPIRED, cut=self.cut) or ())
        return [attempt for attempt in self.attempts_before if attempt not in expired] + [self.attempt]

    def won(self) -> bool:
        """Whether the pointer with this number, which stands by now, is ours."""
        attempts = self.database.value(
            "SELECT arrayMap(a -> toString(a), attempts) FROM snapshots WHERE number = {number:UInt32}",
            number=self.number,
        )
        return bool(attempts) and attempts[-1] == self.attempt

    def _append(self, sql: str, table: str) -> None:
        self.database.command(sql, token=f"{table}:{self.attempt}", weeks=self._weeks, **self._parameters)

    @cached_property
    def _weeks(self) -> list[dt.date]:
        return list(self.database.value(_WEEKS, **self._parameters))

    def _row(self, sql: str) -> dict[str, Any]:
        return self.database.rows(sql, **self._parameters)[0]

    @cached_property
    def _parameters(self) -> dict[str, Any]:
        day = self.cut.replace(hour=0, minute=0, second=0, microsecond=0)
        nobody = "00000000-0000-0000-0000-000000000000"
        return {
            "attempt": self.attempt,
            "attempts": self.attempts,
            "attempts_before": self.attempts_before,
            "attempt_before": self.attempts_before[-1] if self.attempts_before else nobody,
            "number": self.number,
            "before": self.number - 1,
            "topic": self.topic,
            "cuts": dict(self.offsets),
            "since": {partition: self.offsets_before.get(partition, 0) for partition in self.offsets},
            "lowest": min((self.offsets_before.get(partition, 0) for partition in self.offsets), default=0),
            "highest": max(self.offsets.values(), default=0),
            "running_since": clock.from_ms(clock.to_ms(self.cut) - _RUNNING_MS),
            "unmarked_running_since": clock.from_ms(clock.to_ms(self.cut) - _RUNNING_UNMARKED_MS),
            "visible_since": day - dt.timedelta(days=VISIBLE_DAYS),
        }


def published_totals(database: Database, number: int) -> Totals:
    """What the pointer says of a snapshot that stands."""
    rows = database.rows(
        f"SELECT syncs, {_COUNTS} FROM snapshots WHERE number = {{number:UInt32}} LIMIT 1", number=number
    )
    return Totals(**rows[0])
