"""Feeding the history of a dev stack: the same arguments send the same events, so one that was cut off can go on."""

import asyncio
import zlib
from collections.abc import Callable

from streams.config import Settings
from streams.devstack.simulate import CHUNK, LONGEST_HISTORY_MS
from streams.devstack.traffic.traffic import Traffic
from streams.ingest.emitter import Emitter
from streams.kafka.topic_log import open_log


async def feed_history(
    settings: Settings, traffic: Traffic, end_ms: int, events: int, resumed: bool, advance: Callable[[int], None]
) -> Emitter:
    """Send `events` results of the six months before `end_ms`; the emitter with its counts.

    What a partition's log holds already is left out: a feeding that was cut off has sent the first messages of each
    partition, in the same order.
    """
    there = await _there(settings) if resumed else []
    async with Emitter(settings, spread=zlib.crc32) as emitter:
        for message in traffic.history(end_ms - LONGEST_HISTORY_MS, end_ms, events):
            partition = zlib.crc32(message.key) % len(there) if there else 0
            if there and there[partition]:
                there[partition] -= 1
                continue
            await emitter.send(message.key, message.value)
            if emitter.sent % CHUNK == 0:
                advance(CHUNK)
                await asyncio.sleep(0)  # the supervisor looks after its processes meanwhile
    return emitter


async def _there(settings: Settings) -> list[int]:
    """How many messages each partition of the records topic holds, by its number."""
    async with open_log(settings, settings.records_topic) as topic:
        ends = await topic.ends()
    return [ends[partition] for partition in sorted(ends)]
