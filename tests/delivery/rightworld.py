"""A small world in which all is right, written down by hand: for planting defects in it.

Two partitions, two tenants, three syncs with marks, a bad message, a result that was sent twice, one that was sent
again with a time in another week, and one too old for the live counts. No number here is computed
by what the checkers use.
"""

import json
import uuid
from typing import Any

from streams.kafka.partition import Position
from tests.delivery.facts import DeadRow, Failure, LiveRow, Message, Row, Snapshot, SyncCounts
from tests.delivery.ledger import Outcome, Sent
from tests.delivery.sampler import Sample
from tests.delivery.views import File, Reach, View
from tests.delivery.world import World

NOW = 1_795_435_200_000  # Monday 2026-11-23 12:00 UTC
MINUTE, DAY = 60_000, 86_400_000
HOUR = NOW - 120 * MINUTE
"""The hour in which most of it occurred; all of it arrived at NOW - 30 minutes or later."""
EARLIER, LATE = HOUR - 8 * DAY, HOUR - 20 * DAY
BOOKS = "books_to_fsm"
PASSWORD = "a-password-of-the-store"
_ARRIVED = NOW - 30 * MINUTE


def _id(letter: str) -> str:
    return str(uuid.UUID(letter * 32))


A, B, C, D, E, F = (_id(letter) for letter in "abcdef")
START, END = _id("1"), _id("2")


def _event(event_id: str, tenant: str, sync: str, occurred: int, **more: Any) -> bytes:
    moment = f"2026-11-{23 - (HOUR // DAY - occurred // DAY):02d}T10:{occurred // MINUTE % 60:02d}:00.000Z"
    plain = {"event_id": event_id, "tenant_id": tenant, "direction": BOOKS, "sync_id": sync, "occurred_at": moment}
    return json.dumps(plain | more).encode()


def _record(event_id: str, tenant: str, sync: str, occurred: int, status: str, record: str) -> bytes:
    errors = [{"code": "c", "message": "The mandatory field Last Name was left empty", "field": "last_name"}]
    more = {"errors": errors, "payload": {"Last Name": "", "Company": "Acme Incorporated"}}
    return _event(
        event_id, tenant, sync, occurred, module="customers", record_id=record, operation="create", status=status,
        **(more if status == "failed" else {}),
    )  # fmt: skip


_B = _record(B, "T1", "S1", HOUR + MINUTE, "failed", "r2")
_BAD = b'{"marker":"bad-1-0-", broken'
_SENT: list[tuple[str, int, bytes]] = [
    (A, 0, _record(A, "T1", "S1", HOUR, "success", "r1")),
    (B, 0, _B),
    ("bad-1-0-", 0, _BAD),
    (C, 0, _record(C, "T2", "S2", HOUR + MINUTE, "success", "r1")),
    (B, 0, _B),
    (D, 0, _record(D, "T1", "S3", LATE, "failed", "r9")),
    (START, 1, _event(START, "T1", "S1", HOUR, type="sync_started")),
    (E, 1, _record(E, "T1", "S1", HOUR + 2 * MINUTE, "skipped", "r3")),
    (F, 1, _record(F, "T2", "S2", HOUR + 3 * MINUTE, "success", "r2")),
    (F, 1, _record(F, "T2", "S2", EARLIER, "success", "r2")),
    (END, 1, _event(END, "T1", "S1", HOUR + 4 * MINUTE, type="sync_finished", records_total=3)),
]


def right_entries() -> list[Sent]:
    return [
        Sent(event_id, b"k", value, (("trace", b"1"),), partition, Outcome.ACKNOWLEDGED, value is not _BAD)
        for event_id, partition, value in _SENT
    ]


def right_samples() -> list[Sample]:
    return [
        Sample(0, 0, 3, frozenset({0, 1, 2})),
        Sample(0, 3, 6, frozenset({3, 5})),  # a merge has united 4 with 1
        Sample(1, 0, 5, frozenset(range(5))),
    ]


def _log(partition: int) -> list[Message]:
    values = [value for _, where, value in _SENT if where == partition]
    return [Message(partition, n, _ARRIVED + n, b"k", value, (("trace", b"1"),)) for n, value in enumerate(values)]


def _row(event_id: str, tenant: str, sync: str, status: str, record: str, occurred: int, *place: int) -> Row:
    partition, offset = place
    reason = "mandatory_field_empty" if status == "failed" else ""
    return Row(
        event_id, tenant, BOOKS, sync, status, reason, ("customers", record), occurred, _ARRIVED + offset, *place
    )


def _mark(event_id: str, kind: str, total: int, occurred: int, offset: int) -> Row:
    return Row(event_id, "T1", BOOKS, "S1", kind, "", ("", str(total)), occurred, _ARRIVED + offset, 1, offset)


def _live(hour: int, partition: int, tenant: str, sync: str, status: str, records: int) -> LiveRow:
    reason = "mandatory_field_empty" if status == "failed" else ""
    return LiveRow(hour, partition, tenant, BOOKS, sync, status, reason, records, 6 if partition == 0 else 5)


