"""Memory, file handles and threads of every process over its lives, and whether they grow.

In go the processes of a stack; out come `Growth`s, one for each life that was long enough to tell. The figures are
what the kernel says of the process, not what it says of itself.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from statistics import median
from typing import NamedTuple

import psutil

from tests.delivery.processes import Process

WARM_SECONDS = 20.0
"""Imports, first connections and first batches are no leak."""
LIFE_SECONDS = 60.0
MOST_MEGABYTES, MOST_SHARE = 24.0, 0.2
MOST_HANDLES = 8
MOST_THREADS = 4
MEGABYTE = 1 << 20


class Look(NamedTuple):
    at: float
    megabytes: float
    handles: int
    threads: int


class Growth(NamedTuple):
    """One life: medians of the three thirds (of handles and threads of the first and last) behind its warm-up."""

    name: str
    seconds: float
    megabytes: tuple[float, float, float]
    handles: tuple[float, float]
    threads: tuple[float, float]
    course: tuple[float, ...]
    """Megabytes at a dozen looks from the first to the last: a step, a slope, or a hump."""

    @property
    def megabytes_an_hour(self) -> float:
        """From the middle of the first third to the middle of the last."""
        return (self.megabytes[-1] - self.megabytes[0]) / (self.seconds * 2 / 3) * 3600

    def problems(self) -> list[str]:
        """Sentences on what has grown."""
        first, _, last = self.megabytes
        found = []
        if last - first > max(MOST_MEGABYTES, MOST_SHARE * first):
            found.append(
                f"{self.name} grew from {first:.0f} to {last:.0f} MB in a life of {self.seconds:.0f} s: "
                + " ".join(f"{one:.0f}" for one in self.course)
            )
        for what, (before, after), most in (
            ("file handles", self.handles, MOST_HANDLES), ("threads", self.threads, MOST_THREADS),
        ):  # fmt: skip
            if after - before > most:
                found.append(f"{self.name} went from {before:.0f} to {after:.0f} {what} in {self.seconds:.0f} s")
        return found


class Resources:
    """`async with Resources(stack.processes).watching() as resources`."""

    def __init__(self, processes: Mapping[str, Process], every: float = 3.0) -> None:
        self.lives: dict[tuple[str, int], list[Look]] = {}
        self._rebalances: dict[tuple[str, int], float] = {}
        self._processes = processes
        self._every = every

    @asynccontextmanager
    async def watching(self) -> AsyncIterator["Resources"]:
        watching = asyncio.create_task(self._run())
        try:
            yield self
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    def growths(self, but: tuple[float, float] | None = None, seconds: float = LIFE_SECONDS) -> list[Growth]:
        """Of every life that was watched for so long after its warm-up; of what lay before and behind the time `but`
        each by itself, by `time.monotonic`."""
        begin, end = but or (math.inf, math.inf)
        found = []
        for (name, _), looks in self.lives.items():
            warm = [look for look in looks if look.at >= looks[0].at + WARM_SECONDS]
            for part in ([look for look in warm if look.at < begin], [look for look in warm if look.at >= end]):
                if len(part) >= 6 and part[-1].at - part[0].at >= seconds:
                    found.append(_growth(name, part))
        return found

    def assignments(self, role: str) -> int:
        """How often workers of this role were given partitions, by their own metric when it was last seen."""
        return int(sum(seen for (name, _), seen in self._rebalances.items() if name.startswith(role)))

    async def _run(self) -> None:
        while True:
            for process in list(self._processes.values()):
                if (pid := process.pid) is not None:
                    with contextlib.suppress(psutil.Error):
                        self.lives.setdefault((process.name, pid), []).append(_look(pid))
            await asyncio.gather(*(self._ask(process) for process in list(self._processes.values())))
            await asyncio.sleep(self._every)

    async def _ask(self, process: Process) -> None:
        pid = process.pid
        if pid is None or process.metrics_address is None:
            return
        seen = await process.metric("synclogs_rebalances_total")
        if process.pid == pid:
            self._rebalances[process.name, pid] = max(seen, self._rebalances.get((process.name, pid), 0.0))


def slopes(growths: Iterable[Growth]) -> list[str]:
    """The problems of all these lives."""
    return [problem for growth in growths for problem in growth.problems()]


def _look(pid: int) -> Look:
    process = psutil.Process(pid)
    with process.oneshot():
        memory = process.memory_info().rss / MEGABYTE
        return Look(time.monotonic(), memory, process.num_fds(), process.num_threads())


def _growth(name: str, looks: list[Look]) -> Growth:
    third = len(looks) // 3
    first, middle, last = looks[:third], looks[third:-third], looks[-third:]
    return Growth(
        name, looks[-1].at - looks[0].at,
        (
            median(look.megabytes for look in first),
            median(look.megabytes for look in middle),
            median(look.megabytes for look in last),
        ),
        (median(look.handles for look in first), median(look.handles for look in last)),
        (median(look.threads for look in first), median(look.threads for look in last)),
        tuple(looks[number * (len(looks) - 1) // 11].megabytes for number in range(12)),
    )  # fmt: skip
