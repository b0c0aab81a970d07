"""Failed rows made by hand, as store and the publisher write them, on both sides of a cut."""

import datetime as dt
import uuid
from typing import Any

from streams import clock
from streams.clickhouse.client import Database

NOW = clock.now().replace(microsecond=0)
DAY = dt.timedelta(days=1)
CUT = 1_000
SHOWN, CRASHED = uuid.UUID(int=1), uuid.UUID(int=2)
Row = dict[str, Any]


def failed(sync: str, number: int, *errors: tuple[str, str], offset: int, tenant: str = "acme", **more: Any) -> Row:
    """A row of sync_records. An error is (message, reason)."""
    reasons = [reason for _, reason in errors]
    row: Row = {
        "event_id": uuid.uuid5(uuid.NAMESPACE_OID, f"{tenant} {sync} {number}"),
        "tenant_id": tenant,
        "direction": "books_to_fsm",
        "sync_id": sync,
        "module": "items",
        "status": "failed",
        "reason": min(reasons, key=lambda reason: reason == "unclassified", default=""),
        "error_codes": ["" for _ in errors],
        "error_messages": [message for message, _ in errors],
        "error_fields": ["" for _ in errors],
        "error_reasons": reasons,
        "occurred_at": NOW - 2 * DAY,
        "received_at": NOW - 2 * DAY + dt.timedelta(milliseconds=offset),
        "kafka_topic": "records",
        "kafka_partition": 0,
        "kafka_offset": offset,
    }
    return row | more


def published(row: Row, attempt: uuid.UUID = SHOWN, **more: Any) -> Row:
    return {"attempt_id": attempt, "snapshot": 1} | {k: v for k, v in row.items() if k != "status"} | more


def put(database: Database, table: str, *rows: Row) -> None:
    for row in rows:  # one by one: rows of one insert would be merged at once
        token = {"insert_deduplication_token": uuid.uuid4().hex}
        database.client.insert(table, [list(row.values())], column_names=list(row), settings=token)


def pointer(database: Database) -> None:
    row = {"number": 1, "attempts": [SHOWN], "cut": NOW - DAY, "kafka_topic": "records", "cuts": {0: CUT}}
    put(database, "snapshots", row | {"published_at": NOW - DAY, "next_at": NOW + DAY})
