"""Rebalances as operators cause them: rolling restarts, fewer workers and more; and how long a takeover takes.

In go supervised workers; each function returns when the processes are as it says. That the group has settled by then
is for the caller to look at.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence

from tests.delivery.parts import WorkerProcess
from tests.delivery.processes import until
from tests.delivery.progress import Progress

SEEN_SECONDS = 0.6
READY_SECONDS = 60.0
SOON_SECONDS = 4.0
GRACE_SECONDS = 25.0
"""After SIGTERM, as in the manifests; then SIGKILL."""


async def end(worker: WorkerProcess) -> bool:
    """SIGTERM, not started again. Whether it ended by itself within the grace period."""
    await worker.unsupervised()
    if worker.terminate() is None:
        return True
    try:
        await worker.ended(GRACE_SECONDS)
        return True
    except TimeoutError:
        worker.kill()
        return False


def begin(worker: WorkerProcess) -> None:
    """Start it where it does not run, and keep it running."""
    if worker.pid is None:
        worker.start()
    worker.supervise()


async def roll(workers: Sequence[WorkerProcess], come_back: Callable[[WorkerProcess], Awaitable[None]]) -> int:
    """End and start one after another; the next one's turn is when `come_back` says so. How many had to be killed."""
    killed = 0
    for worker in workers:
        killed += not await end(worker)
        begin(worker)
        await come_back(worker)
    return killed


async def ready(worker: WorkerProcess) -> None:
    """For `roll` where nothing else goes wrong: as a deployment does it."""
    await worker.ready(READY_SECONDS)


async def ready_or_not(worker: WorkerProcess) -> None:
    """For `roll` among faults, where a worker may not get ready for long."""
    with contextlib.suppress(TimeoutError):
        await worker.ready(SOON_SECONDS)


async def scale_down(workers: Sequence[WorkerProcess]) -> int:
    """End these. How many had to be killed."""
    return sum([not await end(worker) for worker in workers])


def scale_up(workers: Sequence[WorkerProcess]) -> None:
    for worker in workers:
        begin(worker)


async def takeover(worker: WorkerProcess, progress: Progress, role: str, seconds: float = 60) -> float:
    """Kill -9 a worker that nobody starts again; seconds until every partition's position has moved on since."""
    await worker.unsupervised()
    assert worker.kill() is not None, f"{worker.name} was not there to be killed"
    killed = time.monotonic()
    await asyncio.sleep(SEEN_SECONDS)  # its last commits were made before
    before = {key: at for key, at in progress.positions.items() if key[0] == role}

    async def moved() -> bool:
        return all(progress.positions[key] > at for key, at in before.items())

    await until(f"every partition of {role} has moved on", moved, seconds)
    return time.monotonic() - killed
