"""Writing a snapshot: what its appends, its checks and its pointer are in SQL. What readers see of it: `published`.

A `Publication` is one try, with an attempt of its own that all of its rows carry. Rows are taken by their offsets, from
where the snapshot before ended to the cut; of several copies of an event below the cut the first to arrive is the row,
as in a merge, unless an earlier snapshot shows the event as failed: what is published as failed stays so.
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

# The keys come in the order of the table, so that groups are formed one after the other and not all in memory.
_IN_ORDER = "SETTINGS optimize_aggregation_in_order = 1"
_BELOW_CUT = "kafka_topic = {topic:String} AND kafka_offset < {cuts:Map(UInt16, UInt64)}[kafka_partition]"
# The last line says nothing new, but it is what the index over offsets understands.
_BETWEEN = f"""{_BELOW_CUT} AND kafka_offset >= {{since:Map(UInt16, UInt64)}}[kafka_partition]
    AND kafka_offset >= {{lowest:UInt64}} AND kafka_offset < {{highest:UInt64}}"""
_SYNC = "tenant_id, direction, sync_id"
_COUNTS = "succeeded, failed, skipped"
_EVENT = f"{_SYNC}, event_id, toMonday(occurred_at)"  # copies in other weeks are other rows, as no merge unites them
_IN_WEEKS = "toMonday(occurred_at) IN {weeks:Array(Date)}"
_BY_STATUS = """countIf(status = 'success') AS succeeded, countIf(status = 'failed') AS failed,
    countIf(status = 'skipped') AS skipped"""
_COPIED = """event_id, tenant_id, direction, sync_id, module, record_id, record_name, target_id, operation, reason,
    error_codes, error_messages, error_fields, error_reasons, catalogue_version, occurred_at, attempt, payload,
    truncated, received_at, kafka_topic, kafka_partition, kafka_offset"""

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
_OF_TOUCHED = f"{_IN_WEEKS} AND ({_SYNC}) IN ({_TOUCHED})"
# By day a week is recounted whole: a copy that a clock puts first may have moved a result from one day to another.
_NEW_DAYS = f"""SELECT tenant_id, direction, toMonday(occurred_at) FROM sync_records
    WHERE {_BETWEEN} AND toMonday(occurred_at) >= toMonday({{visible_since:DateTime64(3, 'UTC')}})"""
_OF_NEW_DAYS = f"""{_IN_WEEKS} AND (tenant_id, direction, toMonday(occurred_at)) IN ({_NEW_DAYS})"""


def _failed_before(rows: str) -> str:
    return f"FROM published_failures WHERE attempt_id IN {{attempts_before:Array(UUID)}} AND {rows}"


def _first(rows: str) -> str:
    """The first arrival of each event that no earlier snapshot shows as failed. Offsets first, then the order of
    arrival: the other way round (FINAL) a copy beyond the cut could hide the row below it."""
    return f"""SELECT {_SYNC}, event_id, toMonday(occurred_at) AS week, argMax(
        (status, module, record_id, occurred_at, kafka_partition, kafka_offset), arrival) AS first
    FROM sync_records
    WHERE {rows} AND {_BELOW_CUT} AND ({_EVENT}) NOT IN (SELECT {_EVENT} {_failed_before(rows)})
    GROUP BY {_SYNC}, event_id, week"""


def _results(rows: str) -> str:
    """Every result once. Those published as failed come from there, for their copies may have replaced them here."""
    return f"""SELECT {_SYNC}, first.1 AS status, first.2 AS module, first.3 AS record_id, first.4 AS at
    FROM ({_first(rows)})
    UNION ALL
    SELECT {_SYNC}, 'failed', any(module), any(record_id), any(occurred_at)
    {_failed_before(rows)} GROUP BY {_EVENT}"""


_FAILURES = f"""INSERT INTO published_failures (attempt_id, snapshot, {_COPIED})
SELECT {{attempt:UUID}}, {{number:UInt32}}, {_COPIED} FROM sync_records
WHERE status = 'failed' AND {_OF_TOUCHED} AND {_BELOW_CUT} AND ({_EVENT}, kafka_partition, kafka_offset) IN (
    SELECT {_SYNC}, event_id, week, first.5, first.6 FROM ({_first(_OF_TOUCHED)}) WHERE first.1 = 'failed')
ORDER BY {_SYNC}, event_id LIMIT 1 BY {_EVENT} {_IN_ORDER}"""

# Each row as (when, what it is): results and marks of the touched syncs under one roof. `came` orders marks by arrival.
_OF_SYNCS = f"""SELECT {_SYNC}, 'record' AS kind, module, record_id, status, at, 0 AS records_total,
        toUInt256(0) AS came
    FROM ({_results(_OF_TOUCHED)})
    UNION ALL
    SELECT {_SYNC}, first.1 AS kind, '' AS module, '' AS record_id, '' AS status, first.2 AS at,
        first.3 AS records_total, came
    FROM (
        SELECT {_SYNC}, argMax((type, occurred_at, records_total), arrival) AS first, bitNot(max(arrival)) AS came
        FROM sync_marks WHERE {_OF_TOUCHED} AND {_BELOW_CUT} GROUP BY {_EVENT}
    )"""
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
        min(at) AS first_at, max(at) AS last_at,
        minOrNullIf(at, kind = 'sync_started') AS started_at,
        maxOrNullIf(at, kind = 'sync_finished') AS finished_at,
        argMaxOrNullIf(records_total, (at, came), kind = 'sync_finished') AS expected,
        uniqExactIf((module, record_id), kind = 'record') AS records,
        countIf(kind = 'record') AS total, countIf(kind != 'record') AS marks, {_BY_STATUS}
    FROM ({_OF_SYNCS}) GROUP BY {_SYNC}
) ORDER BY {_SYNC} {_IN_ORDER}"""

