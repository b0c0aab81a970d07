"""What the worker takes of a backlog at a time: its memory must not depend on how much waits in Kafka."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from faust.transport.drivers import aiokafka as stock

from streams.count import driver
from tests.count.cluster import Cluster
from tests.count.process import Process
from tests.delivery.flood import Flood
from tests.delivery.processes import until

pytestmark = pytest.mark.stack
BACKLOG = 3_000


@pytest.fixture
async def cluster(kafka: str) -> AsyncIterator[Cluster]:
    async with Cluster(kafka, partitions=2, clickhouse="http://127.0.0.1:9") as cluster:
        yield cluster


class BusyAgent:
    """An agent that takes no run before it is `free`; what Faust has fetched for it, and what it has taken."""

    def __init__(self, cluster: Cluster) -> None:
        self.app, source = driver.application(cluster.settings)
        self.app.agent(source, name="take")(self._take)
        self.free = asyncio.Event()
        self.fetched = self.taken = 0

    async def _take(self, stream: Any) -> None:
        async for event in stream.events():
            await self.free.wait()
            self.taken += len(event.value)

    def counting(self, fetch: Callable[..., Any]) -> Callable[..., Any]:
        async def counted(*given: Any) -> Any:
            found = await fetch(*given)
            self.fetched += sum(map(len, found.values()))
            return found

        return counted


async def looked(consumer: Any, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Return when it has looked so often how many runs wait."""
    looks, waiting = asyncio.Semaphore(0), consumer.runs_waiting

    def look() -> int:
        looks.release()
        return int(waiting())

    monkeypatch.setattr(consumer, "runs_waiting", look)
    async with asyncio.timeout(20):
        for _ in range(times):
            await looks.acquire()


async def test_no_more_is_fetched_than_a_few_runs_while_the_agent_is_busy(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "RECORDS_AT_ONCE", 100)
    await cluster.send(b"%d" % number for number in range(BACKLOG))
    agent = BusyAgent(cluster)
    consumer: Any = agent.app.consumer
    monkeypatch.setattr(stock.Consumer, "_getmany", agent.counting(stock.Consumer._getmany))

    async def full() -> bool:
        return bool(consumer.runs_waiting() >= driver.RUNS_WAITING)

    async def all_taken() -> bool:
        return agent.taken >= BACKLOG

    try:
        await agent.app.start()
        await until("as many runs wait as may", full)
        in_hand = agent.fetched
        # One run is with the agent, and with the last one may have come another of the other partition.
        assert in_hand <= (driver.RUNS_WAITING + 2) * 100
        await looked(consumer, 30, monkeypatch)
        assert (agent.fetched, agent.taken) == (in_hand, 0)
        agent.free.set()
        await until("the agent has taken the backlog", all_taken)
    finally:
        agent.free.set()
        await agent.app.stop()
    assert (agent.fetched, agent.taken) == (BACKLOG, BACKLOG)


async def test_a_backlog_is_counted_once_though_its_partitions_move_meanwhile(cluster: Cluster, tmp_path: Path) -> None:
    flood = Flood(cluster.settings)

    async def enough() -> bool:
        return flood.sent >= 200_000

    async with flood.flowing(100_000):
        await until("Kafka has the backlog", enough)
    workers = [Process(cluster.settings, tmp_path / f"{number}.log") for number in range(2)]
    try:
        counted = [sum(sum(counts.values()) for counts in entries.values()) for entries in await cluster.counted(60)]
        assert sum(counted) == flood.sent
        assert max([await worker.metric("synclogs_rebalances_total") for worker in workers]) >= 2, "nothing has moved"
        assert all([await worker.metric("synclogs_records_consumed_total") for worker in workers])
    finally:
        for worker in workers:
            await worker.end()
