"""F8. A worker that stood still while its partitions went to another: what it does when it wakes up changes nothing."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from streams.failpoints import Step
from tests.delivery.beside import Beside, side_by_side
from tests.delivery.ledger import Ledger
from tests.delivery.mix import Mix
from tests.delivery.parts import Front, Kafka, WorkerProcess
from tests.delivery.processes import until
from tests.delivery.proxy import Direction, Fault
from tests.delivery.rest import problems_at_rest
from tests.delivery.sampler import Sampler
from tests.delivery.stack import Stack

pytestmark = pytest.mark.stack
beside = Beside()

RATE = 400
MIX = Mix(bad=0.02, history_days=10)
FAILPOINTS = "SYNCLOGS_FAILPOINTS"


async def took_over(worker: WorkerProcess, stack: Stack, messages: float = 500) -> None:
    """Wait until this one has all partitions and has worked through so many messages."""

    async def working() -> bool:
        every = await worker.metric("synclogs_partitions_assigned") == stack.settings.partitions
        return every and await worker.metric("synclogs_records_consumed_total") >= messages

    await until(f"{worker.name} has taken over", working)


async def frozen(worker: WorkerProcess) -> None:
    async def stands_still() -> bool:
        return worker.logged("failpoint") > 0

    await until(f"{worker.name} stands still", stands_still)


@beside
async def test_workers_frozen_past_their_session_have_nothing_to_say_when_they_wake(stack: Stack, seed: int) -> None:
    sleepers = [stack.worker(role, 1) for role in ("store", "count")]
    for sleeper in sleepers:
        sleeper.supervise()
    async with Ledger(stack.settings, seed, MIX) as ledger:
        sampler = Sampler(stack.settings, stack.settings.partitions)
        async with sampler.sampling(), ledger.feeding(RATE):
            await stack.stored()
            await sleepers[1].ready()
            for sleeper in sleepers:
                assert sleeper.freeze()
            for role in ("store", "count"):
                await took_over(stack.worker(role, 2), stack)
            for sleeper in sleepers:
                sleeper.thaw()
            await stack.stored(await stack.rows())
        assert await problems_at_rest(stack, ledger, sampler.samples) == []
    assert [sleeper.happened["freeze"] for sleeper in sleepers] == [1, 1]


async def test_a_store_worker_frozen_at_a_step_of_a_run_finds_it_done_by_another(
    node: Kafka, front: Front, tmp_path: Path, seed: int
) -> None:
    steps = (Step.STORE_ANNOUNCED, Step.STORE_INSERTING, Step.STORE_SETTLING)
    await side_by_side(node, front, tmp_path, seed, {step: partial(frozen_at, step=step) for step in steps})


async def frozen_at(stack: Stack, seed: int, step: Step) -> None:
    sleeper = stack.worker("store", 1, environment={FAILPOINTS: f"{step}:freeze@3"})
    stack.worker("count")
    async with Ledger(stack.settings, seed, MIX) as ledger:
        sampler = Sampler(stack.settings, stack.settings.partitions)
        async with sampler.sampling(), ledger.feeding(RATE):
            await frozen(sleeper)
            successor = stack.worker("store", 2)
            await took_over(successor, stack)
            assert await successor.metric("synclogs_batches_reformed_total") >= 1
            sleeper.thaw()
            await stack.stored(await stack.rows())
        assert await problems_at_rest(stack, ledger, sampler.samples) == []


@beside
async def test_inserts_that_arrive_after_their_run_was_stored_by_another(stack: Stack, front: Front, seed: int) -> None:
    """The bytes of an insert are on their way while its sender is frozen; they arrive when the partition has moved."""
    way = front.way(seed)
    sleeper = stack.worker("store", 1, clickhouse=way.url)
    stack.worker("count")
    async with Ledger(stack.settings, seed, MIX) as ledger:
        sampler = Sampler(stack.settings, stack.settings.partitions)
        async with sampler.sampling(), ledger.feeding(RATE):
            await stack.stored()
            way.hold(Direction.REQUESTS)

            async def under_way() -> bool:
                return way.happened[Fault.HOLD] > 0

            await until("an insert is under way", under_way)
            assert sleeper.freeze()
            await took_over(stack.worker("store", 2), stack)
            passed = way.passed[Direction.REQUESTS]
            way.heal()

            async def arrived() -> bool:
                return way.passed[Direction.REQUESTS] > passed

            await until("what was under way arrives", arrived)
            await asyncio.sleep(0.5)
            sleeper.thaw()
            await stack.stored(await stack.rows())
        assert await problems_at_rest(stack, ledger, sampler.samples) == []
