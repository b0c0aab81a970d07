"""F9. Rebalances under load: workers restarted in turn, more and fewer of them, and one that dies and stays away.

Nothing is lost, nothing comes twice, and no partition stands still for longer than a session and ten seconds, as its
committed positions tell. A planned restart must not even cost the session: whoever is told to end leaves the group.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from tests.delivery import restarts
from tests.delivery.beside import side_by_side
from tests.delivery.ledger import Ledger
from tests.delivery.mix import Mix
from tests.delivery.parts import Front, Kafka
from tests.delivery.processes import until
from tests.delivery.progress import Progress
from tests.delivery.rest import problems_at_rest
from tests.delivery.sampler import Sampler
from tests.delivery.stack import Stack

pytestmark = pytest.mark.stack

RATE = 200
MIX = Mix(bad=0.01, again=0.03)
PARTITIONS = 3
CYCLES = 5
PAUSE_SECONDS = 10
"""Beyond the session time-out."""
ROLES = ("store", "count")


@pytest_asyncio.fixture
async def stack(node: Kafka, front: Front, tmp_path: Path) -> AsyncIterator[Stack]:
    """With a partition for each of three workers."""
    stack = await Stack.made(node, front, tmp_path, partitions=PARTITIONS)
    yield stack
    await stack.close()


def longest(progress: Progress, stack: Stack, began: float) -> dict[str, float]:
    """The pauses that were too long."""
    pauses = {f"{role} {number}": p for (role, number), p in progress.pauses(began, time.monotonic()).items()}
    print(f"longest pauses: { ({name: round(pause, 1) for name, pause in pauses.items()}) }")
    return {name: pause for name, pause in pauses.items() if pause > stack.settings.session_seconds + PAUSE_SECONDS}


async def test_workers_restarted_in_turn_and_from_one_to_three_and_back_lose_nothing(stack: Stack, seed: int) -> None:
    workers = {role: [stack.worker(role)] for role in ROLES}
    sampler, progress = Sampler(stack.settings, PARTITIONS), Progress(stack.settings)
    async with Ledger(stack.settings, seed, MIX) as ledger:
        async with sampler.sampling(), progress.watching(), ledger.feeding(RATE):
            await stack.stored()
            await progress.caught_up(RATE, 40)
            began = time.monotonic()
            for role in ROLES:
                workers[role] += [stack.worker(role, number) for number in (2, 3)]
            for worker in stack.workers:
                worker.supervise()
                await worker.ready()
            for _ in range(CYCLES):
                killed = await asyncio.gather(*(restarts.roll(each, restarts.ready) for each in workers.values()))
                assert killed == [0, 0], "a worker did not end within its grace period"
            killed = await asyncio.gather(*(restarts.scale_down(each[1:]) for each in workers.values()))
            assert killed == [0, 0], "a worker did not end within its grace period"
            await progress.caught_up(RATE, 40)
            assert longest(progress, stack, began) == {}
        assert await problems_at_rest(stack, ledger, sampler.samples) == []


async def test_partitions_of_a_worker_that_died_go_on_with_another(
    node: Kafka, front: Front, tmp_path: Path, seed: int
) -> None:
    scenarios = {role: partial(taken_over, role=role) for role in ROLES}
    await side_by_side(node, front, tmp_path, seed, scenarios, partitions=PARTITIONS)


async def taken_over(stack: Stack, seed: int, role: str) -> None:
    other = next(one for one in ROLES if one != role)
    dying, _, _ = stack.worker(role, 1), stack.worker(role, 2), stack.worker(other)
    progress = Progress(stack.settings)
    async with Ledger(stack.settings, seed, MIX) as ledger:
        async with progress.watching(), ledger.feeding(RATE):
            for worker in stack.workers:
                await worker.ready()
            await progress.caught_up(RATE, 40)

            async def has_some() -> bool:
                return await dying.metric("synclogs_partitions_assigned") > 0

            await until("the worker that is to die has partitions", has_some)
            seconds = await restarts.takeover(dying, progress, role)
            print(f"{role}: every partition has moved on {seconds:.1f} s after kill -9")
            assert seconds < stack.settings.session_seconds + PAUSE_SECONDS
        del stack.processes[dying.name]  # it stays away
        assert await problems_at_rest(stack, ledger) == []
