"""What page, CSV and API read: the pointer, and the published rows that it makes visible to one tenant.

A `Scope` is a snapshot seen by a tenant in a direction, and every query starts from one. `Failures` is the one
condition behind a count of failed records and behind the rows of its CSV. Times go in and come out as milliseconds.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from streams import clock
from streams.clickhouse.client import Database

PERIODS = {"62d": 62, "26w": 182}
"""How many days before the cut's day a period begins, at midnight UTC. No period has an end."""
DEAD_LETTER_DAYS = 30
GRACE = dt.timedelta(hours=23)
"""How long rows outlive the snapshot that stopped naming them: they are dropped a day later, so links end before."""
_STREAM_BLOCK = 2_000  # rows at once: a payload may have 32 KiB, and a download's memory must stay flat

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Pointer:
    """One row of `snapshots`: which rows the snapshot consists of, and what there is to say about it."""

    number: int
    attempts: list[str]
    cut: dt.datetime
    topic: str
    cuts: dict[int, int]
    published_at: dt.datetime
    next_at: dt.datetime
    reconciliation: str
    difference: int

    def since(self, period: str) -> int:
        """When `period` (a key of PERIODS) begins, in milliseconds."""
        day = self.cut.replace(hour=0, minute=0, second=0, microsecond=0)
        return clock.to_ms(day - dt.timedelta(days=PERIODS[period]))


_POINTERS = """SELECT number, arrayMap(a -> toString(a), attempts) AS ids, toUnixTimestamp64Milli(cut) AS cut_ms,
    kafka_topic, cuts, toUnixTimestamp64Milli(published_at) AS published_ms, toUnixTimestamp64Milli(next_at) AS next_ms,
    reconciliation, difference
FROM snapshots"""


def latest(database: Database) -> Pointer | None:
    """The snapshot that people see now; None before the first publication."""
    rows = database.rows(f"{_POINTERS} ORDER BY number DESC LIMIT 1")
    return _pointer(rows[0]) if rows else None


def standing(database: Database, number: int) -> Pointer | None:
    """Snapshot `number` if all of its rows still stand: none expired, none dropped with a list that was replaced."""
    rows = database.rows(f"{_POINTERS} WHERE number >= {{number:UInt32}} ORDER BY number", number=number)
    if not rows or rows[0]["number"] != number:
        return None
    found, *later = map(_pointer, rows)
    replaced = [pointer.published_at for pointer in later if not set(found.attempts) <= set(pointer.attempts)]
    gone = replaced and min(replaced) + GRACE < clock.now()
    return None if gone or _expired(found, clock.now()) else found


def _expired(pointer: Pointer, now: dt.datetime) -> bool:
    """Whether the TTL of the tables may have taken rows of the snapshot's 26 weeks."""
    begin = clock.monday(clock.from_ms(pointer.since("26w")))
    # 181 days are the shortest six months: a day too early is a polite 410, a day too late a count without its rows.
    return now >= begin + dt.timedelta(days=181, weeks=3)


def _pointer(row: dict[str, Any]) -> Pointer:
    return Pointer(
        number=row["number"],
        attempts=list(row["ids"]),
        cut=clock.from_ms(row["cut_ms"]),
        topic=row["kafka_topic"],
        cuts=dict(row["cuts"]),
        published_at=clock.from_ms(row["published_ms"]),
        next_at=clock.from_ms(row["next_ms"]),
        reconciliation=row["reconciliation"],
        difference=row["difference"],
    )


@dataclass(frozen=True)
class Scope:
    """A snapshot as one tenant sees it in one direction."""

    pointer: Pointer
    tenant: str
    direction: str

    where = "tenant_id = {tenant:String} AND direction = {direction:String} AND attempt_id IN {attempts:Array(UUID)}"

    @property
    def parameters(self) -> dict[str, Any]:
        return {"tenant": self.tenant, "direction": self.direction, "attempts": self.pointer.attempts}


_FAILURE = """toString(event_id) AS event, sync_id, module, record_id, record_name, operation,
    toUnixTimestamp64Milli(occurred_at) AS occurred_ms, reason, error_codes, error_messages, error_fields, attempt,
    target_id, truncated, payload"""


