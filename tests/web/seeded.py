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

from schemas.rows import DEAD_LETTERS, SNAPSHOTS, SYNC_RECORDS
from streams import clock
from streams.clickhouse.client import Database

TENANT, OTHER = "acme", "globex"
DIRECTION = "books_to_fsm"
HOSTILE = "ünï/co?de #1 & 'quoted' \"%41\" <b>\\t"
TOPIC = "sync.records.v1"
FIRST, SECOND, CRASHED = (str(uuid.UUID(int=n)) for n in (1, 2, 3))
CUT = clock.monday(clock.now())
DAY = dt.timedelta(days=1)
_FAILURE_COLUMNS = (
    "attempt_id snapshot event_id tenant_id direction sync_id module record_id record_name target_id operation reason "
    "error_codes error_messages error_fields error_reasons catalogue_version occurred_at attempt payload truncated "
    "received_at kafka_topic kafka_partition kafka_offset"
).split()
_SYNC_COLUMNS = (
    "attempt_id snapshot tenant_id direction sync_id modules first_at last_at started_at finished_at expected records "
    "total succeeded failed skipped outcome"
).split()
_DAY_COLUMNS = "attempt_id snapshot tenant_id direction day succeeded failed skipped".split()


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
    "\ttab, comma; \"quote\"\r\nnew line",
    "zero\0byte",
    "right-to-left \u202e text 😀",
    "-lead",
)


def make() -> Seed:
    """40 small syncs over 25 weeks, one of 300 records, one with an ID and texts that try to break things."""
    random_ = random.Random(7)
    seed = Seed()
    for n in range(40):
        at = CUT - dt.timedelta(days=1 + n * 4.3, hours=n % 5)
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
    _failures(database, FIRST, 1, early)
    _failures(database, SECOND, 2, late)
    _failures(database, CRASHED, 2, late)
    _syncs(database, FIRST, 1, early)
    _syncs(database, SECOND, 2, late)
    _syncs(database, CRASHED, 3, [replace(r, status="failed") for r in seed.results])
    _days(database, FIRST, 1, early)
    _days(database, SECOND, 2, late)
    _days(database, CRASHED, 3, seed.results)
    # An earlier version of a sync and of a day, which the second snapshot replaced.
    _syncs(database, FIRST, 1, [r for r in late if r.sync_id == "big"][:10])
    _days(database, FIRST, 1, [r for r in late if r.sync_id == "big"][:10])
    _records(database, seed)
    letters = [(TENANT, code, "", CUT - DAY, TOPIC, 0, n) for n, code in enumerate(["invalid_json"] * 3 + ["too_large"])]
    beyond = (TENANT, "invalid_json", "", CUT + DAY, TOPIC, 0, 10**9)
    _insert(database, DEAD_LETTERS.table, DEAD_LETTERS.names, [*letters, beyond])
    pointer(database, 1, [FIRST], week_ago)
    pointer(database, 2, [FIRST, SECOND], CUT)


def pointer(database: Database, number: int, attempts: list[str], cut: dt.datetime, **changed: Any) -> None:
    """One row of `snapshots`."""
    row: dict[str, Any] = {
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
    row |= changed
    _insert(database, "snapshots", [n for n in SNAPSHOTS.names if n in row], [[row[n] for n in SNAPSHOTS.names if n in row]])


def _failures(database: Database, attempt: str, snapshot: int, results: list[Result]) -> None:
    rows = []
    for n, r in enumerate(r for r in results if r.status == "failed"):
        codes, messages, fields = ([e[i] for e in r.errors] for i in range(3))
        head = [attempt, snapshot, r.event_id, r.tenant, r.direction, r.sync_id, "customers", f"r{r.number}", r.name]
        errors = [codes, messages, fields, [r.reason] * len(r.errors)]
        tail = [1, r.at, 1, r.payload, ["payload"] if r.payload else [], r.received, TOPIC, 0, n]
        rows.append([*head, "", "create", r.reason, *errors, *tail])
    _insert(database, "published_failures", _FAILURE_COLUMNS, rows)


def _syncs(database: Database, attempt: str, snapshot: int, results: list[Result]) -> None:
    groups: dict[tuple[str, str, str], list[Result]] = {}
    for r in results:
        groups.setdefault((r.tenant, r.direction, r.sync_id), []).append(r)
    rows = []
    for (tenant, direction, sync_id), group in groups.items():
        counts = Counter(r.status for r in group)
        first, last = min(r.at for r in group), max(r.at for r in group)
        outcome = "partly_failed" if counts["failed"] and counts["success"] else "failed" if counts["failed"] else "completed"
        marks = [first, last, len(group)] if sync_id == "big" else [None, None, None]
        numbers = [len(group), len(group), counts["success"], counts["failed"], counts["skipped"]]
        rows.append([attempt, snapshot, tenant, direction, sync_id, ["customers"], first, last, *marks, *numbers, outcome])
    _insert(database, "published_syncs", _SYNC_COLUMNS, rows)


def _days(database: Database, attempt: str, snapshot: int, results: list[Result]) -> None:
    counts = Counter((r.tenant, r.direction, r.at.date(), r.status) for r in results)
    rows = [
        [attempt, snapshot, tenant, direction, day, *(counts[tenant, direction, day, s] for s in STATUSES)]
        for tenant, direction, day in {key[:3] for key in counts}
    ]
    _insert(database, "published_days", _DAY_COLUMNS, rows)


STATUSES = ("success", "failed", "skipped")


def _records(database: Database, seed: Seed) -> None:
    """The rows of store: also a later copy of each record of `big`, and one that came after the cut."""
    rows = [_record(n, r) for n, r in enumerate(seed.results)]
    big = [r for r in seed.results if r.sync_id == "big"]
    rows += [_record(5_000 + n, replace(r, name="a later copy", received=CUT - DAY / 4)) for n, r in enumerate(big)]
    rows.append(_record(2_000_000, Result("big", 9_999, "failed", CUT, name="beyond the cut", reason="rate_limited")))
    _insert(database, SYNC_RECORDS.table, SYNC_RECORDS.names, rows)


def _record(offset: int, r: Result) -> list[Any]:
    codes, messages, fields = ([e[i] for e in r.errors] for i in range(3))
    head = [r.event_id, r.tenant, r.direction, r.sync_id, "customers", f"r{r.number}", r.name, "", "create", r.status]
    errors = [r.reason, codes, messages, fields, [r.reason] * len(codes), 1]
    return [*head, *errors, r.at, 1, r.payload, [], r.received, TOPIC, 0, offset]


def _insert(database: Database, table: str, names: Any, rows: list[Any]) -> None:
    """With a token of its own: without one, equal rows would be taken for a copy of those before."""
    settings = {"insert_deduplication_token": uuid.uuid4().hex, "async_insert": 0}
    database.client.insert(table, rows, column_names=list(names), settings=settings)
