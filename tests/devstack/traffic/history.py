"""A history of simulated traffic, and what it is read with."""

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

from streams.devstack.traffic import Message, Traffic

EVENTS = 200_000
END_MS = 1_763_683_200_000  # 2025-11-21
START_MS = END_MS - 180 * 86_400_000
Event = dict[str, Any]


class History(NamedTuple):
    messages: list[Message]
    events: list[Event]
    """The parsed values, in the same order."""

    @property
    def records(self) -> list[Event]:
        return [event for event in self.events if event["type"] == "record"]


class Arrived(NamedTuple):
    """A message as Kafka would hand it out."""

    value: bytes
    offset: int
    timestamp: int


def live(traffic: Traffic, count: int, start: float = 1_763_000_000.0) -> list[Message]:
    clock = itertools.count(start, 0.001)
    return list(itertools.islice(traffic.live(lambda: next(clock)), count))


def batches(arrived: list[Arrived], size: int) -> Iterator[list[Arrived]]:
    return (arrived[at : at + size] for at in range(0, len(arrived), size))