@dataclass(frozen=True)
class Failures:
    """Failed records: of a period (`since`, ms), of a reason, of a sync, or of any of them together."""

    scope: Scope
    since: int | None = None
    reason: str | None = None
    sync_id: str | None = None
    after: tuple[str, str, int] | None = field(default=None)

    def count(self, database: Database) -> int:
        return int(database.value(f"SELECT count() FROM published_failures {self.where}", **self.parameters))

    def by_reason(self, database: Database) -> Rows:
        """reason, records, syncs; the most frequent first."""
        return database.rows(
            f"SELECT reason, count() AS records, uniqExact(sync_id) AS syncs FROM published_failures {self.where} "
            "GROUP BY reason ORDER BY records DESC, reason",
            **self.parameters,
        )

    def page(self, database: Database, limit: int) -> Rows:
        """At most `limit` rows in the order of sync, event and time, beginning behind `after`."""
        return database.rows(f"{self._select} LIMIT {{limit:UInt32}}", **self.parameters, limit=limit)

    def stream(self, database: Database) -> Iterator[Sequence[tuple[Any, ...]]]:
        """All rows, block by block, in the same columns and order. Close it when nobody reads on."""
        return database.stream(self._select, {"max_block_size": _STREAM_BLOCK}, **self.parameters)

    @property
    def _select(self) -> str:
        return f"SELECT {_FAILURE} FROM published_failures {self.where} ORDER BY sync_id, event_id, occurred_at"

    @property
    def where(self) -> str:
        conditions = [Scope.where]
        if self.since is not None:
            conditions.append("occurred_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')")
        if self.reason is not None:
            conditions.append("reason = {reason:String}")
        if self.sync_id is not None:
            conditions.append("sync_id = {sync_id:String}")
        if self.after is not None:
            conditions.append("sync_id >= {after_sync:String}")  # apart, because it can use the primary key
            conditions.append(
                "(sync_id, event_id, occurred_at) > "
                "({after_sync:String}, {after_event:UUID}, fromUnixTimestamp64Milli({after_ms:Int64}, 'UTC'))"
            )
        return "WHERE " + " AND ".join(conditions)

    @property
    def parameters(self) -> dict[str, Any]:
        given = {"since": self.since, "reason": self.reason, "sync_id": self.sync_id}
        if self.after is not None:
            given |= dict(zip(("after_sync", "after_event", "after_ms"), self.after, strict=True))
        return self.scope.parameters | {name: value for name, value in given.items() if value is not None}


def days(database: Database, scope: Scope, since: int) -> Rows:
    """day (text), succeeded, failed, skipped; days without results are not there."""
    return database.rows(
        "SELECT toString(day) AS date, argMax(succeeded, snapshot) AS ok, argMax(failed, snapshot) AS bad, "
        f"argMax(skipped, snapshot) AS left_out FROM published_days WHERE {Scope.where} "
        "AND day >= toDate(fromUnixTimestamp64Milli({since:Int64}, 'UTC')) GROUP BY day ORDER BY day",
        **scope.parameters,
        since=since,
    )


_SYNC = """SELECT sync_id, modules, toUnixTimestamp64Milli(first_at) AS first_ms,
    toUnixTimestamp64Milli(last_at) AS last_ms,
    toUnixTimestamp64Milli(started_at) AS started_ms, toUnixTimestamp64Milli(finished_at) AS finished_ms,
    expected, records, total, succeeded, failed, skipped, outcome
FROM (SELECT * FROM published_syncs WHERE {where} ORDER BY sync_id, snapshot DESC LIMIT 1 BY sync_id)"""


def syncs(database: Database, scope: Scope, since: int, limit: int, after: tuple[int, str] | None = None) -> Rows:
    """Syncs that began at or after `since`, the newest first; `after` is (first_ms, sync_id) of the last one seen."""
    key = "(toUnixTimestamp64Milli(first_at), sync_id)"
    behind = f"AND {key} < ({{after_ms:Int64}}, {{after_sync:String}})" if after else ""
    return database.rows(
        f"{_SYNC.replace('{where}', Scope.where)} WHERE first_at >= fromUnixTimestamp64Milli({{since:Int64}}, 'UTC') "
        f"{behind} ORDER BY first_at DESC, sync_id DESC LIMIT {{limit:UInt32}}",
        **scope.parameters,
        since=since,
        limit=limit,
        **(dict(zip(("after_ms", "after_sync"), after, strict=True)) if after else {}),
    )


def sync(database: Database, scope: Scope, sync_id: str) -> dict[str, Any] | None:
    """One sync, with the columns of `syncs`; None if the snapshot has none of that ID for this tenant."""
    where = Scope.where + " AND sync_id = {sync_id:String}"
    rows = database.rows(_SYNC.replace("{where}", where), **scope.parameters, sync_id=sync_id)
    return rows[0] if rows else None


