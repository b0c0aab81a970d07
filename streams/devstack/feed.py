"""Feeding the history of a dev stack: the same arguments send the same events, so one that was cut off can go on."""

import asyncio
import zlib
from collections.abc import Callable

from streams.config import Settings
from streams.devstack.simulate import CHUNK, LONGEST_HISTORY_MS
from streams.devstack.traffic.traffic import Traffic
from streams.ingest.emitter import Emitter


async def feed_history(
    settings: Settings, traffic: Traffic, end_ms: int, events: int, advance: Callable[[int], None]
) -> Emitter:
    """Send `events` results of the six months before `end_ms`; the emitter with its counts."""
    async with Emitter(settings, spread=zlib.crc32) as emitter:
        for message in traffic.history(end_ms - LONGEST_HISTORY_MS, end_ms, events):
            await emitter.send(message.key, message.value)
            if emitter.sent % CHUNK == 0:
                advance(CHUNK)
                await asyncio.sleep(0)  # the supervisor looks after its processes meanwhile
    return emitter
