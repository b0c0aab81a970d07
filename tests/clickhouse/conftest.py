"""A migrated database of its own for each test."""

import pytest

from streams import config
from streams.clickhouse.client import Database
from streams.clickhouse.migrate import migrate
from streams.config import Settings


@pytest.fixture
def settings(clickhouse: str, database: str) -> Settings:
    return config.load(clickhouse=clickhouse, database=database)


@pytest.fixture
def tables(settings: Settings) -> Database:
    """The database with all migrations applied."""
    migrate(settings)
    return Database(settings)
