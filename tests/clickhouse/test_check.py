"""`synclogs check` on ClickHouse: nothing to say about a migrated database, and else what is wrong and what to do."""

import pytest

from streams.clickhouse import check
from streams.clickhouse.client import Database
from streams.config import Settings
from streams.errors import StoreUnavailable

pytestmark = pytest.mark.stack


def test_a_migrated_database_is_fine(tables: Database) -> None:
    assert check.problems(tables.settings) == []


def test_an_empty_database_needs_the_migrations(settings: Settings) -> None:
    assert check.problems(settings) == [f"database {settings.database} has no tables: run `synclogs migrate`"]


def test_a_database_that_is_not_there_needs_the_migrations(settings: Settings) -> None:
    gone = settings.model_copy(update={"database": f"{settings.database}_gone"})
    assert check.problems(gone) == [f"database {gone.database} has no tables: run `synclogs migrate`"]


def test_pending_migrations_are_named(tables: Database) -> None:
    tables.command("DELETE FROM schema_migrations WHERE number = 2")
    assert check.problems(tables.settings) == ["migrations are pending (0002_live): run `synclogs migrate`"]


def test_a_table_that_forgets_tokens_is_named_with_its_remedy(tables: Database) -> None:
    tables.command("ALTER TABLE sync_records MODIFY SETTING non_replicated_deduplication_window = 100")
    (problem,) = check.problems(tables.settings)
    assert problem.startswith("table sync_records does not remember 100000 tokens")
    remedy = problem.partition("; ")[2]
    tables.command(remedy)
    assert check.problems(tables.settings) == []


def test_an_older_server_is_named_with_the_version_that_is_needed(
    tables: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "OLDEST", (99, 1))
    (problem,) = check.problems(tables.settings)
    assert problem.endswith("needs 99.1 or newer")


def test_an_unreachable_server_is_told_with_its_address(settings: Settings) -> None:
    away = settings.model_copy(update={"clickhouse": "http://127.0.0.1:1"})
    with pytest.raises(StoreUnavailable, match="http://127.0.0.1:1 does not answer"):
        check.problems(away)
