"""F1. A worker that is killed at any step of its protocol, or at any moment, loses nothing and doubles nothing.

Each step has a system of its own; several live beside each other, since most of a test is waiting for the session of a
dead worker to end.
"""

import asyncio
import random
import signal
from functools import partial
from pathlib import Path

import pytest

from streams.failpoints import Step
from tests.delivery import schedule
from tests.delivery.beside import side_by_side
from tests.delivery.ledger import Ledger
from tests.delivery.mix import Mix
from tests.delivery.parts import Front, Kafka, WorkerProcess
from tests.delivery.processes import Blow
from tests.delivery.rest import problems_at_rest
from tests.delivery.sampler import Sampler
from tests.delivery.schedule import Choice
from tests.delivery.stack import Stack

pytestmark = pytest.mark.stack

FAILPOINTS = "SYNCLOGS_FAILPOINTS"
STORE = [step for step in Step if step.startswith("store.")]
COUNT = [step for step in Step if step.startswith("count.")]
RATE = 300
MIX = Mix(bad=0.02, again=0.05)


def lives(step: Step, chance: random.Random) -> list[str]:
    """What is armed in each life of a worker; in the last one it lives on."""
    if step is Step.STORE_REFORMED:  # nothing is formed again unless it was announced and not settled
        return [f"{Step.STORE_ANNOUNCED}:kill@{chance.randint(2, 6)}", f"{step}:kill", ""]
    # The second partition, or a batch in the middle of the traffic.
    most = 2 if step in (Step.STORE_OPENED, Step.COUNT_OPENED) else 8
    return [f"{step}:kill@{chance.randint(2, most)}", ""]


async def live_through(stack: Stack, role: str, armed: list[str]) -> WorkerProcess:
    worker = stack.worker(role, environment={FAILPOINTS: armed[0]})
    for number, after in enumerate(armed[1:], 1):
        assert await worker.ended(60) == -signal.SIGKILL
        assert worker.logged("failpoint") == number  # where it should, and not for another reason
        worker.environment[FAILPOINTS] = after
        worker.start()
    return worker


@pytest.mark.parametrize("third", range(3))
async def test_a_worker_killed_at_a_step_of_its_protocol_loses_and_doubles_nothing(
    third: int, node: Kafka, front: Front, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    pairs = [(step, COUNT[number % len(COUNT)]) for number, step in enumerate(STORE)][third::3]
    scenarios = {
        f"{store} and {count}": partial(killed_at, store=lives(store, chance), count=lives(count, chance))
        for store, count in pairs
    }
    await side_by_side(node, front, tmp_path, seed, scenarios)


async def killed_at(stack: Stack, seed: int, store: list[str], count: list[str]) -> None:
    async with Ledger(stack.settings, seed, MIX) as ledger:
        sampler = Sampler(stack.settings, stack.settings.partitions)
        async with sampler.sampling(), ledger.feeding(RATE):
            await asyncio.gather(live_through(stack, "store", store), live_through(stack, "count", count))
            await stack.stored(await stack.rows())  # the last life works
        assert await problems_at_rest(stack, ledger, sampler.samples) == []


async def test_workers_killed_at_random_moments_lose_and_double_nothing(stack: Stack, seed: int) -> None:
    workers = [stack.worker(role, number) for role in ("store", "count") for number in (1, 2)]
    targets = {worker.name: worker for worker in workers}
    steps = schedule.draw(seed, 14, [Choice(Blow.KILL, name) for name in targets], every=2)
    schedule.announce(seed, steps, f"python -m tests.delivery --seed {seed}")
    sampler = Sampler(stack.settings, stack.settings.partitions)
    async with Ledger(stack.settings, seed, MIX) as ledger, sampler.sampling(), ledger.feeding(RATE):
        await stack.stored()
        for worker in workers:
            worker.supervise()
        assert await schedule.run(steps, targets) == []
        await stack.stored(await stack.rows())
    assert await problems_at_rest(stack, ledger, sampler.samples) == []
