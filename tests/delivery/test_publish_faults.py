"""F20. A publisher that dies at any step, sleeps at one, or is not alone: readers see one snapshot whole, and in the
end it is the right one. Events flow all the while.
"""

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from streams.errors import SyncLogsError
from streams.failpoints import Step
from tests.delivery.beside import Beside, side_by_side
from tests.delivery.ledger import Ledger
from tests.delivery.mix import Mix
from tests.delivery.parts import Front, Kafka, environment_of, fake_clock, shifted
from tests.delivery.processes import until
from tests.delivery.rest import problems_at_rest
from tests.delivery.stack import Stack

pytestmark = pytest.mark.stack
beside = Beside()

RATE = 150
MIX = Mix(bad=0.01, again=0.05)
STEPS = [step for step in Step if step.startswith("publish.")]
COMMITTED = (Step.PUBLISH_POINTED, Step.PUBLISH_TIDIED)
_POINTER = """SELECT number, arrayMap(a -> toString(a), attempts), syncs, succeeded, failed, skipped
    FROM snapshots ORDER BY number DESC LIMIT 1"""
_UNDER_IT = """SELECT
    (SELECT count() FROM published_failures WHERE attempt_id IN {a:Array(UUID)}),
    (SELECT (count(), sum(s), sum(f), sum(k)) FROM (
        SELECT argMax(succeeded, snapshot) AS s, argMax(failed, snapshot) AS f, argMax(skipped, snapshot) AS k
        FROM published_syncs WHERE attempt_id IN {a:Array(UUID)} GROUP BY tenant_id, direction, sync_id))"""


