"""`stack`: topics, tables and a group of one test, and what a test asks of them."""

import uuid
from collections.abc import AsyncIterator

import pytest

from tests.store.stack import Stack


@pytest.fixture
async def stack(kafka: str, clickhouse: str, database: str) -> AsyncIterator[Stack]:
    made = Stack(kafka, clickhouse, database, uuid.uuid4().hex[:8])
    await made.start()
    yield made
    await made.stop()
