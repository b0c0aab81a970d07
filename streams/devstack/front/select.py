"""Streams a SELECT from the engine as the bytes of one answer. An error before the first byte is the engine's error;
one after it is BrokenOff, so that the transport leaves the answer visibly unfinished instead of short.
"""

import json
from collections.abc import Generator, Iterator
from typing import Any

from chdb import ChdbError

from streams.devstack.front.engine import QueryFailed, query_failed
from streams.devstack.front.formats import HEADER_LINES, empty_result, one_document
from streams.devstack.front.statement import first_word, without_format


class BrokenOff(Exception):
    """A stream failed after its first byte, for the reason `failure`."""

    def __init__(self, failure: QueryFailed, tag: str) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self._tag = tag

    def block(self) -> bytes:
        """What ClickHouse writes as the last bytes of such an answer; clients look for the tag of the header."""
        message = str(self.failure).encode() + b"\r\n"
        marker, tag = b"__exception__", self._tag.encode()
        size = str(len(message)).encode()
        return b"\r\n" + b"\r\n".join((marker, tag, message + size + b" " + tag, marker)) + b"\r\n"


class Stream(Iterator[bytes]):
    """The chunks of one SELECT. Closes its connection at the end, on an error, and by `close`."""

    def __init__(self, connection: Any, text: str, form: str, bound: dict[str, str], tag: str) -> None:
        """Runs the statement up to its first chunk; raises QueryFailed where that fails, and has closed then."""
        self._chunks: Generator[bytes, None, None] = _chunks(connection, text, form, bound, tag)
        self._first: bytes | None = next(self._chunks)

    def __next__(self) -> bytes:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return next(self._chunks)

    def close(self) -> None:
        """Cancels what still runs."""
        self._chunks.close()


def can_stream(statement: bytes, form: str) -> bool:
    """chDB streams nothing but SELECT, and formats with a footer cannot be cut into chunks."""
    return form in HEADER_LINES and first_word(statement) in ("SELECT", "WITH")


def _chunks(connection: Any, text: str, form: str, bound: dict[str, str], tag: str) -> Generator[bytes, None, None]:
    begun = False
    try:
        stream = connection.send_query(text, form, params=bound)
        try:
            for chunk in one_document((part.bytes() for part in stream), form):
                yield chunk
                begun = True
        finally:
            stream.close()
        if not begun:
            yield empty_result(
                form,
                columns=lambda: _columns(connection, text, bound),
                whole=lambda: connection.query(text, form, params=bound).bytes(),
            )
    except (ChdbError, RuntimeError) as error:
        failure = query_failed(error)
        raise (BrokenOff(failure, tag) if begun else failure) from None
    finally:
        connection.close()


def _columns(connection: Any, text: str, bound: dict[str, str]) -> list[tuple[str, str]]:
    described = f"DESCRIBE TABLE ({without_format(text.encode()).decode()}\n)"
    answer = json.loads(connection.query(described, "JSONCompact", params=bound).bytes())
    return [(row[0], row[1]) for row in answer["data"]]
