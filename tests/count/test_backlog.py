"""What the worker takes of a backlog at a time: its memory must not depend on how much waits in Kafka."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from faust.transport.drivers import aiokafka as stock

from streams.count import driver
from tests.count.cluster import Cluster

pytestmark = pytest.mark.stack
BACKLOG = 3_000


@pytest.fixture
async def cluster(kafka: str) -> AsyncIterator[Cluster]:
    async with Cluster(kafka, partitions=1) as cluster:
        yield cluster


async def until_looked_for_room(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Return when the worker has looked so often, in vain, whether there is room for another fetch."""
    looks = asyncio.Semaphore(0)
    look = driver.RunConsumer._getmany

    async def looked(consumer: Any, *given: Any, **named: Any) -> Any:
        full = consumer.runs_in_hand() >= driver.RUNS_IN_HAND
        found = await look(consumer, *given, **named)
        if full:
            looks.release()
        return found

    monkeypatch.setattr(driver.RunConsumer, "_getmany", looked)
    async with asyncio.timeout(20):
        for _ in range(times):
            await looks.acquire()


async def test_no_more_is_fetched_than_a_few_runs_while_the_agent_is_busy(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "RECORDS_AT_ONCE", 100)
    await cluster.send(b"%d" % number for number in range(BACKLOG))
    app, source = driver.application(cluster.settings)
    fetched, taken = 0, 0
    free = asyncio.Event()
    fetch = stock.Consumer._getmany

    async def counted(consumer: Any, *given: Any) -> Any:
        nonlocal fetched
        found = await fetch(consumer, *given)
        fetched += sum(map(len, found.values()))
        return found

    async def take(stream: Any) -> None:
        nonlocal taken
        async for event in stream.events():
            await free.wait()
            taken += len(event.value)

    monkeypatch.setattr(stock.Consumer, "_getmany", counted)
    app.agent(source, name="take")(take)
    try:
        await app.start()
        await until_looked_for_room(30, monkeypatch)
        # The agent has one run in its hand.
        assert (fetched, taken) == ((driver.RUNS_IN_HAND + 1) * 100, 0)
        free.set()
        async with asyncio.timeout(20):
            while taken < BACKLOG:
                await asyncio.sleep(0.02)
    finally:
        free.set()
        await app.stop()
    assert (fetched, taken) == (BACKLOG, BACKLOG)
