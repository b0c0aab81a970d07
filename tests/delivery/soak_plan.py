"""What happens when in the long run: bursts of faults and calm between them, an outage of ClickHouse, all from a seed.

In go the names of the targets; out comes a `Plan`, which `soak` lets happen. Each target has faults of its own, one
after another, so that what its counter tells belongs to one step. A run in which nothing ever got on would prove
nothing: in the calm no fault begins, and the workers must get on.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.delivery.schedule import Choice, Step

BURST, CALM = 40.0, 20.0
OF_KAFKA_WAY, OF_CLICKHOUSE_WAY, OF_WORKER = 0.25, 0.25, 14.0
"""Seconds between the end of a fault and the next, on average."""
SERVER_WINDOW = 12.0
"""A server is hurt early in a burst: a broker takes up to twenty seconds to be back on a busy machine."""


class Window(NamedTuple):
    """Seconds after the start."""

    begin: float
    end: float

    def meets(self, begin: float, end: float) -> bool:
        return begin < self.end and end > self.begin


@dataclass(frozen=True)
class Plan:
    """`steps` are by target, in order, none beyond the burst it begins in."""

    seed: int
    seconds: float
    bursts: list[Window]
    outage: Window
    """Of ClickHouse: a third of the run."""
    steps: dict[str, list[Step]]

    @property
    def calms(self) -> list[Window]:
        ends = [*(burst.begin for burst in self.bursts[1:]), self.seconds]
        return [Window(burst.end, end) for burst, end in zip(self.bursts, ends, strict=True)]

    def burst_of(self, at: float) -> Window:
        return next(burst for burst in self.bursts if burst.begin <= at <= burst.end)

    def lines(self) -> Iterator[str]:
        """The whole schedule, as it is kept beside the report."""
        yield f"ClickHouse is away from {self.outage.begin:.0f} s to {self.outage.end:.0f} s"
        for step in sorted((step for steps in self.steps.values() for step in steps), key=lambda step: step.at):
            yield str(step)


def drawn(
    seed: int, seconds: float, kafka_ways: Sequence[str], clickhouse_ways: Sequence[str], mortal: Sequence[str],
    lasting: Sequence[str],
) -> Plan:  # fmt: skip
    """`mortal` workers are killed, told to end and frozen; `lasting` ones are frozen only, so that their memory can be
    watched for the whole run. The servers are `kafka` and `clickhouse`."""
    chance = random.Random(f"soak/{seed}")
    bursts = [
        Window(begin, min(begin + BURST, seconds - CALM)) for begin in _every(BURST + CALM, seconds - CALM - BURST / 4)
    ]
    begin = min(bursts, key=lambda burst: abs(burst.begin - seconds / 3)).begin if len(bursts) > 2 else seconds / 3
    outage = Window(begin, begin + seconds / 3)
    steps: dict[str, list[Step]] = {}
    for name in kafka_ways:
        steps[name] = list(_one_by_one(chance, name, WAY, OF_KAFKA_WAY, bursts))
    for name in clickhouse_ways:
        steps[name] = list(_one_by_one(chance, name, WAY, OF_CLICKHOUSE_WAY, bursts, outage))
    for names, menu in ((mortal, DEATHS), (lasting, FREEZES)):
        for name in names:
            steps[name] = list(_one_by_one(chance, name, menu, OF_WORKER, bursts))
    steps["kafka"] = list(_of_server(chance, "kafka", bursts, kills_every=3))
    steps["clickhouse"] = list(_of_server(chance, "clickhouse", bursts, kills_every=2, away=outage))
    return Plan(seed, seconds, bursts, outage, steps)


def _every(period: float, end: float) -> Iterator[float]:
    at = 0.0
    while at <= end:
        yield at
        at += period


def _one_by_one(
    chance: random.Random, target: str, menu: Sequence[Choice], pause: float, bursts: Sequence[Window],
    away: Window | None = None,
) -> Iterator[Step]:  # fmt: skip
    weights = [choice.weight for choice in menu]
    for burst in bursts:
        at = burst.begin + chance.expovariate(1 / pause)
        while at < burst.end:
            (choice,) = chance.choices(menu, weights)
            arguments = _arguments(choice, chance, burst.end - at)
            end = at + arguments.get("seconds", 0)
            if away is None or not away.meets(at, end):
                yield Step(round(at, 3), choice.fault, target, arguments)
            at = end + chance.expovariate(1 / pause)


def _of_server(
    chance: random.Random, target: str, bursts: Sequence[Window], kills_every: int, away: Window | None = None
) -> Iterator[Step]:
    """A freeze in each burst, and before it a kill in some."""
    for number, burst in enumerate(bursts):
        freeze = Step(
            round(burst.begin + SERVER_WINDOW + chance.uniform(0, 12), 3), "freeze", target,
            {"seconds": round(chance.uniform(0.2, 2), 3)},
        )  # fmt: skip
        kill = Step(round(burst.begin + chance.uniform(1, SERVER_WINDOW), 3), "kill", target)
        for step in [kill, freeze] if number % kills_every == 0 else [freeze]:
            if (away is None or not away.meets(step.at, step.at + 3)) and step.at + 3 < burst.end:
                yield step


def _arguments(choice: Choice, chance: random.Random, left: float) -> dict[str, Any]:
    drawn = {name: round(chance.uniform(low, high), 3) for name, (low, high) in choice.ranges.items()}
    if "seconds" in drawn:
        drawn["seconds"] = round(min(drawn["seconds"], left), 3)
    return {**choice.arguments, **drawn}


WAY = [
    Choice("cut", "", 0.5),
    Choice("reset", "", 0.5),
    Choice("down", "", 0.2, {"seconds": (0.05, 0.4)}),
    Choice("flap", "", 0.15, {"seconds": (0.3, 1), "down": (0.05, 0.2), "up": (0.05, 0.2)}),
    Choice("mute", "", 0.5, {"seconds": (0.2, 0.5)}, {"times": 1}),
    Choice("hang", "", 0.2, {"seconds": (0.1, 0.6)}),
    Choice("hold", "", 1.5, {"seconds": (0.05, 0.4)}),
    Choice("hold", "", 0.03, {"seconds": (3, 9)}),
    Choice("latency", "", 4, {"seconds": (0.05, 0.3), "delay": (0.01, 0.1)}),
    Choice("bandwidth", "", 1.5, {"seconds": (0.05, 0.3), "bytes_per_second": (20_000, 200_000)}),
    Choice("slice", "", 3, {"seconds": (0.05, 0.2)}, {"size": 100}),
]
_SHORT_FREEZE = {"seconds": (0.1, 1.5)}
_LONG_FREEZE = {"seconds": (6.5, 9.5)}
DEATHS = [
    Choice("kill", "", 5),
    Choice("terminate", "", 1.5),
    Choice("freeze", "", 3, _SHORT_FREEZE),
    Choice("freeze", "", 0.8, _LONG_FREEZE),
]
FREEZES = [Choice("freeze", "", 8, _SHORT_FREEZE), Choice("freeze", "", 1, _LONG_FREEZE)]
