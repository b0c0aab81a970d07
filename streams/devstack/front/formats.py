"""Which answer formats can be streamed, and the two repairs that the engine's streams need.

The engine writes every chunk of a stream as a document of its own: formats with names repeat their header lines in
each chunk, and an empty result sends no chunk at all, not even the header that a client waits for.
"""

import re
from collections.abc import Callable, Iterator

# Header lines that each chunk repeats. All other formats (JSON, Parquet, ...) have brackets or footers: never streamed.
HEADER_LINES = {
    "Native": 0,
    "CSV": 0,
    "TSV": 0,
    "TabSeparated": 0,
    "TabSeparatedRaw": 0,
    "TSVRaw": 0,
    "RowBinary": 0,
    "JSONEachRow": 0,
    "JSONCompactEachRow": 0,
    "CSVWithNames": 1,
    "TSVWithNames": 1,
    "TabSeparatedWithNames": 1,
    "CSVWithNamesAndTypes": 2,
    "TSVWithNamesAndTypes": 2,
    "TabSeparatedWithNamesAndTypes": 2,
    "JSONCompactEachRowWithNames": 1,
    "JSONCompactEachRowWithNamesAndTypes": 2,
}

# A name in a CSV header may hold a line break; it is quoted then. The other formats escape theirs.
_HEADER_LINE = re.compile(rb'(?:"(?:[^"]|"")*"|[^"\n])*\n')


def without_header(chunk: bytes, lines: int) -> bytes:
    """The chunk behind its first `lines` header lines."""
    end = 0
    for _ in range(lines):
        line = _HEADER_LINE.match(chunk, end)
        end = line.end() if line else len(chunk)
    return chunk[end:]


def one_document(chunks: Iterator[bytes], format: str) -> Iterator[bytes]:
    """The chunks of one stream with the header lines of the first chunk only."""
    lines = HEADER_LINES[format]
    for number, chunk in enumerate(chunks):
        yield without_header(chunk, lines) if number and lines else chunk


def empty_native(columns: list[tuple[str, str]]) -> bytes:
    """A Native block of no rows, which tells the client the columns' names and types."""
    block = _varint(len(columns)) + _varint(0)
    for column in columns:
        for text in column:
            raw = text.encode()
            block += _varint(len(raw)) + raw
    return block


def empty_result(format: str, columns: Callable[[], list[tuple[str, str]]], whole: Callable[[], bytes]) -> bytes:
    """What a result without rows looks like in `format`: asks `columns` or `whole` (the unstreamed query) as needed."""
    if format == "Native":
        return empty_native(columns())
    return whole() if HEADER_LINES[format] else b""


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)
