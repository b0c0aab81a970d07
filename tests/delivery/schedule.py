"""Which fault happens when to what: drawn from a seed, printed, and run.

A schedule is a list of steps in order of time. The same seed and menu give the same schedule, so that a run that found
something can be had again. A fault that meets nobody (a way without a connection, a process that is just being started
again) is tried again for a while; one that never really happened is a problem of the run, which has proved nothing.
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

TRY_SECONDS = 15.0
AGAIN_SECONDS = 0.1


class Target(Protocol):
    """Something that faults happen to: a proxy, a process."""

    @property
    def happened(self) -> Counter[str]: ...

    async def inject(self, fault: str, **arguments: Any) -> None:
        """Let it happen, and end it in time. Counts in `happened` under the fault's name."""


class Step(NamedTuple):
    """At so many seconds after the start, one fault to one target."""

    at: float
    fault: str
    target: str
    arguments: Mapping[str, Any] = {}

    def __str__(self) -> str:
        arguments = " ".join(f"{name}={json.dumps(value)}" for name, value in self.arguments.items())
        return f"{self.at:8.3f} s  {self.target:16} {self.fault:10} {arguments}".rstrip()


class Choice(NamedTuple):
    """A fault that may be drawn: `weight` is its share, `ranges` are figures to draw, by argument."""

    fault: str
    target: str
    weight: float = 1
    ranges: Mapping[str, tuple[float, float]] = {}
    arguments: Mapping[str, Any] = {}


def draw(seed: int, seconds: float, menu: Sequence[Choice], every: float) -> list[Step]:
    """Steps over `seconds`, one `every` so many on average; each choice at least once where there is room."""
    chance = random.Random(f"schedule/{seed}")
    number = max(1, round(seconds / every))
    weights = [choice.weight for choice in menu]
    once = chance.sample(list(menu), min(len(menu), number))
    chosen = [*once, *chance.choices(menu, weights, k=number - len(once))]
    chance.shuffle(chosen)
    steps = [Step(round(chance.uniform(0, seconds), 3), c.fault, c.target, _arguments(c, chance)) for c in chosen]
    return sorted(steps, key=lambda step: step.at)


def _arguments(choice: Choice, chance: random.Random) -> dict[str, Any]:
    drawn = {name: round(chance.uniform(low, high), 3) for name, (low, high) in choice.ranges.items()}
    return {**choice.arguments, **drawn}


def announce(seed: int, steps: Iterable[Step], replay: str) -> None:
    """Print what is going to happen, and the command that lets it happen again."""
    print(f"seed {seed}; again with: {replay}")
    for step in steps:
        print(f"  {step}")


async def run(steps: Sequence[Step], targets: Mapping[str, Target]) -> list[str]:
    """Let it all happen; return when the last fault has ended. A sentence for each fault that never happened."""
    before = {name: Counter(target.happened) for name, target in targets.items()}
    started = time.monotonic()

    async def take(step: Step) -> None:
        await asyncio.sleep(max(0.0, started + step.at - time.monotonic()))
        target, deadline = targets[step.target], time.monotonic() + TRY_SECONDS
        happened = target.happened[step.fault]
        while target.happened[step.fault] == happened and time.monotonic() < deadline:
            await target.inject(step.fault, **step.arguments)
            await asyncio.sleep(AGAIN_SECONDS)

    async with asyncio.TaskGroup() as group:
        for step in steps:
            group.create_task(take(step))
    return vacuous(steps, before, {name: target.happened for name, target in targets.items()})


def vacuous(steps: Iterable[Step], before: Mapping[str, Counter[str]], after: Mapping[str, Counter[str]]) -> list[str]:
    """A sentence for each fault that was asked for and of which no counter tells."""
    asked = sorted({(step.target, step.fault) for step in steps})
    return [
        f"{fault} of {target} was in the schedule and never happened"
        for target, fault in asked
        if after[target][fault] <= before[target][fault]
    ]
