"""The CSV files of failed records: streamed without a row limit, and broken off where they can't be completed.

The count in `X-Row-Count` and the rows come from the same `Failures`. A file whose connection was cut is seen as broken
by every client; an error text inside a file, or a file that just ends early, would be taken for all there is.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Annotated, Any, Literal

from fastapi import Query
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from schemas.directions import Direction
from schemas.reasons import CATALOGUE
from streams import metrics
from streams.clickhouse.queries import published
from streams.clickhouse.queries.published import Failures
from streams.errors import StoreRefused, StoreUnavailable
from streams.logs import log
from streams.web.failures import COLUMNS, as_csv, flat
from streams.web.problems import Problem
from streams.web.site import InDirection, Read, Reading

ReasonCode = Annotated[str | None, Query(min_length=1, max_length=64)]
Period = Literal["62d", "26w"]


class BrokenOff(Exception):
    """A download can't be completed: its connection must be cut. `observe` does it."""


def of_direction(direction: InDirection, reading: Read, reason: ReasonCode = None, period: Period = "62d") -> Response:
    """The failed records of a period, of one reason where it is given."""
    if reading.pointer is None:
        return _nothing(direction, reason)
    scope = published.Scope(reading.pointer, reading.tenant, direction.code)
    failures = Failures(scope, since=reading.pointer.since(period), reason=reason)
    return _download(reading, failures, _file_name(direction, reading, period, reason))


def of_sync(direction: InDirection, sync_id: str, reading: Read, reason: ReasonCode = None) -> Response:
    """The failed records of a sync, of one reason where it is given."""
    scope = reading.scope(direction)
    if scope is None or published.sync(reading.database, scope, sync_id) is None:
        raise no_such_sync(sync_id)
    failures = Failures(scope, sync_id=sync_id, reason=reason)
    return _download(reading, failures, _file_name(direction, reading, sync_id, reason))


def no_such_sync(sync_id: str) -> Problem:
    """The same for another tenant's sync as for one that never was: nobody learns which IDs others have."""
    return Problem(404, "No such sync", f"There is no sync {sync_id!r} in the published sync logs of this direction.")


def _download(reading: Reading, failures: Failures, name: str) -> Response:
    count = failures.count(reading.database)
    if not count:
        _known_reason(failures.reason)
    log("web").info("csv_downloaded", tenant=reading.tenant, file=name, rows=count)
    return Download(count, failures.stream(reading.database), name)


def _nothing(direction: Direction, reason: str | None) -> Response:
    _known_reason(reason)
    return Download(0, iter(()), f"failed-{direction.code}.csv")


def _known_reason(reason: str | None) -> None:
    """A reason without rows must at least be in the catalogue; rows of an older catalogue may have others."""
    if reason is not None and reason not in CATALOGUE.by_code:
        detail = f"reason is {reason!r}, which is not in the catalogue."
        raise Problem(404, "No such reason", detail, link="/sync-errors")


def _file_name(direction: Direction, reading: Reading, of: str, reason: str | None) -> str:
    """In letters that every system and header takes; a sync's ID may hold any."""
    assert reading.pointer is not None
    parts = ["failed", direction.code, of, *([reason] if reason else []), f"snapshot-{reading.pointer.number}"]
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", "-".join(parts)) + ".csv"


class Download(StreamingResponse):
    """`rows` as a CSV file. Holds one block in memory; the query ends with the connection."""

    def __init__(self, count: int, rows: Iterator[Sequence[tuple[Any, ...]]], name: str) -> None:
        self._rows = rows
        self._count = count
        headers = {
            "X-Row-Count": str(count),
            "Content-Disposition": f'attachment; filename="{name}"',
        }
        super().__init__(self._body(), headers=headers, media_type="text/csv; charset=utf-8; header=present")

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            # A reader that went away leaves the query open until then.
            close = getattr(self._rows, "close", None)
            if close is not None:
                await asyncio.to_thread(close)

    async def _body(self) -> AsyncIterator[bytes]:
        yield as_csv([COLUMNS])
        sent = 0
        try:
            while (block := await asyncio.to_thread(self._next_block)) is not None:
                lines, rows = block
                sent += rows
                metrics.CSV_ROWS.inc(rows)
                yield lines
        except (StoreUnavailable, StoreRefused) as error:
            raise BrokenOff(str(error)) from error
        if sent != self._count:
            raise BrokenOff(f"{sent} rows were there of {self._count}")

    def _next_block(self) -> tuple[bytes, int] | None:
        rows = next(self._rows, None)
        return None if rows is None else (as_csv(flat(row) for row in rows), len(rows))
