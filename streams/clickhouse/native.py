"""Rows as blocks of ClickHouse's Native format: what the client would make of them, at half the cost for our columns.

Comes in: columns in the order of `schemas.rows`. Goes out: bytes; any number of blocks make an insert. Dictionaries and
arrays are written here by what Python does in C, all other types by the client.
"""

import struct
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import accumulate, chain
from operator import itemgetter
from typing import Any

from clickhouse_connect.datatypes.registry import get_from_name
from clickhouse_connect.driver.common import write_leb128
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.insert import InsertContext

from schemas.rows import TableColumns
from streams.errors import StoreRefused

Column = Sequence[Any]
Write = Callable[[Column, bytearray], None]

_ARRAY = "Array("
_LOW_CARDINALITY = "LowCardinality("
_DICTIONARY_VERSION = (1).to_bytes(8, "little")
_OWN_DICTIONARY = 1 << 9 | 1 << 10
"""A dictionary in each block, and keys that count from its beginning."""


def native_block(table: TableColumns, columns: Sequence[Column]) -> bytes:
    """One block of rows, of which there must be one at least.

    Rows that are encoded a few hundred at a time are encoded in the processor's cache, and take a fifth of the memory
    afterwards. StoreRefused for values that do not fit their columns.
    """
    block = bytearray()
    write_leb128(len(columns), block)
    write_leb128(len(columns[0]), block)
    try:
        for (head, write), column in zip(_encoding(table), columns, strict=True):
            block += head
            write(column, block)
    except (ClickHouseError, TypeError, ValueError, OverflowError, struct.error) as error:
        # Neither the text nor the cause: they quote the row.
        raise StoreRefused(f"a value that does not fit a column of {table.table}: {type(error).__name__}") from None
    return bytes(block)


@cache
def _encoding(table: TableColumns) -> tuple[tuple[bytes, Write], ...]:
    """For each column what stands before its values (name, type, version) and what writes them."""
    context = InsertContext(table.table, table.names, [])
    found = []
    for name, kind in zip(table.names, table.types, strict=True):
        head = bytearray()
        for text in (name.encode(), kind.encode()):
            write_leb128(len(text), head)
            head += text
        if _LOW_CARDINALITY in kind:
            head += _DICTIONARY_VERSION
        found.append((bytes(head), _writer(kind, context)))
    return tuple(found)


def _writer(kind: str, context: InsertContext) -> Write:
    if kind.startswith(_ARRAY):
        return _arrays(_writer(kind.removeprefix(_ARRAY)[:-1], context))
    if kind.startswith(_LOW_CARDINALITY):
        return _dictionary(_writer(kind.removeprefix(_LOW_CARDINALITY)[:-1], context))
    simple = get_from_name(kind)
    return lambda column, block: simple.write_column_data(column, block, context)


def _arrays(write_values: Write) -> Write:
    def write(column: Column, block: bytearray) -> None:
        if not any(column):
            block += bytes(8 * len(column))
            return
        block += _numbers("Q", accumulate(map(len, column)))
        write_values(list(chain.from_iterable(column)), block)

    return write


def _dictionary(write_values: Write) -> Write:
    def write(column: Column, block: bytearray) -> None:
        # A value that is met for the first time gets the next number, and all of it happens in C.
        keys: defaultdict[Any, int] = defaultdict()
        keys.default_factory = keys.__len__
        numbers = itemgetter(*column)(keys) if len(column) > 1 else (keys[column[0]],)
        width = 0 if len(keys) <= 1 << 8 else 1 if len(keys) <= 1 << 16 else 2
        block += struct.pack("<QQ", _OWN_DICTIONARY | width, len(keys))
        write_values(list(keys), block)
        block += struct.pack("<Q", len(column))
        block += _numbers("BHI"[width], numbers)

    return write


def _numbers(code: str, values: Iterable[int]) -> bytes:
    numbers = array(code, values)
    if _BIG_ENDIAN:
        numbers.byteswap()
    return numbers.tobytes()


_BIG_ENDIAN = struct.pack("=H", 1) != struct.pack("<H", 1)
