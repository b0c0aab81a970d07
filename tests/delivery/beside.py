"""Systems that live beside each other on the same servers: most of a fault test is waiting for a session or a time-out
to end, and as many can wait at once as the machine can feed.

Not for tests that kill a server, or that hold a time against a tight limit.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from tests.delivery.parts import Front, Kafka
from tests.delivery.stack import Stack

Scenario: TypeAlias = Callable[[Stack, int], Awaitable[None]]
"""What happens to a system, with a seed of its own."""
Ends: TypeAlias = Mapping[str, Exception | None]
"""What scenarios raised, by their names."""


async def side_by_side(
    node: Kafka, front: Front, folder: Path, seed: int, scenarios: Mapping[str, Scenario], **changed: Any
) -> None:  # fmt: skip
    """Give each scenario a system of its own, with these settings. Raises what they raise, with their names."""
    seeds = {name: seed + number for number, name in enumerate(scenarios)}
    ends = await _ends(node, front, folder, scenarios, seeds, changed)
    if problems := [problem for problem in ends.values() if problem]:
        raise ExceptionGroup("of systems beside each other", problems)


class Beside:
    """Decorates tests of a module that run beside each other when the first of them is due; each tells its own end.

    They may ask for `stack`, `front` and `seed`. The module's one is called `beside`: the fixture `ends` looks for it.
    What all of them print stands at the set-up of the first, and all together must end within pytest's time-out.
    """

    def __init__(self) -> None:
        self._tests: dict[str, Callable[..., Awaitable[None]]] = {}

    def __call__(self, test: Callable[..., Awaitable[None]]) -> Callable[[Ends], None]:
        name = test.__name__
        self._tests[name] = test

        def told(ends: Ends) -> None:
            problem = ends[name]
            if problem:
                raise problem

        told.__doc__ = test.__doc__
        return told

    async def run(
        self, node: Kafka, front: Front, folder: Path, seeds: Mapping[str, int], chosen: Collection[str]
    ) -> Ends:  # fmt: skip
        """How those that are chosen ended."""

        def scenario(name: str) -> Scenario:
            test = self._tests[name]
            wanted = inspect.signature(test).parameters

            async def play(stack: Stack, seed: int) -> None:
                given = {"stack": stack, "front": front, "seed": seed}
                await test(**{parameter: given[parameter] for parameter in wanted})

            return play

        scenarios = {name: scenario(name) for name in self._tests if name in chosen}
        return await _ends(node, front, folder, scenarios, seeds, {})


async def _ends(
    node: Kafka, front: Front, folder: Path, scenarios: Mapping[str, Scenario], seeds: Mapping[str, int],
    changed: Mapping[str, Any],
) -> Ends:  # fmt: skip
    async def one(number: int, name: str, scenario: Scenario) -> Exception | None:
        own = folder / str(number)
        own.mkdir()
        try:
            stack = await Stack.made(node, front, own, **changed)
            try:
                await scenario(stack, seeds[name])
            finally:
                await stack.close()
        except Exception as problem:  # the others go on
            problem.add_note(f"in {name}, its files in {own}")
            return problem
        return None

    each = (one(number, name, scenario) for number, (name, scenario) in enumerate(scenarios.items()))
    return dict(zip(scenarios, await asyncio.gather(*each), strict=True))
