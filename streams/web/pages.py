"""The pages for people: a direction with its overview, one sync, the reasons, and the setting that links to them.

Handlers ask the named queries and hand the rows to a template; what a number means and where its file is, is decided in
`words` and `present`. Every page works without the script.
"""

from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from schemas.directions import DIRECTIONS
from schemas.reasons import CATALOGUE
from streams.clickhouse.queries import published
from streams.clickhouse.queries.published import Failures, Scope
from streams.web import present, words
from streams.web.api import next_cursor, sync_key, sync_rows, syncs_listing
from streams.web.downloads import Period, no_such_sync
from streams.web.site import CursorText, InDirection, Read, Site, site_of

_SYNCS_A_PAGE = 25
_RECORDS_A_PAGE = 50
ThisSite = Annotated[Site, Depends(site_of)]


def home() -> Response:
    """To the first direction."""
    return RedirectResponse(words.direction_path(next(iter(DIRECTIONS))), 303)


def direction_page(
    direction: InDirection, reading: Read, period: Period = "62d", cursor: CursorText = None
) -> Response:
    """Banner, two months by day and status, failures by reason, Sync Overview, refused messages."""
    scope = reading.scope(direction)
    if scope is None:
        return reading.page("nothing_yet.html", direction=direction)
    database, pointer = reading.database, scope.pointer
    two_months = pointer.since("62d")
    days = present.day_items(published.days(database, scope, two_months), two_months, pointer.cut)
    listing = syncs_listing(direction.code, "26w")
    rows = sync_rows(reading, direction, listing, "26w", _SYNCS_A_PAGE, cursor)
    by_reason = Failures(scope, since=pointer.since(period)).by_reason(database)
    return reading.page(
        "direction.html",
        direction=direction,
        reconciliation=words.reconciliation(pointer),
        days=days,
        totals=present.totals(days),
        bars=present.bars(days),
        period=period,
        reasons=[present.reason_item(row) for row in by_reason],
        syncs=rows[:_SYNCS_A_PAGE],
        cursor=cursor,
        next=next_cursor(reading, listing, rows, _SYNCS_A_PAGE, sync_key),
        dead_letters=published.dead_letters(database, pointer, reading.tenant),
    )


def sync_page(direction: InDirection, sync_id: str, reading: Read, cursor: CursorText = None) -> Response:
    """One sync: its counts, its failures by reason, its records."""
    scope = reading.scope(direction)
    sync = published.sync(reading.database, scope, sync_id) if scope else None
    if scope is None or sync is None:
        raise no_such_sync(sync_id)
    listing: list[str | None] = ["records", direction.code, sync_id]
    after = reading.site.cursors.after(cursor, reading.tenant, listing)
    behind = (int(after[0]), str(after[1])) if after else None
    rows = published.records(reading.database, scope, sync, _RECORDS_A_PAGE + 1, behind)
    key = ("occurred_ms", "event")
    return reading.page(
        "sync.html",
        direction=direction,
        reconciliation=words.reconciliation(scope.pointer),
        sync=sync,
        reasons=_reasons_of(reading, scope, sync_id),
        records=rows[:_RECORDS_A_PAGE],
        cursor=cursor,
        next=next_cursor(reading, listing, rows, _RECORDS_A_PAGE, lambda row: [row[name] for name in key]),
    )


def _reasons_of(reading: Read, scope: Scope, sync_id: str) -> list[present.Item]:
    rows = Failures(scope, sync_id=sync_id).by_reason(reading.database)
    return [present.reason_item(row) for row in rows]


def sync_errors(request: Request, site: ThisSite) -> Response:
    """Every reason: what it means, who fixes it, how, and whether a retry helps."""
    return site.page("sync_errors.html", tenant=request.state.tenant, catalogue=CATALOGUE)


def sync_setting(reading: Read) -> Response:
    """The Sync Setting page, whose section Sync Log Details leads here; one section for each pair in use."""
    used = published.directions_in_use(reading.database, reading.pointer, reading.tenant) if reading.pointer else set()
    first_of_pair = {direction.pair: direction for direction in reversed(DIRECTIONS.values())}
    in_use = {DIRECTIONS[code].pair for code in used if code in DIRECTIONS} | {min(first_of_pair)}
    pairs = [first_of_pair[pair] for pair in sorted(in_use)]
    return reading.page("sync_setting.html", pairs=pairs)
