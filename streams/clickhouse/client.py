"""Connecting to ClickHouse, and what each refusal of the server means: try again, or stop.

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

from streams.config import Settings
from streams.errors import StoreRefused, StoreUnavailable

# A line a try while ClickHouse is away; what matters of it is in our own errors.
logging.getLogger("urllib3").setLevel(logging.ERROR)

# The client imports each of these at its first insert if they happen to be installed: half a second of CPU and 60 MiB
# for data frames that nobody here makes.
for _package in ("np", "pd", "pd_time_test", "arrow", "pl"):
    setattr(options, _package, None)

# Refusals that pass by themselves, by the server's error code; any other is a bug or a schema that does not fit.
RETRYABLE = {
    3: "UNEXPECTED_END_OF_FILE",
    107: "FILE_DOESNT_EXIST",
    159: "TIMEOUT_EXCEEDED",
    160: "TOO_SLOW",
    164: "READONLY",
    173: "CANNOT_ALLOCATE_MEMORY",
    198: "DNS_ERROR",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    203: "NO_FREE_CONNECTION",
    209: "SOCKET_TIMEOUT",
    210: "NETWORK_ERROR",
    236: "ABORTED",
    241: "MEMORY_LIMIT_EXCEEDED",
    242: "TABLE_IS_READ_ONLY",
    243: "NOT_ENOUGH_SPACE",
    252: "TOO_MANY_PARTS",
    279: "ALL_CONNECTION_TRIES_FAILED",
    285: "TOO_FEW_LIVE_REPLICAS",
    290: "LIMIT_EXCEEDED",
    319: "UNKNOWN_STATUS_OF_INSERT",
    394: "QUERY_WAS_CANCELLED",
    425: "SYSTEM_ERROR",
    439: "CANNOT_SCHEDULE_TASK",
    574: "CANNOT_ALLOCATE_MEMORY",
    999: "KEEPER_EXCEPTION",
    1001: "STD_EXCEPTION",
}


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


def translate(error: BaseException, settings: Settings) -> StoreUnavailable | StoreRefused:
    """Our error for one of the client's or the network's. The server's text stays out of it: it quotes rows."""
    code = getattr(error, "code", None)
    if isinstance(error, DataError | ProgrammingError | NotSupportedError):
        return StoreRefused(f"rows that don't fit their columns: {type(error).__name__}")
    if code is not None:
        if code in RETRYABLE:
            return StoreUnavailable(f"ClickHouse at {settings.clickhouse} refuses for now: {RETRYABLE[code]} ({code})")
        name = getattr(error, "name", "") or ""
        hint = {60: "; run `synclogs migrate`", 81: "; run `synclogs migrate`", 516: "; check user and password"}
        return StoreRefused(f"ClickHouse at {settings.clickhouse} refuses: code {code} {name}{hint.get(code, '')}")
    return StoreUnavailable(
        f"ClickHouse at {settings.clickhouse} does not answer ({type(error).__name__}). Start it (`synclogs dev` "
        "brings one), or set SYNCLOGS_CLICKHOUSE to the address of yours."
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
