"""`synclogs simulate`: sends the simulated traffic to Kafka, at a rate or as fast as Kafka takes it.

History comes in order of time, up to two days short of 26 weeks (an event may have occurred at most 26 weeks before it
reaches Kafka); live traffic occurs now. A small share of messages that are no events can be mixed in.
"""

import asyncio
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from schemas.event import DAY_MS, HISTORY_MS
from streams import clock
from streams.config import Settings
from streams.devstack.traffic.bad_values import bad_values
from streams.devstack.traffic.sync import Message
from streams.devstack.traffic.traffic import Traffic
from streams.ingest.emitter import Emitter

LONGEST_HISTORY_MS = HISTORY_MS - 2 * DAY_MS
SLICE = 0.02
CHUNK = 1000


@dataclass(frozen=True)
class Load:
    """What to send: `history` record events over `history_ms`, then live traffic of `rate` messages a second.

    `rate` 0 means as fast as possible; `events` ends the live traffic after so many messages, None never does.
    `bad` is the share of messages that are no events.
    """

    seed: int = 1
    tenants: int = 40
    history: int = 0
    history_ms: int = LONGEST_HISTORY_MS
    rate: float = 0
    events: int | None = None
    bad: float = 0


Progress = Callable[[str, int], None]


async def simulate(settings: Settings, load: Load, progress: Progress, stop: asyncio.Event) -> Emitter:
    """Send until done or `stop`; the emitter with its counts. `progress` gets ("history" or "live", messages sent)."""
    traffic = Traffic(load.seed, load.tenants)
    # crc32 spreads as well as Kafka's own hash, at a hundredth of its cost in Python; nothing depends on the partition.
    async with Emitter(settings, spread=zlib.crc32, patient=True) as emitter:
        if load.history:
            end = clock.now_ms()
            past = traffic.history(end - load.history_ms, end, load.history)
            await _send(emitter, past, 0, lambda sent: progress("history", sent), stop)
            await emitter.flush()
        if load.events is None or load.events:
            present = _mixed(traffic.live(time.time), load)
            await _send(emitter, present, load.rate, lambda sent: progress("live", sent), stop)
    return emitter


def _mixed(messages: Iterator[Message], load: Load) -> Iterator[Message]:
    """The live messages, every so many replaced by one that is no event; ends after `load.events`."""
    bad = bad_values(load.seed)
    every = int(1 / load.bad) if load.bad > 0 else 0
    number = 0
    while load.events is None or number < load.events:
        number += 1
        if every and number % every == 0:
            kind, value = next(bad)
            yield Message(kind.encode(), value, clock.now_ms())
        else:
            yield next(messages)


async def _send(
    emitter: Emitter, messages: Iterator[Message], rate: float, progress: Callable[[int], None], stop: asyncio.Event
) -> None:
    started, sent = time.monotonic(), 0
    while not stop.is_set():
        due = int((time.monotonic() - started) * rate) - sent if rate else CHUNK
        for _ in range(min(due, CHUNK)):
            message = next(messages, None)
            if message is None:
                progress(sent)
                return
            await emitter.send(message.key, message.value)
            sent += 1
        progress(sent)
        # A rate is kept in slices: finer ones would cost more than the sending.
        await asyncio.sleep(SLICE if rate and due < CHUNK else 0)
