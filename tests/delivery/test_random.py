"""F27, for as long as one likes: everything that can happen to the parts, at random moments and at once.

Without options it is short and has servers of its own. `python -m tests.delivery --seconds 1800` is the same for half
an hour; `--stack data/stack.json` does it to the processes of a `synclogs dev` that is up, among its own traffic.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.delivery import schedule
from tests.delivery.ledger import Ledger, Outcome, Sent
from tests.delivery.mix import Mix
from tests.delivery.parts import Front, Kafka
from tests.delivery.processes import Process
from tests.delivery.recount import read
from tests.delivery.rest import problems_at_rest
from tests.delivery.sampler import Sampler
from tests.delivery.schedule import Choice, Target
from tests.delivery.stack import Stack
from tests.delivery.world import World

pytestmark = pytest.mark.stack

SECONDS = 12.0
RATE = 300
MIX = Mix(bad=0.02, again=0.05, history_days=10)
REST_SECONDS = 120
SPOILT = b"broken-emitter"
"""The tenant of messages of the simulator that are no events."""


def to_workers(names: Sequence[str]) -> list[Choice]:
    found = []
    for name in names:
        found += [
            Choice("kill", name, 2),
            Choice("terminate", name),
            Choice("freeze", name, ranges={"seconds": (0.2, 9)}),
        ]
    return found


def to_servers(names: Sequence[str]) -> list[Choice]:
    """Rarely: a broker is down for seconds, in which nothing else can go wrong."""
    kills = [Choice("kill", name, 0.3) for name in names]
    return [*kills, *(Choice("freeze", name, 0.5, ranges={"seconds": (0.2, 2)}) for name in names)]


def to_ways(names: Sequence[str]) -> list[Choice]:
    lasting = {"seconds": (0.2, 3.0)}
    found = []
    for name in names:
        found += [
            Choice("cut", name),
            Choice("reset", name),
            Choice("down", name, ranges=lasting),
            Choice("flap", name, ranges=lasting | {"down": (0.05, 0.4), "up": (0.05, 0.4)}),
            Choice("hold", name, ranges={"seconds": (0.2, 8)}),
            Choice("latency", name, ranges=lasting | {"delay": (0.01, 0.2)}),
            Choice("slice", name, ranges={"seconds": (0.2, 1)}, arguments={"size": 100}),
        ]
    return found


async def test_random_faults_to_everything(
    stack: Stack, node: Kafka, front: Front, seed: int, request: pytest.FixtureRequest
) -> None:
    if request.config.getoption("--fault-stack", default=None):
        pytest.skip("the faults are for the stack that is up")
    seconds: float = request.config.getoption("--fault-seconds", default=None) or SECONDS
    ways = {"kafka way": node.ways[0], "clickhouse way": front.way(seed)}
    menu = [*to_workers(["store 1", "store 2", "count 1", "count 2"]), *to_servers(["kafka", "clickhouse"])]
    steps = schedule.draw(seed, seconds, [*menu, *to_ways(list(ways))], every=1.2)
    schedule.announce(seed, steps, f"python -m tests.delivery --seed {seed} --seconds {seconds:g}")
    for role in ("store", "count"):
        stack.worker(role, 1, kafka=ways["kafka way"].address, clickhouse=ways["clickhouse way"].url)
        stack.worker(role, 2)
    for worker in (*stack.workers, node, front):
        worker.supervise()
    async with Ledger(stack.settings, seed, MIX) as ledger:
        sampler = Sampler(stack.settings, stack.settings.partitions)
        async with sampler.sampling(), ledger.feeding(RATE):
            await stack.stored()
            assert await schedule.run(steps, {**stack.processes, **ways}) == []
        assert await problems_at_rest(stack, ledger, sampler.samples, seconds=REST_SECONDS) == []


async def test_random_faults_to_a_stack_that_is_up(seed: int, request: pytest.FixtureRequest) -> None:
    file: Path | None = request.config.getoption("--fault-stack", default=None)
    if file is None:
        pytest.skip("needs --stack, the stack.json of a running `synclogs dev`")
    seconds: float = request.config.getoption("--fault-seconds", default=None) or SECONDS
    stack = Stack.from_file(file)
    targets: Mapping[str, Target] = stack.processes
    workers = [name for name in targets if name.startswith(("store", "count", "web", "publish"))]
    servers = [name for name in targets if name.startswith(("kafka", "clickhouse"))]
    steps = schedule.draw(seed, seconds, [*to_workers(workers), *to_servers(servers)], every=1.5)
    schedule.announce(seed, steps, f"python -m tests.delivery --seed {seed} --seconds {seconds:g} --stack {file}")
    simulator: Process | None = stack.processes.get("simulate 1")
    async with Ledger(stack.settings, seed, Mix(bad=0.02, same_ids=False)) as ledger:
        async with ledger.feeding(100):
            assert await schedule.run(steps, targets) == []
        if simulator:
            simulator.freeze()  # the checkers look at a stack at rest
        try:
            await stack.settled(seconds=REST_SECONDS)
            ledger.entries += strangers(await stack.look(), ledger.entries)
            assert await problems_at_rest(stack, ledger, seconds=REST_SECONDS) == []
        finally:
            if simulator:
                simulator.thaw()
            await stack.close()


def strangers(world: World, entries: Sequence[Sent]) -> list[Sent]:
    """What others sent into a stack that is up: all of it that is readable was acknowledged to somebody."""
    ours = {entry.value for entry in entries}
    found = []
    for message in world.messages:
        if message.value not in ours:
            event = None if SPOILT in (message.value or b"") else read(message)
            name = event.event_id if event else f"of a stranger at {message.partition}@{message.offset}"
            found.append(
                Sent(name, message.key, message.value, (), message.partition, Outcome.ACKNOWLEDGED, event is not None)
            )
    return found
