"""The API: the published view as JSON. The same rows as on the pages, from the same queries.

Lists answer `snapshot`, `items` and `next`: a cursor for the items behind, or null. Before the first publication the
snapshot is null and every list is empty.
"""

from collections.abc import Callable
from typing import Annotated, Any

import orjson
from fastapi import Query
from starlette.responses import Response

from schemas.directions import Direction
from streams.clickhouse.queries import published
from streams.clickhouse.queries.published import Failures
from streams.web import present
from streams.web.downloads import Period, ReasonCode, no_such_sync
from streams.web.failures import COLUMNS, flat
from streams.web.present import Item
from streams.web.site import CursorText, InDirection, Read, Reading

Limit = Annotated[int, Query(ge=1, le=1_000)]
_FAILURE_KEYS = (
    *("event", "sync_id", "module", "record_id", "record_name", "operation", "occurred_ms", "reason", "error_codes"),
    *("error_messages", "error_fields", "attempt", "target_id", "truncated", "payload"),
)


def json(value: Any) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")


def _list(
    reading: Reading, listing: list[str | None], rows: list[Item], limit: int, key: Callable[[Item], list[Any]],
    item: Callable[[Item], Item],
) -> Response:  # fmt: skip
    """The answer of a list: `rows` has one more than `limit` where there are more; `key` is where a row stands."""
    cursor = next_cursor(reading, listing, rows, limit, key)
    items = [item(row) for row in rows[:limit]]
    return json({"snapshot": present.snapshot_item(reading.pointer), "items": items, "next": cursor})


def next_cursor(
    reading: Reading, listing: list[str | None], rows: list[Item], limit: int, key: Callable[[Item], list[Any]]
) -> str | None:
    """The cursor behind the `limit` first rows, None when there are no more."""
    if len(rows) <= limit or reading.pointer is None:
        return None
    return reading.site.cursors.make(reading.pointer.number, reading.tenant, listing, key(rows[limit - 1]))


def summary(direction: InDirection, reading: Read, period: Period = "62d") -> Response:
    """A period's counts by day and status, their totals, and what the tenant sent that was no event."""
    pointer, scope = reading.pointer, reading.scope(direction)
    days: list[Item] = []
    letters: list[Item] = []
    if pointer is not None and scope is not None:
        since = pointer.since(period)
        days = present.day_items(published.days(reading.database, scope, since), since, pointer.cut)
        letters = published.dead_letters(reading.database, pointer, reading.tenant)
    return json(
        {
            "snapshot": present.snapshot_item(pointer),
            "direction": direction.code,
            "title": direction.title,
            "period": period,
            "reconciliation": pointer.reconciliation if pointer else None,
            "difference": pointer.difference if pointer else None,
            "totals": present.totals(days),
            "days": days,
            "dead_letters": letters,
        }
    )


def syncs(
    direction: InDirection, reading: Read, period: Period = "26w", limit: Limit = 100, cursor: CursorText = None
) -> Response:
    """The syncs that began in the period, newest first."""
    listing = syncs_listing(direction.code, period)
    rows = sync_rows(reading, direction, listing, period, limit, cursor)
    failed = [row["sync_id"] for row in rows[:limit] if row["failed"]]
    scope = reading.scope(direction)
    reasons = published.reasons_of_syncs(reading.database, scope, failed) if scope and failed else {}
    return _list(
        reading, listing, rows, limit, sync_key, lambda row: present.sync_item(row, reasons.get(row["sync_id"], []))
    )


def syncs_listing(direction: str, period: str) -> list[str | None]:
    return ["syncs", direction, period]


def sync_key(row: Item) -> list[Any]:
    return [row["first_ms"], row["sync_id"]]


def sync_rows(
    reading: Reading, direction: Direction, listing: list[str | None], period: str, limit: int, cursor: str | None
) -> list[Item]:
    """At most `limit` syncs of the period behind the cursor, and one more where there are more."""
    after = reading.site.cursors.after(cursor, reading.tenant, listing)
    scope = reading.scope(direction)
    if scope is None:
        return []
    behind = (int(after[0]), str(after[1])) if after else None
    return published.syncs(reading.database, scope, scope.pointer.since(period), limit + 1, behind)


def sync(direction: InDirection, sync_id: str, reading: Read) -> Response:
    """One sync: the item of the list, with the snapshot beside it."""
    scope = reading.scope(direction)
    row = published.sync(reading.database, scope, sync_id) if scope else None
    if scope is None or row is None:
        raise no_such_sync(sync_id)
    reasons = published.reasons_of_syncs(reading.database, scope, [sync_id])[sync_id]
    return json({"snapshot": present.snapshot_item(reading.pointer), **present.sync_item(row, reasons)})


def reasons(
    direction: InDirection, reading: Read, period: Period = "62d", limit: Limit = 100, cursor: CursorText = None
) -> Response:
    """The failures of the period by reason, the most frequent first."""
    listing: list[str | None] = ["reasons", direction.code, period]
    after = reading.site.cursors.after(cursor, reading.tenant, listing)
    scope = reading.scope(direction)
    rows = Failures(scope, since=scope.pointer.since(period)).by_reason(reading.database) if scope else []
    if after:
        rows = [row for row in rows if (-row["records"], row["reason"]) > (-int(after[0]), str(after[1]))]
    return _list(reading, listing, rows, limit, lambda row: [row["records"], row["reason"]], present.reason_item)


def failures(
    direction: InDirection, reading: Read, period: Period = "62d", reason: ReasonCode = None,
    sync_id: Annotated[str | None, Query(min_length=1, max_length=64)] = None, limit: Limit = 100,
    cursor: CursorText = None,
) -> Response:  # fmt: skip
    """The failed records of the period, or of a sync without a bound of time, in the CSV's order and columns."""
    listing = ["failures", direction.code, None if sync_id else period, reason, sync_id]
    after = reading.site.cursors.after(cursor, reading.tenant, listing)
    scope = reading.scope(direction)
    rows: list[Item] = []
    if scope is not None:
        since = None if sync_id else scope.pointer.since(period)
        behind = (str(after[0]), str(after[1]), int(after[2])) if after else None
        rows = Failures(scope, since, reason, sync_id, behind).page(reading.database, limit + 1)
    return _list(
        reading, listing, rows, limit, lambda row: [row["sync_id"], row["event"], row["occurred_ms"]], _failure_item
    )


def _failure_item(row: Item) -> Item:
    return dict(zip(COLUMNS, flat([row[key] for key in _FAILURE_KEYS]), strict=True))
