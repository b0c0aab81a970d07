"""F28. Told to end, a worker finishes what it has begun, in time, and leaves with 0; told twice, it goes at once."""

import asyncio
import time

import pytest

from tests.delivery.ledger import Ledger
from tests.delivery.mix import Mix
from tests.delivery.parts import Front, WorkerProcess
from tests.delivery.processes import until
from tests.delivery.rest import problems_at_rest
from tests.delivery.sampler import Sampler
from tests.delivery.stack import Stack

pytestmark = pytest.mark.stack

RATE = 800
MIX = Mix(bad=0.02, history_days=10)
STOP_SECONDS = 2.5
"""What an end may take beyond the drain: leaving the groups, closing connections, the interpreter's own end."""


async def announced(stack: Stack) -> list[str]:
    """The notes of the partitions that are left with a run announced and not settled."""
    world = await stack.look()
    notes = [position.note for position in world.store_positions.values() if position]
    return [note for note in notes if ":" in note]


async def told(worker: WorkerProcess, seconds: float) -> int:
    """The exit code after SIGTERM, which must come in time."""
    began = time.monotonic()
    code = await worker.told_to_end(seconds + 20)
    assert time.monotonic() - began < seconds
    return code


async def test_sigterm_under_load_settles_what_is_announced_and_exits_with_0(stack: Stack, seed: int) -> None:
    workers = [stack.worker(role) for role in ("store", "count")]
    limit = stack.settings.drain_seconds + STOP_SECONDS
    async with Ledger(stack.settings, seed, MIX) as ledger:
        sampler = Sampler(stack.settings, stack.settings.partitions)
        async with sampler.sampling(), ledger.feeding(RATE):
            for _ in range(3):
                await stack.stored(await stack.rows())
                await workers[1].ready()
                assert await asyncio.gather(*(told(worker, limit) for worker in workers)) == [0, 0]
                # On a machine too busy for it the drain is cut short and says so: the next worker settles the run.
                assert await announced(stack) == [] or workers[0].logged("drain_cut_short")
                for worker in workers:
                    worker.start()
            await stack.stored(await stack.rows())
        assert await problems_at_rest(stack, ledger, sampler.samples) == []
    assert [worker.happened["terminate"] for worker in workers] == [3, 3]


async def test_sigterm_while_clickhouse_is_away_ends_in_time_and_leaves_the_run_to_the_next(
    stack: Stack, front: Front, seed: int
) -> None:
    way = front.way(seed)
    workers = [stack.worker(role, clickhouse=way.url) for role in ("store", "count")]
    async with Ledger(stack.settings, seed, MIX) as ledger:
        async with ledger.feeding(RATE):
            await stack.stored()
            await workers[1].ready()
            way.hang()
            await asyncio.sleep(1)
            assert way.happened["hang"] > 0
            limit = stack.settings.drain_seconds + STOP_SECONDS
            assert await asyncio.gather(*(told(worker, limit) for worker in workers)) == [0, 0]
            way.heal()
            for worker in workers:
                worker.start()
            await stack.stored(await stack.rows())
        assert await problems_at_rest(stack, ledger) == []


async def test_a_second_sigterm_ends_at_once_and_loses_nothing(stack: Stack, front: Front, seed: int) -> None:
    way = front.way(seed)
    workers = [stack.worker(role, clickhouse=way.url, drain_seconds=30) for role in ("store", "count")]
    async with Ledger(stack.settings, seed, MIX) as ledger:
        async with ledger.feeding(RATE):
            await stack.stored()
            await workers[1].ready()
            way.hang()
            await asyncio.sleep(1)
            for worker in workers:
                worker.terminate()

            async def stopping() -> bool:
                return workers[0].logged("stopping") > 0

            await until("store has begun to drain", stopping)
            assert all(worker.pid for worker in workers)
            began = time.monotonic()
            for worker in workers:
                worker.terminate()
            codes = [await worker.ended() for worker in workers]
            assert time.monotonic() - began < 3
            assert codes == [143, 143]
            way.heal()
            for worker in workers:
                worker.start()
            await stack.stored(await stack.rows())
        assert await problems_at_rest(stack, ledger) == []
