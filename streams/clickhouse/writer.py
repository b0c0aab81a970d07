"""Inserts that may be sent any number of times: each with a token, by columns, and our errors for the server's.

Rows come in as columns (`Writer.insert`) or as blocks encoded before (`native`, `Writer.insert_blocks`).
"""

import asyncio
import contextlib
import struct
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.compression import get_compressor
from clickhouse_connect.driver.exceptions import ClickHouseError

from schemas.rows import TableColumns
from streams import metrics
from streams.clickhouse.client import connect, translate
from streams.config import Settings
from streams.errors import Kind, StoreRefused

FIRST_DELAY = 0.1
LONGEST_DELAY = 5.0
"""Seconds before an insert is sent again: they double from the first to the longest."""

T = TypeVar("T")


class Writer:
    """The inserts of one worker. Blocking calls run in threads; any number at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Client | None = None

    def insert(self, table: TableColumns, columns: Sequence[Sequence[Any]], token: str) -> None:
        """One insert of `columns` (in the table's order, of equal length). Blocks.

        StoreUnavailable: not known whether it was taken, try again with the same token. StoreRefused: for a person.
        """
        started = time.perf_counter()
        try:
            if self._client is None:
                self._client = connect(self._settings)
            self._client.insert(
                table.table,
                columns,
                column_names=table.names,
                column_type_names=table.types,  # else the client asks the server for them, at each insert
                column_oriented=True,
                settings={"insert_deduplication_token": token, "async_insert": 0},
            )
        except (ClickHouseError, OSError) as error:
            raise translate(error, self._settings, table.table) from error
        except (ValueError, TypeError, OverflowError, struct.error) as error:
            # Without the cause, whose text is the value.
            why = f"a value that does not fit a column of {table.table}: {type(error).__name__}"
            raise StoreRefused(why, Kind.ROWS) from None
        metrics.INSERT.labels(table.table).observe(time.perf_counter() - started)

    def insert_blocks(self, table: TableColumns, blocks: Sequence[bytes], token: str) -> None:
        """One insert of rows that `native` has encoded before. Blocks the thread, raises as `insert` does."""
        started = time.perf_counter()
        try:
            if self._client is None:
                self._client = connect(self._settings)
            compression = "lz4" if self._settings.compress_inserts else None
            self._client.raw_insert(
                table.table,
                table.names,
                _compressed(blocks, compression),
                settings={"insert_deduplication_token": token, "async_insert": 0},
                fmt="Native",
                compression=compression,
            )
        except (ClickHouseError, OSError) as error:
            raise translate(error, self._settings, table.table) from error
        metrics.INSERT.labels(table.table).observe(time.perf_counter() - started)

    def close(self) -> None:
        """Close what connections there are. A later insert opens them again."""
        if self._client is not None:
            self._client.close()
            self._client = None


def _compressed(blocks: Sequence[bytes], compression: str | None) -> bytes:
    compressor = get_compressor(compression)
    return b"".join([*map(compressor.compress_block, blocks), compressor.flush() or b""])  # type: ignore[no-untyped-call]


async def in_thread(call: Callable[[], T]) -> T:
    """What `call` returns or raises, from a thread that nobody waits for when the process ends: one that hangs on a
    frozen server would hold up the exit for as long as its timeout."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # None is what T is then

    def work() -> None:
        result, error = None, None
        try:
            result = call()
        except BaseException as raised:
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody asks any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, daemon=True, name="clickhouse").start()
    return await future
