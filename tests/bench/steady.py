"""A steady rate: CPU an event, memory, and how long until an event can be queried and is in /metrics."""

import asyncio
import time
import urllib.request
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

from streams.clickhouse.client import Database
from streams.config import Settings
from streams.devstack.servers import free_port
from streams.devstack.traffic.traffic import Traffic
from streams.ingest.emitter import Emitter
from tests.bench.contestants import Worker, fresh

WARM_UP = 10
POLL = 0.1


@dataclass
class Watch:
    """When the n-th record event was sent, how old it was when first seen; `messages` counts sync marks too."""

    sent: list[float] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    seen: int = 0
    messages: int = 0

    def look(self, count: int, now: float) -> None:
        """`count` events are visible; the ones new since the last look waited until now at most."""
        self.delays += [now - moment for moment in self.sent[self.seen : count]]
        self.seen = max(self.seen, count)

    def percentile(self, share: float) -> float:
        ordered = sorted(self.delays)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def steady(
    base: dict[str, object], rate: int, seconds: float, say: Callable[[str], None]
) -> dict[str, float]:  # fmt: skip
    """Figures of both workers at `rate` events a second, of the time after a warm-up."""
    found: dict[str, float] = {}
    for role in ("count", "store"):
        async with fresh({**base, "metrics_port": 0}, f"steady_{role}") as settings:
            found |= await _one(role, settings, rate, seconds, say)
    return found


async def _one(
    role: str, settings: Settings, rate: int, seconds: float, say: Callable[[str], None]
) -> dict[str, float]:  # fmt: skip
    port = free_port()
    settings = settings.model_copy(update={"metrics_port": port})
    worker = Worker(role, settings)
    watch, stop = Watch(), asyncio.Event()
    try:
        await _ready(port, worker)
        sender = asyncio.create_task(_send(settings, rate, watch, stop))
        looker = asyncio.create_task(_look(role, settings, port, watch, stop))
        await asyncio.sleep(WARM_UP)
        cpu, events, watch.delays, memory = worker.cpu(), watch.messages, [], [worker.memory()]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await asyncio.sleep(1)
            memory.append(worker.memory())
        cpu, events = worker.cpu() - cpu, watch.messages - events
        stop.set()
        await asyncio.gather(sender, looker)
    finally:
        worker.end()
    us, p99 = cpu / events * 1e6, watch.percentile(0.99)
    settled = memory[min(60, len(memory) // 2):]
    say(f"steady {role}: {us:.1f} us an event at {events / seconds:,.0f}/s, visible p50 {watch.percentile(0.5):.2f} s, "
        f"p99 {p99:.2f} s, memory minute by minute {[size >> 20 for size in memory[::60]]} MiB")  # fmt: skip
    return {
        f"{role}_steady_us": us,
        f"{role}_steady_rate": events / seconds,
        f"{role}_visible_p50_s": watch.percentile(0.5),
        f"{role}_visible_p99_s": p99,
        f"{role}_memory_mib": max(memory) / 2**20,
        f"{role}_memory_spread": max(settled) / min(settled) - 1,
    }


async def _send(settings: Settings, rate: int, watch: Watch, stop: asyncio.Event) -> None:
    """The live traffic's record events, sent in slices of 20 ms, each noted with its moment."""
    messages = Traffic(2).live(time.time)
    async with Emitter(settings, linger=0.02, spread=zlib.crc32) as emitter:
        started = time.monotonic()
        while not stop.is_set():
            for _ in range(int((time.monotonic() - started) * rate) - emitter.sent):
                message = next(messages)
                await emitter.send(message.key, message.value)
                watch.messages += 1
                if b'"sync_' not in message.value[:200] or b'"status"' in message.value:
                    watch.sent.append(time.monotonic())
            await asyncio.sleep(0.02)


async def _look(role: str, settings: Settings, port: int, watch: Watch, stop: asyncio.Event) -> None:
    database = Database(settings)
    while not stop.is_set():
        if role == "store":
            count = await asyncio.to_thread(database.value, "SELECT count() FROM sync_records")
        else:
            count = await asyncio.to_thread(_counted, port)
        watch.look(int(count), time.monotonic())
        await asyncio.sleep(POLL if role == "store" else 5 * POLL)


def _counted(port: int) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("synclogs_records_counted_total{"))


async def _ready(port: int, worker: Worker) -> None:
    for _ in range(300):
        worker.cpu()
        try:
            await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{port}/readyz", None, 5)
            return
        except OSError:
            await asyncio.sleep(0.2)
    raise RuntimeError(f"{worker.role} is not ready after 60 s")
