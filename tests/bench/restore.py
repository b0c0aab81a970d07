"""Count with a ledger of many entries: how long from the start of the process until an event is counted again."""

import time
import uuid
import zlib
from collections.abc import Callable

import orjson

from schemas import topics
from streams import clock
from streams.config import Settings
from streams.ingest.emitter import Emitter
from tests.bench.contestants import Worker, fresh, settled

HOURS = 24


async def restore(base: dict[str, object], entries: int, say: Callable[[str], None]) -> dict[str, float]:
    """Seconds from a start after SIGTERM until an event sent at that start is counted and committed."""
    async with fresh(base, "restore") as settings:
        await _send(settings, entries)
        worker = Worker("count", settings)
        await settled(worker)
        worker.end()
        await _send(settings, 4)
        started = time.monotonic()
        worker = Worker("count", settings)
        try:
            await settled(worker)
            seconds = time.monotonic() - started
        finally:
            worker.end()
    say(f"restore: {entries:,} entries, counting again {seconds:.1f} s after the start")
    return {"restore_100k_s": seconds}


async def _send(settings: Settings, entries: int) -> None:
    """One event for each entry: syncs of their own, spread over a day's hours."""
    now = clock.now_ms()
    async with Emitter(settings, spread=zlib.crc32) as emitter:
        for number in range(entries):
            moment = clock.rfc3339(clock.from_ms(now - number % HOURS * 3_600_000))
            event = {
                "event_id": str(uuid.uuid4()), "tenant_id": f"tenant-{number % 200}", "sync_id": f"SYNC-{number}",
                "direction": "books_to_fsm", "module": "customers", "record_id": str(number), "operation": "create",
                "status": "success", "occurred_at": moment,
            }  # fmt: skip
            await emitter.send(topics.record_key(f"tenant-{number % 200}", str(number)), orjson.dumps(event))
