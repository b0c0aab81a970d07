"""F27, F9: half an hour of everything at once, run by `make soak` and never by itself.

Three store and three count workers, each with a way of its own to Kafka and to ClickHouse that fails in every manner;
workers, broker and ClickHouse are killed and frozen; ClickHouse is away for a third of the time; workers are restarted
in turn and scaled 3 -> 1 -> 3; publications and reclassifications while events flow. Then all checkers.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.delivery import restarts, soak_plan, soak_report
from tests.delivery.ledger import Ledger
from tests.delivery.mix import Mix
from tests.delivery.parts import Front, Kafka, WorkerProcess
from tests.delivery.progress import Progress
from tests.delivery.proxy import FaultProxy
from tests.delivery.resources import Resources, slopes
from tests.delivery.rest import problems_at_rest
from tests.delivery.sampler import Sampler
from tests.delivery.schedule import Target
from tests.delivery.soak import TAKEOVER_SECONDS, Soak
from tests.delivery.soak_report import ROLES
from tests.delivery.stack import Stack

pytestmark = pytest.mark.stack

RATE = 300
MIX = Mix(bad=0.01, again=0.05, history_days=3)
FULL_SECONDS = 1800
FAULTS, DEATHS, REBALANCES = 10_000, 500, 50
"""Of a full run; of a shorter one its share."""
NUMBERS = (1, 2, 3)
REST_SECONDS = 240
CAUGHT_UP = RATE * 2


@pytest.fixture(scope="module")
def seconds(request: pytest.FixtureRequest) -> float:
    given: float | None = request.config.getoption("--fault-seconds", default=None)
    if given is None:
        pytest.skip("needs --seconds: `make soak`")
    return given


@pytest.fixture(scope="module")
def many_ways(seconds: float, kafka_jars: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """Kafka with a way for each worker; nothing is started where the run was not asked for."""
    kafka = Kafka(tmp_path_factory.mktemp("kafka"), ways=len(ROLES) * len(NUMBERS))
    kafka.start()
    yield kafka
    kafka.finish()


async def test_soak(seconds: float, many_ways: Kafka, front: Front, seed: int, tmp_path: Path) -> None:
    await many_ways.up()
    stack = await Stack.made(many_ways, front, tmp_path, partitions=6, store_seconds=0.4, publish_wait_seconds=20)
    try:
        await _soak(seconds, stack, many_ways, front, seed)
    finally:
        await many_ways.restored()
        await front.restored()
        await stack.close()


async def _soak(seconds: float, stack: Stack, kafka: Kafka, front: Front, seed: int) -> None:
    workers, ways = _workers(stack, kafka, front, seed)
    mortal = [worker for worker in stack.workers if not worker.name.endswith("3")]
    plan = soak_plan.drawn(
        seed, seconds, [w for w in ways if w.startswith("kafka")], [w for w in ways if w.startswith("click")],
        [worker.name for worker in mortal], [f"{role} 3" for role in ROLES],
    )  # fmt: skip
    targets: dict[str, Target] = {**stack.processes, **ways}
    soak = Soak(plan, stack, targets, kafka, front, {r: [w for w in mortal if w.name.startswith(r)] for r in ROLES})
    progress, sampler = Progress(stack.settings), Sampler(stack.settings, stack.settings.partitions, every=1)
    resources = Resources(stack.processes)
    for process in (*stack.workers, kafka, front):
        process.supervise()
    takeovers = {}
    async with Ledger(stack.settings, seed, MIX, answer_seconds=20) as ledger:
        async with resources.watching(), sampler.sampling(), progress.watching():
            async with ledger.feeding(RATE):
                await stack.stored(seconds=90)
                await soak.run()
                await progress.caught_up(CAUGHT_UP, REST_SECONDS)
                for role in ROLES:
                    takeovers[role] = await restarts.takeover(workers[role, 1], progress, role)
                    restarts.begin(workers[role, 1])
                    await restarts.ready(workers[role, 1])  # a look at half a million messages takes longer than that
            problems = await problems_at_rest(stack, ledger, sampler.samples, seconds=REST_SECONDS)
        replay = f"python -m tests.delivery --seed {seed} --seconds {seconds:g} test_soak"
        found = soak_report.result(soak, stack, ledger, progress, resources, takeovers, problems, replay)
        found["stale_answers_of_brokers"] = len(sampler.samples) - len(stack.believed(sampler.samples))
    found["problems"] += soak.complaints + _shortfalls(found, soak, progress, seconds) + slopes(
        life for life in resources.growths(soak.backlog) if life.name.startswith(ROLES)
    )  # fmt: skip
    soak_report.write(found, soak)
    soak_report.show(found)
    assert found["problems"] == []


def _workers(
    stack: Stack, kafka: Kafka, front: Front, seed: int
) -> tuple[dict[tuple[str, int], WorkerProcess], Mapping[str, FaultProxy]]:
    """Three of each, each with two ways of its own."""
    workers, ways = {}, {}
    for number, (role, which) in enumerate((role, which) for role in ROLES for which in NUMBERS):
        to_kafka, to_clickhouse = kafka.ways[number], front.way(seed + number)
        ways[f"kafka way of {role} {which}"] = to_kafka
        ways[f"clickhouse way of {role} {which}"] = to_clickhouse
        workers[role, which] = stack.worker(role, which, kafka=to_kafka.address, clickhouse=to_clickhouse.url)
    return workers, ways


def _shortfalls(found: Mapping[str, Any], soak: Soak, progress: Progress, seconds: float) -> list[str]:
    """What the run ought to have done and has not."""
    share = min(1.0, seconds / FULL_SECONDS)
    problems = [
        f"{what}: {is_}, and {wanted * share:.0f} were wanted"
        for what, is_, wanted in (
            ("faults", soak.happened.total(), FAULTS),
            ("deaths and freezes", soak.deaths, DEATHS),
            ("rebalances", soak.rebalances.total(), REBALANCES),
        )
        if is_ < int(wanted * share)
    ]
    for role in ROLES:
        for begin, end in soak.calms(role, progress):
            if all(pause >= end - begin for key, pause in progress.pauses(begin, end).items() if key[0] == role):
                problems.append(f"{role} did not get on in the calm that began at {begin - soak.began:.0f} s")
    late = {role: beyond for role, beyond in found["takeover_beyond_session"].items() if beyond > TAKEOVER_SECONDS}
    problems += [f"{role} took {beyond} s beyond the session to take over" for role, beyond in late.items()]
    return problems + [f"{name}: {found[name]}" for name in ("lost", "doubled") if found[name]]