class Publisher:
    """One `synclogs publish --now`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def started(cls, stack: Stack, armed: str = "", more: Mapping[str, str] | None = None) -> "Publisher":
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SYNCLOGS_")}
        environment = inherited | environment_of(stack.settings) | {"SYNCLOGS_FAILPOINTS": armed} | dict(more or {})
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "streams.cli",
                "publish",
                "--now",
                env=environment,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
        )

    async def ended(self) -> tuple[int, str]:
        """Exit code, and what it said."""
        async with asyncio.timeout(60):
            said, _ = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, said.decode()

    async def frozen(self) -> None:
        async def stopped() -> bool:
            with open(f"/proc/{self.process.pid}/stat") as stat:
                return stat.read().rpartition(")")[2].split()[0] == "T"

        await until("the publisher has stopped", stopped)


async def publish(stack: Stack, armed: str = "", more: Mapping[str, str] | None = None) -> tuple[int, str]:
    return await (await Publisher.started(stack, armed, more)).ended()


@asynccontextmanager
async def reading(stack: Stack) -> AsyncIterator[list[int]]:
    """Readers look all the while: what stands under the pointer is what the pointer says. The numbers they saw."""
    numbers: list[int] = []

    async def read() -> None:
        while True:
            with contextlib.suppress(SyncLogsError):
                for number, attempts, *totals in await asyncio.to_thread(stack.sql, _POINTER):
                    ((failures, syncs),) = await asyncio.to_thread(stack.sql, _UNDER_IT, a=attempts)
                    assert (list(syncs), failures) == (totals, totals[2]), f"snapshot {number} is not whole"
                    numbers.append(number)
            await asyncio.sleep(0.05)

    task = asyncio.create_task(read())
    try:
        yield numbers
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def flowing(stack: Stack, seed: int) -> AsyncIterator[list[int]]:
    """Traffic, both workers, readers; at the end a last publication, and everything is checked."""
    for role in ("store", "count"):
        stack.worker(role)
    async with Ledger(stack.settings, seed, MIX) as ledger:
        async with reading(stack) as numbers:
            async with ledger.feeding(RATE):
                await stack.stored()
                yield numbers
            await stack.settled()
            code, said = await publish(stack)
            assert code == 0, said
            wanted = latest(stack)

            async def seen() -> bool:
                return bool(numbers) and numbers[-1] == wanted

            await until("readers see the last snapshot", seen)
        assert numbers == sorted(numbers)
        assert await problems_at_rest(stack, ledger) == []
    assert stack.sql("SELECT count() - uniqExact(number) FROM snapshots") == [(0,)]


def latest(stack: Stack) -> int:
    return int(stack.sql("SELECT max(number) FROM snapshots")[0][0])


@beside
async def test_a_publisher_killed_at_any_step_leaves_the_snapshot_before_or_the_new_one(
    stack: Stack, seed: int
) -> None:
    async with flowing(stack, seed):
        before = latest(stack)
        early = [step for step in STEPS if step not in COMMITTED]
        for some in (early[:4], early[4:]):  # beside each other, to save time: none of them comes to its end
            ends = await asyncio.gather(*(publish(stack, f"{step}:kill") for step in some))
            assert [code for code, _ in ends] == [-signal.SIGKILL] * len(some), ends
            assert latest(stack) == before
        for number, step in enumerate(COMMITTED, before + 1):
            code, said = await publish(stack, f"{step}:kill")
            assert code == -signal.SIGKILL, (step, said)
            assert latest(stack) == number


@beside
async def test_of_publishers_that_run_at_once_each_number_is_won_by_one(stack: Stack, seed: int) -> None:
    async with flowing(stack, seed):
        waits = f"{Step.PUBLISH_POINTING}:delay=2@1"  # so that all have appended before one of them points
        publishers = [await Publisher.started(stack, armed) for armed in (waits, waits, "")]
        ends = [await publisher.ended() for publisher in publishers]
        assert [code for code, _ in ends] == [0, 0, 0], "\n".join(said for _, said in ends)
        assert any("another publisher was faster" in said for _, said in ends), ends


@beside
async def test_a_publisher_that_slept_while_another_published_changes_nothing(stack: Stack, seed: int) -> None:
    async with flowing(stack, seed):
        sleeper = await Publisher.started(stack, f"{Step.PUBLISH_POINTING}:freeze@1")
        await sleeper.frozen()
        code, said = await publish(stack)
        assert code == 0, said
        number = latest(stack)
        sleeper.process.send_signal(signal.SIGCONT)
        code, said = await sleeper.ended()
        assert code == 0 and "another publisher was faster" in said, said
        assert latest(stack) == number


@pytest.mark.skipif(fake_clock() is None, reason="libfaketime is missing (package faketime)")
async def test_a_publisher_whose_clock_is_wrong_publishes_what_the_offsets_say(
    node: Kafka, front: Front, tmp_path: Path, seed: int
) -> None:
    """F12. The moment is worded wrongly; what is in the snapshot is decided by offsets."""
    clocks = ("+3h", "-1d")
    await side_by_side(node, front, tmp_path, seed, {clock: partial(published, clock=clock) for clock in clocks})


async def published(stack: Stack, seed: int, clock: str) -> None:
    async with Ledger(stack.settings, seed, MIX) as ledger:
        for role in ("store", "count"):
            stack.worker(role, clock=clock)
        async with ledger.feeding(RATE):
            await stack.stored()
        await stack.settled()
        code, said = await publish(stack, more=shifted(clock))
        assert code == 0, said
        ((cuts, total),) = stack.sql("SELECT cuts, succeeded + failed + skipped FROM snapshots")
        world = await stack.look()
        assert cuts == world.ends
        assert total == len({row.event_id for row in world.rows})
        problems = await problems_at_rest(stack, ledger)
    assert [problem for problem in problems if not _only_in_outcome(problem)] == []


def _only_in_outcome(problem: str) -> bool:
    """Whether a sync differs in its outcome and in nothing else: that depends on what the publisher takes for now."""
    without = re.sub(r"outcome='\w*'", "", problem)
    found = re.fullmatch(r".*\bsync .* is published as (.*), the log says (.*)", without)
    return found is not None and found[1] == found[2]
