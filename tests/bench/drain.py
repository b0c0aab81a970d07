"""Draining a backlog: yardstick, count and store one after the other on the same topic, round by round."""

import asyncio
import time
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

from streams import clock
from streams.config import Settings
from streams.devstack.traffic.traffic import Traffic
from streams.ingest.emitter import Emitter
from tests.bench.contestants import Worker, fresh, settled

CONTESTANTS = ("yardstick", "count", "store")


async def fill(settings: Settings, events: int, seed: int) -> int:
    """Simulated traffic of the last six hours into the topic; how many messages Kafka took."""
    end = clock.now_ms()
    async with Emitter(settings, spread=zlib.crc32) as emitter:
        for message in Traffic(seed).history(end - 6 * 3_600_000, end, events):
            await emitter.send(message.key, message.value)
    return emitter.accepted


async def drain(
    base: dict[str, object], events: int, rounds: int, say: Callable[[str], None]
) -> dict[str, list[float]]:  # fmt: skip
    """CPU microseconds an event, events a second and most memory (MiB) of each contestant, a value a round."""
    found: dict[str, list[float]] = {}
    async with fresh(base, "backlog") as full, fresh(base, "empty") as empty:
        messages = await fill(full, events, seed=1)
        say(f"backlog of {messages:,} messages, {full.partitions} partitions")
        for number in range(rounds):
            for role in CONTESTANTS:
                idle = await _run(base, role, f"{role}_idle{number}", empty.records_topic, idle=True)
                run = await _run(base, role, f"{role}_{number}", full.records_topic)
                us, rate = (run.cpu - idle.cpu) / messages * 1e6, messages / run.wall
                for name, value in (("us", us), ("per_s", rate), ("drain_mib", run.mib)):
                    found.setdefault(f"{role}_{name}", []).append(value)
                say(f"round {number + 1} {role}: {us:.2f} us, {rate:,.0f} a second, at most {run.mib:.0f} MiB")
    return found


class Run(NamedTuple):
    """Seconds of CPU and of time from a worker's start until it has settled the topic, and the most memory it took."""

    cpu: float
    wall: float
    mib: float


async def _run(base: dict[str, object], role: str, name: str, topic: str, idle: bool = False) -> Run:
    async with fresh(base, name, topic) as settings:
        started = time.monotonic()
        worker = Worker(role, settings)
        try:
            cpu = await (_started(worker) if idle else settled(worker))
            return Run(cpu, time.monotonic() - started, worker.most_memory() / 2**20)
        finally:
            worker.end()


async def _started(worker: Worker) -> float:
    """CPU of starting: until it uses less than a hundredth of a core for a second."""
    before: Any = None
    for _ in range(60):
        await asyncio.sleep(1)
        now = worker.cpu()
        if before is not None and now - before < 0.03:
            return now
        before = now
    raise RuntimeError(f"{worker.role} is not idle on an empty topic after 60 s")
