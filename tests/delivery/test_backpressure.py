"""F6, F11. ClickHouse slow, away, or its disk full, while events come in: memory is bounded, nobody is expelled from
the group, and what has piled up drains by itself.
"""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.delivery.flood import Flood
from tests.delivery.ledger import Ledger
from tests.delivery.mix import Mix
from tests.delivery.parts import Front, Kafka, WorkerProcess
from tests.delivery.processes import until
from tests.delivery.refuser import Refuser
from tests.delivery.rest import problems_at_rest
from tests.delivery.stack import Stack

pytestmark = pytest.mark.stack

RATE = 10_000
MOST_MIB = 400
"""What a worker may need at most, whatever happens."""
SMALL_DISK, LARGE_DISK = "64m", "1g"


class Memory:
    """The largest resident memory of processes, in MiB, while `watching`."""

    def __init__(self, *workers: WorkerProcess) -> None:
        self._workers = workers
        self.most = dict.fromkeys((worker.name for worker in workers), 0.0)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator["Memory"]:
        task = asyncio.create_task(self._watch())
        try:
            yield self
        finally:
            task.cancel()

    async def _watch(self) -> None:
        while True:
            for worker in self._workers:
                if worker.pid:
                    pages = int(Path(f"/proc/{worker.pid}/statm").read_text().split()[1])
                    mib = pages * os.sysconf("SC_PAGESIZE") / (1 << 20)
                    self.most[worker.name] = max(self.most[worker.name], mib)
            await asyncio.sleep(0.5)


async def all_there(stack: Stack, flood: Flood, seconds: float) -> None:
    """Wait until both workers are at the log's end; every event is one row, and is counted once."""
    await stack.settled(seconds=seconds)
    ((rows, distinct),) = stack.sql("SELECT count(), uniqExact(event_id) FROM sync_records")
    assert (rows, distinct) == (flood.sent, flood.sent)
    ((counted,),) = stack.sql(
        "SELECT sum(n) FROM (SELECT argMax(records, position) AS n FROM live_counts "
        "GROUP BY window_start, kafka_partition, tenant_id, direction, sync_id, status, reason)"
    )
    assert counted == flood.sent


async def unmoved(*workers: WorkerProcess) -> None:
    """No worker lost its partitions for a moment."""
    for worker in workers:
        assert await worker.metric("synclogs_rebalances_total") == 1, worker.name
        assert await worker.metric("synclogs_partitions_assigned") == 2, worker.name
        assert not await worker.metric("synclogs_partition_reopened_total"), worker.name


async def test_a_slow_clickhouse_makes_larger_batches_and_no_rebalance(stack: Stack, front: Front) -> None:
    with Refuser(front.url) as way:
        store, count = (stack.worker(role, clickhouse=way.url) for role in ("store", "count"))
        flood, memory = Flood(stack.settings), Memory(store, count)
        await store.ready()
        await count.ready()
        async with memory.watching():
            async with flood.flowing(RATE):
                way.slow = 2.0

                async def slowed() -> bool:
                    return way.slowed >= 8

                await until("eight inserts have taken two seconds", slowed)
            assert await store.metric("synclogs_lag_records") > RATE  # it really was too slow
            way.heal()
            await all_there(stack, flood, 60)
        await unmoved(store, count)
    assert max(memory.most.values()) < MOST_MIB, memory.most


async def test_a_minute_without_clickhouse_is_made_up_for_without_anybody(stack: Stack, front: Front) -> None:
    way = front.way()
    store, count = (stack.worker(role, clickhouse=way.url) for role in ("store", "count"))
    flood, memory = Flood(stack.settings), Memory(store, count)
    await store.ready()
    await count.ready()
    async with memory.watching():
        async with flood.flowing(RATE):
            await stack.stored()
            way.down()
            for _ in range(6):
                await asyncio.sleep(10)
                # Counting goes on, and is no further behind than a flush and a scrape.
                assert await count.metric("synclogs_lag_records") < 3 * RATE
            status, why = await store.get("/readyz")
            assert status == 503 and "does not answer" in why
            assert await store.metric("synclogs_lag_records") > 30 * RATE
            way.heal()
        await all_there(stack, flood, 90)
    assert way.happened["down"] > 5
    await unmoved(store, count)
    assert max(memory.most.values()) < MOST_MIB, memory.most


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that is soon full; only root may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no command mount here")
    if mounted.returncode:
        pytest.skip(f"a small tmpfs can't be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_a_full_disk_of_clickhouse_holds_store_until_there_is_room(
    node: Kafka, small_disk: Path, tmp_path: Path, seed: int
) -> None:
    """F11."""
    front = Front(small_disk)
    front.log = tmp_path / "front.log"
    front.start()
    try:
        await front.up()
        stack = await Stack.made(node, front, tmp_path)
        store, count = (stack.worker(role) for role in ("store", "count"))
        async with Ledger(stack.settings, seed, Mix(bad=0.01, marks=False)) as ledger:
            await ledger.send(200)
            await stack.settled()
            filler = small_disk / "filler"

            def fill() -> None:
                with filler.open("wb") as file:
                    block = b"\0" * (1 << 16)
                    try:
                        while True:
                            file.write(block)
                            file.flush()
                    except OSError:
                        return  # full

            await asyncio.to_thread(fill)
            await ledger.send(2000)

            async def refused() -> bool:
                return await store.metric("synclogs_insert_retries_total", kind="disk_full") > 0

            await until("the server has said that its disk is full", refused)
            assert (await store.get("/readyz"))[0] == 503
            subprocess.run(["mount", "-o", f"remount,size={LARGE_DISK}", str(small_disk)], check=True)
            assert await problems_at_rest(stack, ledger) == []
            assert store.pid and count.pid
        await stack.close()
    finally:
        front.finish()
