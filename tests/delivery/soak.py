"""The long run itself: lets a `Plan` happen, restarts workers by plan, publishes, and keeps count of what really was.

In go the plan, the stack and the ways to it; `Soak.run` returns when the last calm has ended. Faults that met nobody
for seconds are counted as such, and prove nothing.
"""

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence

from tests.delivery import restarts
from tests.delivery.parts import Front, Kafka, WorkerProcess, environment_of
from tests.delivery.progress import Progress
from tests.delivery.schedule import AGAIN_SECONDS, Step, Target
from tests.delivery.soak_plan import Plan
from tests.delivery.stack import Stack

DEATHS = ("kill", "terminate", "freeze")
SCALED_SECONDS = 4.0
TRY_SECONDS = 3.0
"""A fault that met nobody for so long makes room for the next."""
DRAIN_SECONDS = 90.0
TAKEOVER_SECONDS = 10
"""Beyond the session time-out, until every partition gets on."""
PUBLISH_AFTER = 30.0
PUBLISH_SECONDS = 50.0
"""A publication that waits for store any longer is told to end: what it waits for may be away for minutes."""


class Soak:
    """`targets` are the plan's by name; `workers` by role, the first ones of each are those that may die."""

    def __init__(
        self, plan: Plan, stack: Stack, targets: Mapping[str, Target], kafka: Kafka, front: Front,
        workers: Mapping[str, Sequence[WorkerProcess]],
    ) -> None:  # fmt: skip
        self.plan = plan
        self.happened: Counter[tuple[str, str]] = Counter()
        """Faults that really happened, by the kind of their target and their name."""
        self.met_nobody = 0
        self.rebalances: Counter[str] = Counter()
        """Rolling restarts and scalings, by role."""
        self.not_in_time: list[str] = []
        """Processes that did not end within the grace period after SIGTERM."""
        self.outage_seconds = 0.0
        self.publications: Counter[str] = Counter()
        self.complaints: list[str] = []
        self.began = 0.0
        self.mended = 0
        """Brokers that were started again because a coordinator had failed."""
        self._stack, self._targets, self._workers = stack, targets, workers
        self._kafka, self._front = kafka, front

    @property
    def deaths(self) -> int:
        """Processes that were killed, told to end or frozen, the restarts by plan included."""
        return sum(n for (_, fault), n in self.happened.items() if fault in DEATHS)

    async def run(self) -> None:
        self.began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for target, steps in self.plan.steps.items():
                group.create_task(self._hurt(self._targets[target], kind_of(target), steps))
            group.create_task(self._outage())
            group.create_task(self._rebalance())
            group.create_task(self._publish())
            group.create_task(self._mend())
            group.create_task(self._until(self.plan.seconds))

    def calms(self, role: str, progress: Progress) -> list[tuple[float, float]]:
        """The calm windows of a role by `time.monotonic`, each from when Kafka was there; for store none of the
        outage. One that is shorter than what a takeover may take is none."""
        wanted = [w for w in self.plan.calms if role == "count" or not self.plan.outage.meets(*w)]
        windows = [(self.began + begin, self.began + end) for begin, end in wanted]
        there = [(progress.answered(begin, end), end) for begin, end in windows]
        shortest = self._stack.settings.session_seconds + TAKEOVER_SECONDS
        return [(begin, end) for begin, end in there if end - begin >= shortest]

    @property
    def backlog(self) -> tuple[float, float]:
        """From when ClickHouse is away until what waited for it has been stored, by `time.monotonic`: buffers fill in
        that time, once and within their bounds, which is no leak."""
        return self.began + self.plan.outage.begin, self.began + self.plan.outage.end + DRAIN_SECONDS

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, self.began + at - time.monotonic()))

    async def _hurt(self, target: Target, kind: str, steps: Sequence[Step]) -> None:
        """One after another; a fault that meets nobody is tried again for a while, and never after its burst."""
        for step in steps:
            await self._until(step.at)
            end = min(self.began + self.plan.burst_of(step.at).end, time.monotonic() + TRY_SECONDS)
            before = target.happened[step.fault]
            while target.happened[step.fault] == before and time.monotonic() < end:
                await target.inject(step.fault, **step.arguments)
                if target.happened[step.fault] == before:
                    await asyncio.sleep(AGAIN_SECONDS)
            if target.happened[step.fault] > before:
                self.happened[kind, step.fault] += 1
            else:
                self.met_nobody += 1

    async def _outage(self) -> None:
        await self._until(self.plan.outage.begin)
        began = time.monotonic()
        await self._front.unsupervised()
        assert self._front.kill() is not None, "ClickHouse was not there to be taken away"
        self.happened["clickhouse", "kill"] += 1
        await self._until(self.plan.outage.end)
        self._front.start()
        self._front.supervise()
        await self._front.up()
        self.outage_seconds = time.monotonic() - began

    async def _mend(self) -> None:
        while self._left(self.plan.seconds) > 0:
            self.mended += self._kafka.mend()
            await asyncio.sleep(1)

    async def _rebalance(self) -> None:
        """In each burst a rolling restart of one kind of worker and fewer and more of the other; in turns."""
        roles = sorted(self._workers)
        for number, burst in enumerate(self.plan.bursts):
            await self._until(burst.begin + 1)
            await self._roll(roles[number % 2])
            if self._left(burst.end) > SCALED_SECONDS + 8:
                await self._scale(roles[(number + 1) % 2])

    def _left(self, at: float) -> float:
        return self.began + at - time.monotonic()

    async def _roll(self, role: str) -> None:
        workers = self._workers[role]
        self._note(role, await restarts.roll(workers, restarts.ready_or_not), len(workers))

    async def _scale(self, role: str) -> None:
        """3 -> 1 -> 3: each of the two is a rebalance of its own."""
        killed = await restarts.scale_down(self._workers[role])
        await asyncio.sleep(SCALED_SECONDS)
        restarts.scale_up(self._workers[role])
        self._note(role, killed, len(self._workers[role]))
        self.rebalances[role] += 1

    def _note(self, role: str, killed: int, workers: int) -> None:
        self.rebalances[role] += 1
        self.happened["worker", "terminate"] += workers
        self.not_in_time += [role] * killed

    async def _publish(self) -> None:
        """In each burst, to end in its calm: a publication, and in turns a `reclassify`."""
        async for number, moment in self._moments():
            await self._until(moment)
            command = ["reclassify"] if number % 3 == 2 else ["publish", "--now"]
            await self._command(command)

    async def _moments(self) -> AsyncIterator[tuple[int, float]]:
        moments = [window.begin + PUBLISH_AFTER for window in self.plan.bursts]
        for number, moment in enumerate(moments):
            if self._left(moment) > 0:  # the one before may have waited beyond it
                yield number, moment

    async def _command(self, command: Sequence[str]) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "streams.cli", *command, env=environment_with(self._stack),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        talk = asyncio.create_task(process.communicate())
        done, _ = await asyncio.wait({talk}, timeout=PUBLISH_SECONDS)
        if not done:
            process.terminate()
            await asyncio.wait({talk}, timeout=10)
            if process.returncode is None:
                process.kill()
                self.complaints.append(f"{command[0]} did not end within 10 s after SIGTERM")
        said = (await talk)[0].decode(errors="replace")
        outcome = "done" if process.returncode == 0 else "refused" if done else "told to end"
        self.publications[f"{command[0]} {outcome}"] += 1
        if "Traceback" in said:
            self.complaints.append(f"{command[0]} ended with {process.returncode} and a traceback: {said[-2000:]}")


def kind_of(target: str) -> str:
    """`worker`, `kafka`, `clickhouse`, `kafka way` or `clickhouse way`."""
    if "way" in target:
        return target.split(" of ")[0]
    return "worker" if target.startswith(("store", "count")) else target


def environment_with(stack: Stack) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("SYNCLOGS_")}
    return inherited | environment_of(stack.settings)
