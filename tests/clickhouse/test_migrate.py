"""Migrations: once each, forward only, and what they promise is what the engine does: columns, weeks, expiry."""

import datetime as dt
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from schemas import rows
from schemas.rows import TableColumns
from streams import clock
from streams.clickhouse import migrate as migrations
from streams.clickhouse.client import Database
from streams.clickhouse.migrate import Migration, available, migrate
from streams.clickhouse.writer import Writer
from streams.config import Settings
from streams.errors import StoreRefused
from tests.clickhouse.samples import sample

pytestmark = pytest.mark.stack

NAMES = [migration.name for migration in available()]
HALF_A_YEAR = ("sync_records", "sync_marks", "published_failures", "published_syncs", "published_days")


def test_all_are_applied_in_order_once(settings: Settings) -> None:
    assert sorted(NAMES) == NAMES and len(NAMES) >= 3
    assert migrate(settings) == NAMES
    assert migrate(settings) == []
    journal = Database(settings).rows("SELECT number, name FROM schema_migrations ORDER BY number")
    assert [row["name"] for row in journal] == NAMES


def test_the_database_is_made_where_it_is_missing(settings: Settings) -> None:
    Database(settings).command(f"DROP DATABASE {settings.database} SYNC")
    assert migrate(settings) == NAMES


def test_one_that_failed_half_way_is_applied_again_whole(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, changed: Callable[..., None]
) -> None:
    first, rest = available()[0], available()[1:]
    changed(Migration(first.number, first.name, first.sql + "\nCREATE TABLE broken (x NoSuchType) ENGINE = Memory;\n"))
    with pytest.raises(StoreRefused, match="code 50"):
        migrate(settings)
    monkeypatch.undo()
    assert migrate(settings) == NAMES
    assert rest


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def replace(*replaced: Migration) -> None:
        known = {migration.number: migration for migration in (*available(), *replaced)}
        monkeypatch.setattr(migrations, "available", lambda: sorted(known.values()))

    return replace


def test_a_file_that_changed_after_it_was_applied_is_refused_by_name(
    settings: Settings, changed: Callable[..., None]
) -> None:
    migrate(settings)
    first = available()[0]
    changed(Migration(first.number, first.name, first.sql + "-- another thought\n"))
    with pytest.raises(StoreRefused, match=f"migration {first.name} was changed after database {settings.database}"):
        migrate(settings)


def test_a_database_that_a_newer_version_wrote_is_refused_by_the_migration_it_does_not_know(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, changed: Callable[..., None]
) -> None:
    changed(Migration(9000, "9000_of_tomorrow", "SELECT 1;\n"))
    assert migrate(settings)[-1] == "9000_of_tomorrow"
    monkeypatch.undo()
    with pytest.raises(StoreRefused, match=r"has migration 9000 \(9000_of_tomorrow\), which this version does not"):
        migrate(settings)


def test_a_new_file_is_applied_to_a_database_in_use(settings: Settings, changed: Callable[..., None]) -> None:
    migrate(settings)
    changed(Migration(9000, "9000_of_tomorrow", "CREATE TABLE tomorrow (x UInt8) ENGINE = Memory;\n"))
    assert migrate(settings) == ["9000_of_tomorrow"]
    assert Database(settings).value("SELECT count() FROM tomorrow") == 0


@pytest.mark.parametrize("table", rows.ALL, ids=lambda table: table.table)
def test_what_workers_send_fits_the_table_and_comes_back_as_it_was(tables: Database, table: TableColumns) -> None:
    values = sample(table)
    Writer(tables.settings).insert(table, [[value] for value in values.values()], f"sample:{table.table}")
    (found,) = tables.rows(f"SELECT {', '.join(table.names)} FROM {table.table}")
    assert {name: comparable(value) for name, value in found.items()} == values


@pytest.mark.parametrize("table", rows.ALL, ids=lambda table: table.table)
def test_no_column_of_a_table_is_forgotten_by_who_writes_it(tables: Database, table: TableColumns) -> None:
    stored = tables.rows(
        "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {table:String} "
        "AND default_kind = ''", table=table.table,
    )  # fmt: skip
    assert {row["name"] for row in stored} == set(table.names)


def comparable(value: Any) -> Any:
    """A UUID as text, a time as the whole moment it is."""
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=dt.UTC)
    return str(value) if type(value).__name__ == "UUID" else value


def definition(tables: Database, table: str) -> str:
    return str(tables.value(
        "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = {name:String}",
        name=table,
    ))  # fmt: skip


@pytest.mark.parametrize("table", HALF_A_YEAR)
def test_six_months_and_three_weeks_are_kept_by_whole_weeks(tables: Database, table: str) -> None:
    sql = definition(tables, table)
    weekly = re.search(r"PARTITION BY toMonday\((\w+)\)", sql)
    assert weekly, sql
    assert f"TTL (toMonday({weekly[1]}) + toIntervalMonth(6)) + toIntervalWeek(3)" in sql
    assert "ttl_only_drop_parts = 1" in sql


@pytest.mark.parametrize("table", [table.table for table in rows.ALL])
def test_every_table_that_workers_write_remembers_tokens(tables: Database, table: str) -> None:
    window = re.search(r"non_replicated_deduplication_window = (\d+)", definition(tables, table))
    assert window and int(window[1]) >= 1000, "an insert sent twice would be twice there"


@pytest.mark.parametrize("table", [rows.SYNC_RECORDS, rows.SYNC_MARKS], ids=lambda table: table.table)
def test_an_expired_week_vanishes_and_one_that_can_be_seen_stays(tables: Database, table: TableColumns) -> None:
    now = clock.now()
    kept = clock.monday(now) - 26 * clock.WEEK
    expired = clock.monday(now) - 31 * clock.WEEK  # six months are at most 184 days: 27 weeks, and three more
    tables.command(f"ALTER TABLE {table.table} MODIFY SETTING merge_with_ttl_timeout = 1")
    writer = Writer(tables.settings)
    for moment in (expired, kept):  # a new part makes the engine look at once for what has expired
        values = sample(table) | {"occurred_at": moment}
        writer.insert(table, [[value] for value in values.values()], f"ttl:{moment}")
    deadline = time.monotonic() + 60
    while tables.value(f"SELECT count() FROM {table.table}") > 1 and time.monotonic() < deadline:
        time.sleep(0.1)
    found = tables.rows(f"SELECT occurred_at FROM {table.table}")
    assert [comparable(row["occurred_at"]) for row in found] == [kept]
