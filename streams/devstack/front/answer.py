"""Runs one request on the engine: an INSERT whose data streams in, a SELECT that streams out, or any other statement
as a whole. In comes a Request, out goes an Answer; an error of the statement is an answer too, with ClickHouse's
number in X-ClickHouse-Exception-Code.
"""

import json
import secrets
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from http import HTTPStatus
from itertools import chain
from typing import Any

from chdb import ChdbError

from streams.devstack.front.compression import BadEncoding
from streams.devstack.front.engine import Engine, QueryFailed, query_failed
from streams.devstack.front.request import Answer, Request, read_statement
from streams.devstack.front.select import Stream, can_stream
from streams.devstack.front.statement import InsertHead, output_format

# ClickHouse's own table of numbers and statuses; what is missing here is 500 there too.
_STATUS = {
    403: (164, 192, 193, 291, 492, 497, 516),
    404: (16, 36, 46, 47, 50, 60, 81, 115),
    400: (6, 26, 27, 33, 38, 41, 43, 44, 53, 62, 69, 70, 72, 117, 130, 320, 386, 456, 457),
    408: (159,),
    413: (223, 396),
    501: (48,),
    503: (202, 209, 439, 745),
}
_STATUS_OF_CODE = {code: status for status, codes in _STATUS.items() for code in codes}


def answer(engine: Engine, request: Request) -> Answer:
    """Runs the request's statement to its first byte. A body that breaks off raises ConnectionError: nobody listens."""
    headers = {
        "X-ClickHouse-Query-Id": request.params.get("query_id") or str(uuid.uuid4()),
        "X-ClickHouse-Timezone": "UTC",
        "X-ClickHouse-Server-Display-Name": "chdb",
    }
    try:
        return _run(engine, request, headers)
    except BadEncoding as error:
        return failed(QueryFailed(117, f"Code: 117. DB::Exception: {error}. (INCORRECT_DATA)"), headers)
    except QueryFailed as error:
        return failed(error, headers)


def failed(error: QueryFailed, headers: dict[str, str]) -> Answer:
    """The answer that tells `error`."""
    status = _STATUS_OF_CODE.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)
    return Answer(status, {**headers, "X-ClickHouse-Exception-Code": str(error.code)}, iter((f"{error}\n".encode(),)))


def _run(engine: Engine, request: Request, headers: dict[str, str]) -> Answer:
    if request.headers.get("content-type", "").startswith("multipart/"):
        raise QueryFailed(48, "Code: 48. DB::Exception: multipart bodies are not supported here. (NOT_IMPLEMENTED)")
    pieces = request.plain_body()
    raw, head = read_statement(request.params.get("query", "").encode(), pieces)
    with ExitStack() as closing:
        connection = engine.connect(request.params.get("database"), request.settings, request.readonly)
        closing.callback(connection.close)
        if head is not None:
            data = chain((raw[head.data_start :],), pieces)
            headers["X-ClickHouse-Summary"] = json.dumps(_insert(connection, head, data))
            return Answer(HTTPStatus.OK, headers)
        text = _decoded(raw)
        form = headers["X-ClickHouse-Format"] = output_format(raw) or request.default_format()
        if can_stream(raw, form):
            tag = headers["X-ClickHouse-Exception-Tag"] = secrets.token_hex(8)
            stream = Stream(connection, text, form, request.bound, tag)
            closing.pop_all()  # the stream closes the connection from here on
            return Answer(HTTPStatus.OK, headers, stream)
        return Answer(HTTPStatus.OK, headers, iter((_whole(connection, text, form, request.bound),)))


def _insert(connection: Any, head: InsertHead, data: Iterator[bytes]) -> dict[str, str]:
    """Streams `data` into the INSERT; nothing is committed where the body breaks off."""
    before = _errors(connection)
    try:
        inserter = connection.send_insert(_decoded(head.text), head.format)
    except RuntimeError as error:
        raise query_failed(error) from None
    try:
        for piece in data:
            if piece:
                inserter.append(piece)
        done = inserter.finish()
    except RuntimeError as error:
        raise query_failed(error) from None
    finally:
        inserter.cancel()
    _look_for_errors(before, _errors(connection))
    return {"written_rows": str(done.rows_written), "written_bytes": str(done.bytes_written)}


_CAUGHT_BY_THE_ENGINE = (48, 53, 696)
"""NOT_IMPLEMENTED, TYPE_MISMATCH, ASYNC_LOAD_CANCELED: met in the planning and reading of a SELECT, which goes on
without what it tried. An INSERT that meets one at its head or in its data reports it by itself; in writing rows it
can't meet one where no view and no constraint computes anything from them."""

_Errors = dict[int, tuple[int, bool, str, str]]


def _errors(connection: Any) -> _Errors:
    """Of each error code: how often the engine met it, whether last in a statement of ours, its name and text."""
    asked = "SELECT code, value, query_id = query_id() AS mine, name, last_error_message AS text FROM system.errors"
    try:
        lines = bytes(connection.query(f"{asked} WHERE NOT remote", "JSONCompactEachRow").bytes()).splitlines()
    except (ChdbError, RuntimeError) as error:
        raise query_failed(error) from None
    return {int(code): (int(value), bool(mine), name, text) for code, value, mine, name, text in map(json.loads, lines)}


def _look_for_errors(before: _Errors, after: _Errors) -> None:
    """QueryFailed where the engine met an error during an INSERT, as it may and yet report rows as written: no space
    left, too many parts, a constraint. Whoever believed it would lose them.

    Only the last statement of each error is known. Where another's may hide one of ours, and the error is none that the
    engine meets in the SELECTs of others all day, the status is unknown, and sending the same block again is harmless.
    """
    for code, (value, mine, name, text) in after.items():
        met = value - before[code][0] if code in before else value
        if met and mine:
            raise QueryFailed(code, f"Code: {code}. DB::Exception: {text}. ({name})")
        if met > 1 and code not in _CAUGHT_BY_THE_ENGINE:
            raise QueryFailed(319, f"Code: 319. DB::Exception: Met {name} meanwhile. (UNKNOWN_STATUS_OF_INSERT)")


def _whole(connection: Any, text: str, form: str, bound: dict[str, str]) -> bytes:
    try:
        return bytes(connection.query(text, form, params=bound).bytes())
    except (ChdbError, RuntimeError) as error:
        raise query_failed(error) from None


def _decoded(statement: bytes) -> str:
    try:
        return statement.decode()
    except UnicodeDecodeError as error:
        raise QueryFailed(62, f"Code: 62. DB::Exception: the statement is not UTF-8: {error}. (SYNTAX_ERROR)") from None
