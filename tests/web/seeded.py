"""A published view made by hand for the tests: what every number must be is computed here from the list of results.

Two snapshots, a week apart, in append-only tables as the publisher writes them, with what readers must never show: rows
of an attempt that crashed, another tenant's, and records beyond the cut.
"""

import datetime as dt
import random
import uuid
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from streams import clock
from streams.clickhouse.client import Database

TENANT, OTHER = "acme", "globex"
DIRECTION = "books_to_fsm"
HOSTILE = "ünï/co?de #1 & 'quoted' \"%41\" <b>\\t"
TOPIC = "sync.records.v1"
FIRST, SECOND, CRASHED = (str(uuid.UUID(int=n)) for n in (1, 2, 3))
CUT = clock.monday(clock.now())
DAY = dt.timedelta(days=1)
STATUSES = {"success": "succeeded", "failed": "failed", "skipped": "skipped"}
Row = dict[str, Any]


@dataclass(frozen=True)
class Result:
    """One record's result; a failed one has a reason and errors of (code, message, field)."""

    sync_id: str
    number: int
    status: str
    at: dt.datetime
    tenant: str = TENANT
    direction: str = DIRECTION
    reason: str = ""
    errors: tuple[tuple[str, str, str], ...] = ()
    name: str = ""
    payload: str = ""
    received: dt.datetime = CUT - DAY / 2

    @property
    def event_id(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.tenant} {self.direction} {self.sync_id} {self.number}"))


@dataclass
class Seed:
    """All results of the second snapshot, and what was already in the first one."""

    results: list[Result] = field(default_factory=list)

    def of(self, tenant: str = TENANT, direction: str = DIRECTION, days: int | None = None) -> list[Result]:
        since = CUT - (days or 10_000) * DAY
        return [r for r in self.results if (r.tenant, r.direction) == (tenant, direction) and r.at >= since]

    def reasons(self, days: int) -> Counter[str]:
        return Counter(r.reason for r in self.of(days=days) if r.status == "failed")

    def sync(self, sync_id: str) -> Counter[str]:
        return Counter(r.status for r in self.of() if r.sync_id == sync_id)


_FAILURES = (
    ("mandatory_field_missing", "", "The following mandatory field(s) were left empty: Last Name", "Last_Name"),
    ("duplicate_record", "DUPLICATE_DATA", "Contact with this email-id is already associated with this company", ""),
    ("unclassified", "", "A validation exception occurred", ""),
)
NASTY = (
    '=HYPERLINK("http://evil.example","click")',
    "+cmd|' /C calc'!A0",
    "-5",
    "@SUM(A1)",
    '\ttab, comma; "quote"\r\nnew line',
    "zero\0byte",
    "right-to-left \u202e text 😀",
    "-lead",
)


def make() -> Seed:
    """30 small syncs over 25 weeks, one of 300 records, one with an ID and texts that try to break things."""
    random_ = random.Random(7)
    seed = Seed()
    for n in range(30):
        at = CUT - dt.timedelta(days=1 + n * 5.6, hours=n % 5)
        for number in range(random_.randint(2, 9)):
            seed.results.append(_result(random_, f"sync-{n:03d}", number, at + dt.timedelta(seconds=number)))
    big = CUT - 3 * DAY
    seed.results += [_result(random_, "big", n, big + dt.timedelta(milliseconds=n)) for n in range(300)]
    for n, text in enumerate(NASTY):
        errors = tuple((text, text, text) for _ in range(20 if n == 0 else 2))
        hostile = Result(HOSTILE, n, "failed", CUT - 5 * DAY, reason="invalid_format", errors=errors, name=text)
        seed.results.append(replace(hostile, payload='{"Email":"=1+1"}'))
    seed.results += [Result("sync-000", n, "failed", CUT - DAY, tenant=OTHER, reason="rate_limited") for n in range(3)]
    seed.results += [Result("only-theirs", 0, "success", CUT - DAY, tenant=OTHER)]
    seed.results += [Result("pushed", n, "success", CUT - DAY, direction="fsm_to_books") for n in range(4)]
    return seed


def _result(random_: random.Random, sync_id: str, number: int, at: dt.datetime) -> Result:
    luck = random_.random()
    if luck < 0.6:
        return Result(sync_id, number, "success", at, name=f"Customer {number}")
    if luck < 0.75:
        return Result(sync_id, number, "skipped", at, errors=(("", "Excluded by the filter <active>", ""),))
    reason, code, message, where = random_.choice(_FAILURES)
    return Result(sync_id, number, "failed", at, reason=reason, errors=((code, message, where),), name=f"Item {number}")


def write(database: Database, seed: Seed) -> None:
    """Everything into its tables."""
    week_ago = CUT - 7 * DAY
    early = [r for r in seed.results if r.at < week_ago]
    late = [r for r in seed.results if r.at >= week_ago]
    _insert(database, "published_failures", [*_failures(FIRST, 1, early), *_failures(SECOND, 2, late)])
    _insert(database, "published_failures", _failures(CRASHED, 2, late))
    # `before` is an earlier version of a sync and of a day, which the second snapshot replaced.
    before = [r for r in late if r.sync_id == "big"][:10]
    all_failed = [replace(r, status="failed") for r in seed.results]
    for table, rows_of in (("published_syncs", _syncs), ("published_days", _days)):
        rows = [*rows_of(FIRST, 1, early + before), *rows_of(SECOND, 2, late), *rows_of(CRASHED, 3, all_failed)]
        _insert(database, table, rows)
    _insert(database, "sync_records", _records(seed))
    _insert(database, "sync_records", _later_copies(seed))  # apart: one insert would keep one copy of each at once
    _insert(database, "dead_letters", _letters())
    pointer(database, 1, [FIRST], week_ago)
    pointer(database, 2, [FIRST, SECOND], CUT)