def _letter() -> Message:
    headers = (
        ("trace", b"1"), ("__connect.errors.topic", b"records"), ("__connect.errors.partition", b"0"),
        ("__connect.errors.offset", b"2"), ("__connect.errors.exception.class.name", b"invalid_json"),
    )  # fmt: skip
    return Message(0, 0, _ARRIVED + 2, b"k", _BAD, headers)


def right_snapshot() -> Snapshot:
    return Snapshot(
        number=3, cut=NOW, cuts={0: 6, 1: 5}, totals=(3, 4, 2, 1), reconciliation="differs", difference=1,
        syncs={
            ("T1", BOOKS, "S1"): SyncCounts(3, 1, 1, 1, 3, HOUR, HOUR + 4 * MINUTE, 3, "partly_failed"),
            ("T2", BOOKS, "S2"): SyncCounts(3, 3, 0, 0, 2, EARLIER, HOUR + 3 * MINUTE, None, "completed"),
            ("T1", BOOKS, "S3"): SyncCounts(1, 0, 1, 0, 1, LATE, LATE, None, "failed"),
        },
        days={
            ("T1", BOOKS, "2026-11-23"): (1, 1, 1), ("T1", BOOKS, "2026-11-03"): (0, 1, 0),
            ("T2", BOOKS, "2026-11-23"): (2, 0, 0), ("T2", BOOKS, "2026-11-15"): (1, 0, 0),
        },
        failures=[
            Failure("T1", BOOKS, "S1", B, "mandatory_field_empty", HOUR + MINUTE, 0, 1),
            Failure("T1", BOOKS, "S3", D, "mandatory_field_empty", LATE, 0, 5),
        ],
    )  # fmt: skip


def _views() -> dict[str, View]:
    first, second = {(BOOKS, "S1"): (3, 1, 1, 1), (BOOKS, "S3"): (1, 0, 1, 0)}, {(BOOKS, "S2"): (3, 3, 0, 0)}
    files = {(BOOKS, "S1"): File(1, [B]), (BOOKS, "S3"): File(1, [D])}
    return {
        "T1": View({3}, dict(first), dict(first), files),
        "T2": View({3}, dict(second), dict(second), {(BOOKS, "S2"): File(0, [])}),
    }


STORE_METRICS = """# HELP synclogs_records_consumed_total Messages
synclogs_records_consumed_total{worker="store"} 11.0
synclogs_rows_stored_total{table="sync_records"} 8.0
synclogs_rows_stored_total{table="sync_marks"} 2.0
synclogs_rows_stored_total{table="dead_letters"} 1.0
synclogs_records_dead_lettered_total{code="invalid_json"} 1.0
synclogs_lag_records{partition="0",topic="records",worker="store"} 0.0
"""
COUNT_METRICS = """synclogs_records_consumed_total{worker="count"} 11.0
synclogs_records_counted_total{direction="books_to_fsm",status="success"} 4.0
synclogs_records_counted_total{direction="books_to_fsm",status="failed"} 2.0
synclogs_records_counted_total{direction="books_to_fsm",status="skipped"} 1.0
synclogs_late_total 1.0
"""


def right_world() -> World:
    final = [
        _row(A, "T1", "S1", "success", "r1", HOUR, 0, 0), _row(B, "T1", "S1", "failed", "r2", HOUR + MINUTE, 0, 1),
        _row(C, "T2", "S2", "success", "r1", HOUR + MINUTE, 0, 3), _row(D, "T1", "S3", "failed", "r9", LATE, 0, 5),
        _row(E, "T1", "S1", "skipped", "r3", HOUR + 2 * MINUTE, 1, 1),
        _row(F, "T2", "S2", "success", "r2", HOUR + 3 * MINUTE, 1, 2),
        _row(F, "T2", "S2", "success", "r2", EARLIER, 1, 3),
    ]  # fmt: skip
    return World(
        log={0: _log(0), 1: _log(1)}, begins={0: 0, 1: 0}, ends={0: 6, 1: 5}, letters=[_letter()],
        store_positions={0: Position(6, "e0"), 1: Position(5, "e1")},
        count_positions={0: Position(6), 1: Position(5)},
        rows=[*final, _row(B, "T1", "S1", "failed", "r2", HOUR + MINUTE, 0, 4)], final=final,
        marks=[_mark(START, "sync_started", 0, HOUR, 0), _mark(END, "sync_finished", 3, HOUR + 4 * MINUTE, 4)],
        dead_rows=[DeadRow("", "invalid_json", _ARRIVED + 2, 0, 2)],
        live=[
            _live(HOUR, 0, "T1", "S1", "success", 1), _live(HOUR, 0, "T1", "S1", "failed", 2),
            _live(HOUR, 0, "T2", "S2", "success", 1), _live(HOUR, 1, "T1", "S1", "skipped", 1),
            _live(HOUR, 1, "T2", "S2", "success", 1), _live(EARLIER, 1, "T2", "S2", "success", 1),
        ],
        live_positions={0: 6, 1: 5}, now=NOW, snapshot=right_snapshot(), views=_views(),
        reaches=[Reach("T1", "T2", "/sync-logs/books_to_fsm/syncs/S2", 404)],
        metrics={"store-1": STORE_METRICS, "count-1": COUNT_METRICS}, ready={"store-1": "ready\n"},
        logs={"store-1": '{"event": "partition_opened", "partition": 0, "position": 0}\n'},
    )  # fmt: skip
