"""A tenant's failures that were not recognised, grouped by the template of their first error: a page, and as JSON.

They are the unclassified failures of the snapshot, so their numbers add up to its CSV. Grouping reads a bounded number
of different texts, the most frequent first; what is beyond is counted as not grouped, and is in the CSV as well.
"""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from schemas.directions import DIRECTIONS, Direction
from schemas.reasons import UNCLASSIFIED
from streams.classify.grouping import Group, Grouping
from streams.clickhouse.queries.published import Failures
from streams.clickhouse.queries.unknown import first_errors
from streams.web import present, words
from streams.web.api import Limit, json, next_cursor
from streams.web.downloads import Period
from streams.web.present import Item
from streams.web.site import CursorText, InDirection, Read, Reading, known_direction

MOST_TEXTS = 50_000
_MOST_WEIGHT = 16 << 20  # bytes of templates and samples in one request
_TEMPLATES_A_PAGE = 50


@dataclass
class Grouped:
    """The groups, all records they are of, and how many of these are in none."""

    groups: list[Group] = field(default_factory=list)
    records: int = 0

    @property
    def ungrouped(self) -> int:
        return self.records - sum(group.records for group in self.groups)


def _asked(direction: str = next(iter(DIRECTIONS))) -> Direction:
    return known_direction(direction)


def page(
    direction: Annotated[Direction, Depends(_asked)], reading: Read, period: Period = "62d", cursor: CursorText = None
) -> Response:
    """The templates of a direction and period, those of most records first."""
    if reading.pointer is None:
        return reading.page("nothing_yet.html", direction=direction)
    grouped = _grouped(reading, direction, period)
    listing = _listing(direction, period)
    rows = _rows(reading, grouped, listing, _TEMPLATES_A_PAGE, cursor)
    return reading.page(
        "unknown.html",
        direction=direction,
        reconciliation=words.reconciliation(reading.pointer),
        period=period,
        records=grouped.records,
        ungrouped=grouped.ungrouped,
        templates=len(grouped.groups),
        rows=rows[:_TEMPLATES_A_PAGE],
        cursor=cursor,
        next=next_cursor(reading, listing, rows, _TEMPLATES_A_PAGE, _key),
    )


def api(
    direction: InDirection, reading: Read, period: Period = "62d", limit: Limit = 100, cursor: CursorText = None
) -> Response:
    """The same as a list, with `records` (all of them) and `ungrouped` beside it."""
    grouped = _grouped(reading, direction, period)
    listing = _listing(direction, period)
    rows = _rows(reading, grouped, listing, limit, cursor)
    return json(
        {
            "snapshot": present.snapshot_item(reading.pointer),
            "records": grouped.records,
            "ungrouped": grouped.ungrouped,
            "items": [present.template_item(row["group"]) for row in rows[:limit]],
            "next": next_cursor(reading, listing, rows, limit, _key),
        }
    )


def _grouped(reading: Reading, direction: Direction, period: str) -> Grouped:
    scope = reading.scope(direction)
    if scope is None:
        return Grouped()
    failures = Failures(scope, since=scope.pointer.since(period), reason=UNCLASSIFIED)
    grouping = Grouping(most=MOST_TEXTS, weight=_MOST_WEIGHT)
    for block in first_errors(reading.database, failures, MOST_TEXTS):
        for code, message, records, first_ms, last_ms in block:
            grouping.add(code, message, first_ms, last_ms, records)
    return Grouped(grouping.ranked(), failures.count(reading.database))


def _listing(direction: Direction, period: str) -> list[str | None]:
    return ["unknown", direction.code, period]


def _rows(
    reading: Reading, grouped: Grouped, listing: list[str | None], limit: int, cursor: str | None
) -> list[Item]:  # fmt: skip
    """At most `limit` groups behind the cursor, and one more. A snapshot's groups always stand in the same order."""
    after = reading.site.cursors.after(cursor, reading.tenant, listing)
    first = int(after[0]) if after else 0
    groups = grouped.groups[first : first + limit + 1]
    return [{"number": first + place, "group": group} for place, group in enumerate(groups, 1)]


def _key(row: Item) -> list[int]:
    return [row["number"]]