def insert_failures(database: Database, attempt: str, snapshot: int, results: list[Result]) -> None:
    """The failed ones of `results` as published by `attempt`."""
    _insert(database, "published_failures", _failures(attempt, snapshot, results))


def pointer(database: Database, number: int, attempts: list[str], cut: dt.datetime, **changed: Any) -> None:
    """One row of `snapshots`."""
    row: Row = {
        "number": number,
        "week": "",
        "attempts": [uuid.UUID(a) for a in attempts],
        "cut": cut,
        "kafka_topic": TOPIC,
        "cuts": {0: 1_000_000, 1: 1_000_000},
        "published_at": cut + dt.timedelta(minutes=3),
        "next_at": cut + 7 * DAY,
        "reconciliation": "exact",
    }
    _insert(database, "snapshots", [row | changed])


def _failures(attempt: str, snapshot: int, results: list[Result]) -> list[Row]:
    return [
        {"attempt_id": attempt, "snapshot": snapshot} | {k: v for k, v in _record(n, r).items() if k != "status"}
        for n, r in enumerate(results)
        if r.status == "failed"
    ]


def _syncs(attempt: str, snapshot: int, results: list[Result]) -> list[Row]:
    groups: dict[tuple[str, str, str], list[Result]] = {}
    for r in results:
        groups.setdefault((r.tenant, r.direction, r.sync_id), []).append(r)
    return [
        {"attempt_id": attempt, "snapshot": snapshot, "tenant_id": tenant, "direction": direction, "sync_id": sync_id}
        | _sync(group)
        for (tenant, direction, sync_id), group in groups.items()
    ]


def _sync(group: list[Result]) -> Row:
    counts = Counter(r.status for r in group)
    first, last = min(r.at for r in group), max(r.at for r in group)
    marked = group[0].sync_id == "big"
    ways = {(False, True): "failed", (True, True): "partly_failed"}
    return {
        "modules": ["customers"],
        "first_at": first,
        "last_at": last,
        "started_at": first if marked else None,
        "finished_at": last if marked else None,
        "expected": len(group) if marked else None,
        "records": len(group),
        "total": len(group),
        "succeeded": counts["success"],
        "failed": counts["failed"],
        "skipped": counts["skipped"],
        "outcome": ways.get((counts["success"] > 0, counts["failed"] > 0), "completed"),
    }


def _days(attempt: str, snapshot: int, results: list[Result]) -> list[Row]:
    counts = Counter((r.tenant, r.direction, r.at.date(), r.status) for r in results)
    return [
        {"attempt_id": attempt, "snapshot": snapshot, "tenant_id": tenant, "direction": direction, "day": day}
        | {name: counts[tenant, direction, day, s] for s, name in STATUSES.items()}
        for tenant, direction, day in {key[:3] for key in counts}
    ]


def _records(seed: Seed) -> list[Row]:
    """The rows of store, and one that came after the cut."""
    beyond = Result("big", 9_999, "failed", CUT, name="beyond the cut", reason="rate_limited")
    return [*(_record(n, r) for n, r in enumerate(seed.results)), _record(2_000_000, beyond)]


def _later_copies(seed: Seed) -> list[Row]:
    big = [r for r in seed.results if r.sync_id == "big"]
    return [_record(5_000 + n, replace(r, name="a later copy", received=CUT - DAY / 4)) for n, r in enumerate(big)]


def _record(offset: int, r: Result) -> Row:
    codes, messages, fields = ([e[i] for e in r.errors] for i in range(3))
    return {
        "event_id": r.event_id,
        "tenant_id": r.tenant,
        "direction": r.direction,
        "sync_id": r.sync_id,
        "module": "customers",
        "record_id": f"r{r.number}",
        "record_name": r.name,
        "operation": "create",
        "status": r.status,
        "reason": r.reason,
        "error_codes": codes,
        "error_messages": messages,
        "error_fields": fields,
        "error_reasons": [r.reason] * len(codes),
        "occurred_at": r.at,
        "attempt": 1,
        "payload": r.payload,
        "received_at": r.received,
        "kafka_topic": TOPIC,
        "kafka_offset": offset,
    }


def _letters() -> list[Row]:
    """Four messages of the tenant that were no events, and one that came after the cut."""
    codes = ["invalid_json", "invalid_json", "invalid_json", "too_large"]
    row = {"tenant_id": TENANT, "received_at": CUT - DAY, "kafka_topic": TOPIC}
    rows = [row | {"code": code, "kafka_offset": n} for n, code in enumerate(codes)]
    return [*rows, row | {"code": "invalid_json", "received_at": CUT + DAY, "kafka_offset": 2_000_000}]


def _insert(database: Database, table: str, rows: list[Row]) -> None:
    """With a token of its own: without one, equal rows would be taken for a copy of those before."""
    settings = {"insert_deduplication_token": uuid.uuid4().hex, "async_insert": 0}
    values = [list(row.values()) for row in rows]
    database.client.insert(table, values, column_names=list(rows[0]), settings=settings)
