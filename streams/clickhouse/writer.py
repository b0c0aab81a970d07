"""Inserts that may be sent any number of times: each with a token, by columns, and our errors for the server's."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from schemas.rows import TableColumns
from streams import metrics
from streams.clickhouse.client import connect, translate
from streams.config import Settings
from streams.errors import StoreUnavailable
from streams.logs import log

FIRST_DELAY = 0.1
LONGEST_DELAY = 5.0


class Writer:
    """The inserts of one worker. Blocking calls run in threads; any number at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Client | None = None

    def insert(self, table: TableColumns, columns: Sequence[Sequence[Any]], token: str) -> None:
        """One insert of `columns` (in the table's order, of equal length). Blocks.

        StoreUnavailable: not known whether it was taken, try again with the same token. StoreRefused: a bug.
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
            raise translate(error, self._settings) from error
        metrics.INSERT.labels(table.table).observe(time.perf_counter() - started)

    async def insert_until_taken(
        self, table: TableColumns, columns: Sequence[Sequence[Any]], token: str, before_retry: Callable[[], Any]
    ) -> None:
        """Insert, again and again with growing delays while ClickHouse is away. StoreRefused comes through.

        `before_retry` is awaited before each further try: it may raise to give up, or prove that the caller still owns
        what it writes.
        """
        delay = FIRST_DELAY
        while True:
            try:
                await asyncio.to_thread(self.insert, table, columns, token)
                return
            except StoreUnavailable as error:
                metrics.INSERT_RETRIES.labels(table.table, "unavailable").inc()
                log("clickhouse").warning("insert_retried", table=table.table, error=str(error), in_seconds=delay)
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)
            await before_retry()
