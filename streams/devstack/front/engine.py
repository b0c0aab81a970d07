"""Opens the chDB engine on a data directory with bounded memory, and hands out one connection for each request.

A chDB connection is a cheap handle (a tenth of a millisecond) on the one engine of this process. Calls on one handle
wait for each other and `SET` and `USE` belong to it, so requests never share one.
"""

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

# Read by the engine when it starts: all times in the tables are UTC whatever the machine's zone is.
os.environ["TZ"] = "UTC"
time.tzset()

import chdb  # noqa: E402  (the zone must be set first)
from chdb.state.sqlitelike import Connection  # noqa: E402

from streams.devstack.datadir import DataDirRefused, claim  # noqa: E402

_MIB = 1024 * 1024
_SETTING_NAME = re.compile(r"[A-Za-z_]\w*\Z")
_CODE = re.compile(r"Code: (\d+)")
# A server's caches default to 5 GiB each; the dev stack's data is small and shares a laptop with Kafka and the workers.
_CACHES = {
    "mark_cache_size": 64 * _MIB,
    "primary_index_cache_size": 64 * _MIB,
    "index_mark_cache_size": 32 * _MIB,
    "uncompressed_cache_size": 0,
    "query_condition_cache_size": 16 * _MIB,
    "compiled_expression_cache_size": 16 * _MIB,
    "vector_similarity_index_cache_size": 0,
    "text_index_postings_cache_size": 0,
    "parquet_metadata_cache_size": 0,
    "iceberg_metadata_files_cache_size": 0,
}


class QueryFailed(Exception):
    """The engine refused or broke off a statement; `code` is ClickHouse's error number, the text its message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def query_failed(error: BaseException) -> QueryFailed:
    """The engine's own error as QueryFailed: chDB hides ClickHouse's number and message in the text."""
    text = str(error)
    text = text[max(text.find("Code: "), 0) :].strip()
    code = _CODE.match(text)
    # 1001 is ClickHouse's number for an exception that is not its own.
    return QueryFailed(int(code[1]) if code else 1001, text if code else f"Code: 1001. DB::Exception: {text}")


class Engine:
    """The open engine of this process; `close` flushes and lets another process open the directory."""

    def __init__(self, data: Path, memory: int, config: Path | None = None) -> None:
        """Opens `data`; `memory` is the engine's limit in bytes, above which a query fails with code 241.

        `config` is a ClickHouse configuration file (profiles, grants and row filters of the user `default`).
        Raises DataDirRefused.
        """
        self._lock = claim(data, "clickhouse", str(chdb.engine_version))
        folder = data / "engine"
        options: dict[str, str | int] = {**_CACHES, "max_server_memory_usage": memory}
        if config is not None:
            options["config-file"] = str(config)
        self._address = f"{folder}?{urlencode(options, safe='/')}"
        try:
            self._keep_open = Connection(self._address)
        except RuntimeError as error:
            self._lock.close()
            raise DataDirRefused(f"the engine cannot open {folder}: {query_failed(error)}") from None

    def connect(self, database: str | None, settings: Mapping[str, str], readonly: bool) -> Connection:
        """A connection of its own for one request, in `database`, with `settings`; raises QueryFailed. Close it."""
        try:
            connection = Connection(self._address)
        except RuntimeError as error:
            raise query_failed(error) from None
        try:
            if database and database != "default":
                connection.query(f"USE {_identifier(database)}")
            # readonly comes last: after it no setting of the request could be set.
            assignments = [f"{_name(key)} = {_literal(value)}" for key, value in settings.items()]
            if assignments:
                connection.query("SET " + ", ".join(assignments))
            if readonly:
                connection.query("SET readonly = 2")
        except BaseException as error:
            connection.close()
            raise error if isinstance(error, QueryFailed) else query_failed(error) from None
        return connection

    def close(self) -> None:
        """Closes the engine; requests still running are broken off."""
        self._keep_open.close()
        self._lock.close()


def _name(setting: str) -> str:
    if not _SETTING_NAME.match(setting):
        raise QueryFailed(115, f"Code: 115. DB::Exception: Unknown setting {setting!r}. (UNKNOWN_SETTING)")
    return setting


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _identifier(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"
