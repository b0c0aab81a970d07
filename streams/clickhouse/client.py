"""Connecting to ClickHouse, and our errors for the client's; what a refusal means is in `refusals`.

clickhouse-connect sends an INSERT again by itself when its answer was lost, whatever its settings say. So every insert
carries a token, and every table has a window of tokens (`schemas/clickhouse`).
"""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver import options
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DataError, NotSupportedError, ProgrammingError

from streams.clickhouse.refusals import verdict
from streams.config import Settings
from streams.errors import Kind, StoreRefused, StoreUnavailable

# A line a try while ClickHouse is away; what matters of it is in our own errors.
logging.getLogger("urllib3").setLevel(logging.ERROR)

# The client imports each of these at its first insert if they happen to be installed: half a second of CPU and 60 MiB
# for data frames that nobody here makes.
for _package in ("np", "pd", "pd_time_test", "arrow", "pl"):
    setattr(options, _package, None)


def connect(settings: Settings, timeout: float = 20, database: str | None = None) -> Client:
    """A client that any thread may use. `timeout` in seconds is for a whole answer. StoreUnavailable if none comes."""
    try:
        return clickhouse_connect.get_client(
            dsn=settings.clickhouse,
            username=settings.clickhouse_user,
            password=settings.clickhouse_password.get_secret_value(),
            database=settings.database if database is None else database,
            autogenerate_session_id=False,
            compress="lz4" if settings.compress_inserts else False,
            query_retries=0,
            connect_timeout=3,
            send_receive_timeout=timeout,
        )
    except (ClickHouseError, OSError) as error:
        raise translate(error, settings) from error


def translate(error: BaseException, settings: Settings, table: str = "") -> StoreUnavailable | StoreRefused:
    """Our error for one of the client's or the network's, on the way to `table`. The server's text stays out of it: it
    quotes rows."""
    to_table = f" table {table}" if table else ""
    if isinstance(error, DataError | ProgrammingError | NotSupportedError):
        return StoreRefused(
            f"rows that don't fit the columns of{to_table or ' a table'}: {type(error).__name__}", Kind.ROWS
        )
    code: int | None = getattr(error, "code", None)
    if code is None:
        return StoreUnavailable(
            f"ClickHouse at {settings.clickhouse} does not answer ({type(error).__name__}). Start it, or set "
            "SYNCLOGS_CLICKHOUSE to the address of yours; that of a running `synclogs dev` is in its stack.json."
        )
    found = verdict(code)
    name = found.codes.get(code) or getattr(error, "name", "") or "unknown to this version"
    kind = StoreUnavailable if found.retried else StoreRefused
    for_now = " for now" if found.retried else ""
    return kind(
        f"ClickHouse at {settings.clickhouse} refuses{to_table}{for_now}: code {code} {name}; {found.remedy}",
        found.kind,
    )


class Database:
    """Queries of one process: rows as dictionaries, our errors. Any thread may use it; it connects at first use."""

    def __init__(self, settings: Settings, timeout: float = 60) -> None:
        self.settings = settings
        self._timeout = timeout
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        if self._client is None:
            self._client = connect(self.settings, self._timeout)
        return self._client

    def close(self) -> None:
        """Close what connections there are. A later query opens them again."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def rows(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of a SELECT with its `{name:Type}` parameters bound."""
        try:
            return list(self.client.query(sql, parameters=_bound(parameters)).named_results())
        except (ClickHouseError, OSError) as error:
            raise translate(error, self.settings) from error

    def value(self, sql: str, **parameters: Any) -> Any:
        """The first value of the first row, None if there is no row."""
        try:
            rows = self.client.query(sql, parameters=_bound(parameters)).result_rows
        except (ClickHouseError, OSError) as error:
            raise translate(error, self.settings) from error
        return rows[0][0] if rows else None

    def stream(
        self, sql: str, settings: Mapping[str, Any] | None = None, **parameters: Any
    ) -> Iterator[Sequence[tuple[Any, ...]]]:
        """The rows of a SELECT, block by block as they come, for results of any size. Close it when nobody reads on.

        What goes wrong half-way is raised from the iteration: a stream that ends quietly is complete.
        """
        try:
            bound = _bound(parameters)
            with self.client.query_row_block_stream(sql, parameters=bound, settings=dict(settings or {})) as blocks:
                yield from blocks
        except (ClickHouseError, OSError) as error:
            raise translate(error, self.settings) from error

    def command(self, sql: str, token: str = "", **parameters: Any) -> None:
        """A statement without rows. An INSERT SELECT needs a token, since the client may send it twice."""
        settings = {"insert_deduplication_token": token, "async_insert": 0} if token else {}
        try:
            self.client.command(sql, parameters=_bound(parameters), settings=settings)
        except (ClickHouseError, OSError) as error:
            raise translate(error, self.settings) from error


def _bound(parameters: dict[str, Any]) -> dict[str, Any]:
    """The client writes a dictionary as JSON, which has no keys but texts: a Map of numbers is written out here."""
    return {name: _map_of_numbers(value) if isinstance(value, dict) else value for name, value in parameters.items()}


def _map_of_numbers(value: dict[int, int]) -> str:
    return "{" + ", ".join(f"{int(key)}: {int(number)}" for key, number in value.items()) + "}"


def wait_for(settings: Settings, seconds: float) -> None:
    """Return once ClickHouse answers; StoreUnavailable after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            connect(settings, database="default").close()
            return
        except StoreUnavailable:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)
