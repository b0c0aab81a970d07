"""`stage`: a world to publish from, on the embedded Kafka and ClickHouse engine."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.publish.world import World, world


@pytest_asyncio.fixture
async def stage(kafka: str, clickhouse: str, database: str) -> AsyncIterator[World]:
    async with world(kafka, clickhouse, database) as made:
        yield made
