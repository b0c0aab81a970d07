"""Waiting until a worker has passed a vector of offsets, as a committed reader sees it.

A worker has passed when no record lies between its position and the goal; markers, aborted and deleted records may.
Store is waited for without end, since no page is right without its rows; count only for a while.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from streams import metrics
from streams.clickhouse.client import Database
from streams.clickhouse.queries import reconciliation
from streams.clickhouse.writer import in_thread
from streams.config import Settings
from streams.kafka.topic_log import TopicLog
from streams.logs import log

FIRST_DELAY = 0.1
LONGEST_DELAY = 2.0
Look = Callable[[], Awaitable[list[int]]]
Say = Callable[[str], None]


def silent(sentence: str) -> None:
    """Says nothing to nobody."""


async def for_store(
    topic: TopicLog, settings: Settings, goal: dict[int, int], patience: float | None = None, say: Say = silent
) -> bool:
    """Return True once every record below the goal is stored; after `patience` seconds, if given, False.

    After `publish_wait_seconds` it says so in the log, as an error for an operator, and goes on.
    """

    async def look() -> list[int]:
        return await topic.behind(await topic.positions(settings.store_group), goal)

    return await _until_none(look, "store", settings.publish_wait_seconds, patience, say)


async def for_count(
    topic: TopicLog, database: Database, goal: dict[int, int], patience: float, say: Say = silent
) -> bool:
    """Return True once `live_positions` covers every record below the goal; after `patience` seconds False."""

    async def look() -> list[int]:
        positions = await in_thread(lambda: reconciliation.positions(database, topic.topic))
        return await topic.behind(positions, goal)

    return await _until_none(look, "count", patience, patience, say)


async def _until_none(look: Look, worker: str, alarm: float, patience: float | None, say: Say) -> bool:
    started = time.monotonic()
    waiting_told = alarmed = False
    delay = FIRST_DELAY
    waiting = metrics.PUBLISH_WAITING.labels(worker)
    try:
        while behind := await look():
            waited = time.monotonic() - started
            if not waiting_told:
                waiting_told = True
                say(f"waiting until {worker} has passed the cut, in partitions {', '.join(map(str, behind))}")
            waiting.set(waited)
            if waited >= alarm and not alarmed:
                alarmed = True
                say(f"{worker} has still not passed the cut after {waited:.0f} s: look at its log and its lag")
                log("publish").error("publication_waits", worker=worker, partitions=behind, seconds=round(waited))
            if patience is not None and waited >= patience:
                return False
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)
        return True
    finally:
        waiting.set(0)