def reasons_of_syncs(database: Database, scope: Scope, sync_ids: Sequence[str]) -> dict[str, list[tuple[str, int]]]:
    """For each of the syncs its (reason, records), the most frequent first."""
    rows = database.rows(
        f"SELECT sync_id, reason, count() AS records FROM published_failures WHERE {Scope.where} "
        "AND sync_id IN {sync_ids:Array(String)} GROUP BY sync_id, reason ORDER BY sync_id, records DESC, reason",
        **scope.parameters,
        sync_ids=list(sync_ids),
    )
    found: dict[str, list[tuple[str, int]]] = {sync_id: [] for sync_id in sync_ids}
    for row in rows:
        found[row["sync_id"]].append((row["reason"], row["records"]))
    return found


# Below the cut, then the first arrival of each event: a copy that came after the cut must not hide the one before it.
_RECORDS = """SELECT event, module, record_id, record_name, target_id, operation, status, occurred_ms, attempt, message
FROM (
    SELECT toString(event_id) AS event, event_id, toMonday(occurred_at) AS week, module, record_id, record_name,
        target_id, operation, status, toUnixTimestamp64Milli(occurred_at) AS occurred_ms, attempt,
        error_messages[1] AS message
    FROM sync_records
    WHERE tenant_id = {tenant:String} AND direction = {direction:String} AND sync_id = {sync_id:String}
        AND kafka_topic = {topic:String} AND kafka_offset < {cuts:Map(UInt16, UInt64)}[kafka_partition]
        AND occurred_at BETWEEN fromUnixTimestamp64Milli({first:Int64}, 'UTC')
            AND fromUnixTimestamp64Milli({last:Int64}, 'UTC')
    ORDER BY event_id, week, arrival DESC LIMIT 1 BY event_id, week
)"""


def records(
    database: Database, scope: Scope, sync: dict[str, Any], limit: int, after: tuple[int, str] | None = None
) -> Rows:  # fmt: skip
    """The records of a `sync` by time; the failed ones with `reason`, which published_failures gives.

    The sync's first and last time bound the query: of 26 weeks of parts it opens those of the sync's own.
    `after` is (occurred_ms, event) of the last one seen. `message` is the first error's, of a skipped record the cause.
    """
    behind = "WHERE (occurred_ms, event) > ({after_ms:Int64}, {after_event:String})" if after else ""
    rows = database.rows(
        f"{_RECORDS} {behind} ORDER BY occurred_ms, event LIMIT {{limit:UInt32}}",
        tenant=scope.tenant,
        direction=scope.direction,
        sync_id=sync["sync_id"],
        first=sync["first_ms"],
        last=sync["last_ms"],
        topic=scope.pointer.topic,
        cuts=scope.pointer.cuts,
        limit=limit,
        **(dict(zip(("after_ms", "after_event"), after, strict=True)) if after else {}),
    )
    failed = [row["event"] for row in rows if row["status"] == "failed"]
    reasons = _reasons_of_events(database, scope, sync["sync_id"], failed)
    return [row | {"reason": reasons.get((row["event"], row["occurred_ms"]), "")} for row in rows]


def _reasons_of_events(
    database: Database, scope: Scope, sync_id: str, events: Sequence[str]
) -> dict[tuple[str, int], str]:
    if not events:
        return {}
    rows = database.rows(
        "SELECT toString(event_id) AS event, toUnixTimestamp64Milli(occurred_at) AS occurred_ms, reason "
        f"FROM published_failures WHERE {Scope.where} AND sync_id = {{sync_id:String}} "
        "AND event_id IN {events:Array(UUID)}",
        **scope.parameters,
        sync_id=sync_id,
        events=list(events),
    )
    return {(row["event"], row["occurred_ms"]): row["reason"] for row in rows}


def dead_letters(database: Database, pointer: Pointer, tenant: str) -> Rows:
    """code, messages: what the tenant sent within 30 days before the cut and was no event, the most frequent first."""
    return database.rows(
        "SELECT code, count() AS messages FROM dead_letters WHERE tenant_id = {tenant:String} "
        "AND kafka_topic = {topic:String} AND kafka_offset < {cuts:Map(UInt16, UInt64)}[kafka_partition] "
        "AND received_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') GROUP BY code ORDER BY messages DESC, code",
        tenant=tenant,
        topic=pointer.topic,
        cuts=pointer.cuts,
        since=clock.to_ms(pointer.cut - dt.timedelta(days=DEAD_LETTER_DAYS)),
    )


def directions_in_use(database: Database, pointer: Pointer, tenant: str) -> set[str]:
    """The directions in which the tenant has any published result."""
    rows = database.rows(
        "SELECT DISTINCT direction FROM published_days "
        "WHERE tenant_id = {tenant:String} AND attempt_id IN {attempts:Array(UUID)}",
        tenant=tenant,
        attempts=pointer.attempts,
    )
    return {row["direction"] for row in rows}
