"""What the ledger sends: an endless, seeded mix of events, marks, copies of earlier ones, and messages that are none.

Pure but for the clock that says when an event occurs. The same seed gives the same events on the same day, but for
their times.
"""

import random
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from streams import clock
from streams.devstack.traffic import Message, Traffic, bad_values

REMEMBERED = 5_000
"""Messages that may be sent again."""


@dataclass(frozen=True)
class Mix:
    """Shares from 0 to 1 of all messages; `failures` of the records, None for those of real traffic (8 %)."""

    tenants: int = 6
    failures: float | None = None
    bad: float = 0
    again: float = 0
    """Copies of earlier messages, near and far."""
    marks: bool = True
    history_days: float = 0
    """Over how many days before now events occur; 0: they occur now."""
    same_ids: bool = True
    """False where the same seed may be sent twice into one stack: else the second time would be copies of the first."""


class Unsent(NamedTuple):
    event_id: str
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    good: bool


def unsent(seed: int, mix: Mix) -> Iterator[Unsent]:
    """The messages, for ever."""
    chance = random.Random(f"mix/{seed}")
    events = _events(seed, mix)
    bad = _bad(seed)
    earlier: deque[Unsent] = deque(maxlen=REMEMBERED)
    while True:
        drawn = chance.random()
        if drawn < mix.bad:
            yield next(bad)
        elif earlier and drawn < mix.bad + mix.again:
            # Half of them soon after, as a sender does that got no answer; half at any distance.
            near = 1 + int(min(20, len(earlier)) * chance.random())
            yield earlier[-near] if chance.random() < 0.5 else chance.choice(earlier)
        else:
            message = next(events)
            event_id = str(orjson.loads(message.value)["event_id"])
            earlier.append(Unsent(event_id, message.key, message.value, (("seed", b"%d" % seed),), True))
            yield earlier[-1]


def _events(seed: int, mix: Mix) -> Iterator[Message]:
    traffic = Traffic(seed, mix.tenants)
    source = _past(traffic, mix.history_days) if mix.history_days else traffic.live(_Clock(mix.same_ids))
    if not mix.marks:
        source = (message for message in source if not _is_mark(message))
    return source if mix.failures is None else _with_failures(source, mix.failures, random.Random(f"failures/{seed}"))


class _Clock:
    """The time, but for the first answer, which names the ids: the day's beginning, so that they come again."""

    def __init__(self, same_ids: bool) -> None:
        self._first = same_ids

    def __call__(self) -> float:
        now = time.time()
        if self._first:
            self._first = False
            return now - now % 86_400
        return now


def _past(traffic: Traffic, days: float) -> Iterator[Message]:
    """Stretches of the past, each a thousand events over all the days."""
    end = clock.now_ms() // 86_400_000 * 86_400_000
    number = 0
    while True:
        number += 1  # another stretch has other ids
        yield from traffic.history(end - int(days * 86_400_000) - number, end - number, 1000)


def _with_failures(source: Iterator[Message], share: float, chance: random.Random) -> Iterator[Message]:
    """The messages, so thinned that `share` of the records are failed ones."""
    for message in source:
        if _is_mark(message):
            yield message
            continue
        wanted = chance.random() < share
        while _is_mark(message) or _failed(message) != wanted:
            message = next(source)
        yield message


def _failed(message: Message) -> bool:
    return b'"status":"failed"' in message.value


def _is_mark(message: Message) -> bool:
    return b'"type":"sync_' in message.value


def _bad(seed: int) -> Iterator[Unsent]:
    """Messages that must become dead letters, with a marker in their bytes: a field that nobody knows."""
    for number, (kind, value) in enumerate(bad_values(seed)):
        marker = f"bad-{seed}-{number}-"
        if value[:1] == b"{":
            marked = b'{"marker":"%s",' % marker.encode() + value[1:]
            yield Unsent(marker, kind.encode(), marked, (("seed", b"%d" % seed), ("kind", kind.encode())), False)