_DAYS = f"""INSERT INTO published_days (attempt_id, snapshot, tenant_id, direction, day, {_COUNTS})
SELECT {{attempt:UUID}}, {{number:UInt32}}, tenant_id, direction, day, sum(ok), sum(bad), sum(left_out)
FROM (
    SELECT tenant_id, direction, toDate(at) AS day, countIf(status = 'success') AS ok,
        countIf(status = 'failed') AS bad, countIf(status = 'skipped') AS left_out
    FROM ({_results(_OF_NEW_DAYS)}) GROUP BY tenant_id, direction, day
    UNION ALL
    SELECT DISTINCT tenant_id, direction, day, 0, 0, 0 FROM published_days
    WHERE attempt_id IN {{attempts_before:Array(UUID)}} AND (tenant_id, direction, toMonday(day)) IN ({_NEW_DAYS})
) GROUP BY tenant_id, direction, day ORDER BY tenant_id, direction, day {_IN_ORDER}"""
_WEEKS_OF_DAYS = f"SELECT groupUniqArray(toMonday(occurred_at)) FROM sync_records WHERE {_BETWEEN}"

# Two steps, so that contents, payloads above all, are read of the few events that came more than once.
_CONFLICTS = f"""SELECT count() FROM (
    SELECT {_SYNC}, event_id FROM sync_records
    WHERE {_OF_TOUCHED} AND {_BELOW_CUT} AND ({_SYNC}, event_id) IN (
        SELECT {_SYNC}, event_id FROM sync_records WHERE {_OF_TOUCHED} AND {_BELOW_CUT} GROUP BY {_SYNC}, event_id
        HAVING count() > 1 AND max(kafka_offset >= {{since:Map(UInt16, UInt64)}}[kafka_partition]))
    GROUP BY {_SYNC}, event_id HAVING uniqExact(cityHash64(status, module, record_id, record_name, target_id, operation,
        error_codes, error_messages, error_fields, occurred_at, attempt, payload, truncated)) > 1
) {_IN_ORDER}"""

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
        """Count anew the days of every (tenant, direction, week) that has new results and is still shown: from the
        rows and not from the syncs, so that each checks the other."""
        weeks = list(self.database.value(_WEEKS_OF_DAYS, **self._parameters))
        self._append(_DAYS, "published_days", weeks)

    def conflicts(self) -> int:
        """How many events with new rows have copies that say something else, as far as merges have left both."""
        return int(self.database.value(_CONFLICTS, weeks=self._weeks, **self._parameters))

    def check(self) -> dict[str, int]:
        """TotalsDiffer unless syncs and failures tell the same, for a count must never contradict its CSV.

        Returned is by how much syncs and days add different numbers, by status; empty if they agree. That refuses
        nothing: where a copy replaced a row in a merge, days are counted without it, and no later try would differ.
        """
        syncs = self._row(_ADDED.format(table="published_syncs", key=_SYNC))
        days = self._row(_ADDED.format(table="published_days", key="tenant_id, direction, day"))
        failures = self._row(_FAILURES_PER_SYNC)
        wrong = []
        if syncs["doubles"] or days["doubles"]:
            wrong.append(f"{syncs['doubles']} syncs and {days['doubles']} days stand there twice")
        if failures["differing"]:
            wrong.append(
                f"{failures['differing']} syncs count {failures['failures']} failures, have {failures['copies']} rows"
            )
        if wrong:
            raise TotalsDiffer(f"snapshot {self.number} is not published: {'; '.join(wrong)}")
        apart = {status: abs(syncs[status] - days[status]) for status in _COUNTS.split(", ")}
        return {} if not any(apart.values()) or self._reaches_beyond() else apart

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

    def _append(self, sql: str, table: str, weeks: list[dt.date] | None = None) -> None:
        weeks = self._weeks if weeks is None else weeks
        self.database.command(sql, token=f"{table}:{self.attempt}", weeks=weeks, **self._parameters)

    @cached_property
    def _weeks(self) -> list[dt.date]:
        return list(self.database.value(_WEEKS, **self._parameters))

    @property
    def _number_before(self) -> int:
        """The number that rows of the attempt before carry: an erasure moves the pointer's on, and writes no rows."""
        if not self.attempts_before:
            return 0
        sql = "SELECT max(snapshot) FROM published_syncs WHERE attempt_id = {last:UUID}"
        return int(self.database.value(sql, last=self.attempts_before[-1]))

    def _row(self, sql: str) -> dict[str, Any]:
        return self.database.rows(sql, **self._parameters)[0]

    @cached_property
    def _parameters(self) -> dict[str, Any]:
        day = self.cut.replace(hour=0, minute=0, second=0, microsecond=0)
        nobody = "00000000-0000-0000-0000-000000000000"
        return {
            "attempt": self.attempt,
            "attempts": self.attempts,
            "attempts_before": self.attempts[:-1],
            "attempt_before": self.attempts_before[-1] if self.attempts_before else nobody,
            "number": self.number,
            "before": self._number_before,
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


def published_catalogue(database: Database, number: int) -> int:
    """The version of the catalogue with which a snapshot that stands was published."""
    return int(database.value("SELECT catalogue_version FROM snapshots WHERE number = {number:UInt32}", number=number))
