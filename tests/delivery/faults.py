"""What a way between two parts can do to bytes: the list of faults, how each is on, and how often it happened.

`Rules` is what `proxy` sets and `connection` obeys; it lives in the proxy's own thread.
"""

import asyncio
import random
from collections import Counter
from enum import StrEnum
from typing import NamedTuple


class Fault(StrEnum):
    """Each counts in the unit given here."""

    CUT = "cut"
    """Closes every connection there is, once. Connections."""
    RESET = "reset"
    """The same with RST: the other side gets an error instead of an end. Connections."""
    REFUSE = "refuse"
    """New connections are reset; those that are there stay. Connections. (Accepted and reset at once: only so can it
    be counted.)"""
    DOWN = "down"
    """Every connection is reset, and every new one. Connections."""
    FLAP = "flap"
    """Down for a while, up for a while, in turns. Connections."""
    MUTE = "mute"
    """Requests get through; the answer is withheld and the connection closed instead. Answers."""
    HANG = "hang"
    """Bytes are swallowed and the connection stays, half-open; so is the end of it. Chunks."""
    HOLD = "hold"
    """Bytes get no further until it heals, and then all of them do: a cable that is pulled and put back. Chunks."""
    LATENCY = "latency"
    """Each chunk is late. Chunks."""
    BANDWIDTH = "bandwidth"
    """So many bytes a second on each connection. Chunks."""
    SLICE = "slice"
    """Bytes come in tiny pieces with pauses between. Chunks that were cut up."""


class Direction(StrEnum):
    REQUESTS = "requests"
    ANSWERS = "answers"
    BOTH = "both"


class Rule(NamedTuple):
    """How a fault is on: for which bytes, and its figures (seconds, bytes)."""

    direction: Direction = Direction.BOTH
    delay: float = 0
    jitter: float = 0
    size: int = 0
    only: bytes = b""
    times: int | None = None


class Rules:
    """The faults that are on, and counters of what they did."""

    def __init__(self, seed: int) -> None:
        self.happened: Counter[str] = Counter()
        self.passed: Counter[Direction] = Counter()
        """Bytes that got through."""
        self.chance = random.Random(seed)
        self.on: dict[Fault, Rule] = {}
        self._turn = asyncio.Event()

    def rule(self, fault: Fault, direction: Direction) -> Rule | None:
        """The rule that is on for bytes of this direction."""
        rule = self.on.get(fault)
        return rule if rule and rule.direction in (direction, Direction.BOTH) else None

    def change(self, fault: Fault, rule: Rule | None) -> None:
        """Begin a fault, or end it with None."""
        if rule is None:
            self.on.pop(fault, None)
        else:
            self.on[fault] = rule
        self._turn.set()
        self._turn = asyncio.Event()

    async def turn(self) -> None:
        """Return when a fault begins or ends."""
        await self._turn.wait()

    def happens(self, fault: Fault) -> None:
        """Count it; a fault for so many times ends with the last."""
        self.happened[fault] += 1
        rule = self.on.get(fault)
        if rule and rule.times is not None:
            self.change(fault, rule._replace(times=rule.times - 1) if rule.times > 1 else None)
