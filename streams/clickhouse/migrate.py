"""Migrations: the numbered SQL files of `schemas/clickhouse`, applied once each, forward only, checked by SHA-256.

ClickHouse can't roll a half-applied file back, so every statement is safe to repeat: a file that failed half-way is
applied again from its beginning.
"""

import hashlib
import re
from importlib.resources import files
from typing import NamedTuple

from streams.clickhouse.client import Database
from streams.config import Settings
from streams.errors import StoreRefused

_JOURNAL = """CREATE TABLE IF NOT EXISTS schema_migrations (
    number UInt32, name String, sha256 FixedString(64), applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = MergeTree ORDER BY number SETTINGS non_replicated_deduplication_window = 1000"""


class Migration(NamedTuple):
    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def statements(self) -> list[str]:
        """Statements end with a semicolon at the end of a line."""
        return [s for s in re.split(r";\s*(?:\n|$)", self.sql) if s.strip()]


def available() -> list[Migration]:
    """The migrations that this version of the code knows, in order."""
    found = [entry for entry in files("schemas").joinpath("clickhouse").iterdir() if entry.name.endswith(".sql")]
    return sorted(Migration(int(f.name[:4]), f.name.removesuffix(".sql"), f.read_text()) for f in found)


def migrate(settings: Settings) -> list[str]:
    """Create the database and apply what is pending; the names of those applied.

    StoreRefused when an applied file has changed since, or the database is newer than this code.
    """
    outside = Database(settings.model_copy(update={"database": "default"}))
    outside.command(f"CREATE DATABASE IF NOT EXISTS {settings.database}")
    database = Database(settings)
    database.command(_JOURNAL)
    pending = _pending(database, settings)
    for migration in pending:
        for statement in migration.statements:
            database.command(statement)
        database.command(
            "INSERT INTO schema_migrations (number, name, sha256) "
            f"SELECT {migration.number}, '{migration.name}', '{migration.sha256}'",
            token=f"migration:{migration.number}:{migration.sha256}",
        )
    return [migration.name for migration in pending]


def _pending(database: Database, settings: Settings) -> list[Migration]:
    journal = database.rows("SELECT number, name, toString(sha256) AS sha256 FROM schema_migrations")
    applied = {row["number"]: row for row in journal}
    known = available()
    if newer := sorted(set(applied) - {m.number for m in known}):
        raise StoreRefused(
            f"database {settings.database} has migration {newer[-1]} ({applied[newer[-1]]['name']}), which this "
            "version does not know: run the version that wrote it, or a newer one"
        )
    for migration in known:
        if migration.number in applied and applied[migration.number]["sha256"] != migration.sha256:
            raise StoreRefused(
                f"migration {migration.name} was changed after database {settings.database} had applied it: restore "
                "the file, and put the change into a new migration"
            )
    return [migration for migration in known if migration.number not in applied]
