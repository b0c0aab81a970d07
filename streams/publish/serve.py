"""The loop of `publish --serve`: looks every minute whether a week has ended unpublished, and publishes it.

It goes on after every error, later and later up to the usual pause. What it does shows at /metrics; it is ready while
its last look went well. SIGTERM ends it with 0 at any moment: a half-made publication is never read.
"""

import asyncio
import math
import signal
import time

from streams import clock, failpoints, metrics
from streams.clickhouse.client import Database
from streams.clickhouse.queries import leftovers
from streams.clickhouse.queries.published import latest
from streams.clickhouse.writer import in_thread
from streams.config import Settings
from streams.errors import SyncLogsError
from streams.logs import log
from streams.publish.weekly import publish, show
from streams.telemetry import Telemetry

FIRST_DELAY = 1.0
TIDY_SECONDS = 3600.0


async def serve(settings: Settings) -> int:
    """Publish each week as it ends, until SIGTERM or SIGINT; 0."""
    failpoints.arm(settings.failpoints)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    loop = _Loop(settings)
    telemetry = Telemetry(settings.metrics_host, settings.metrics_port, lambda: loop.not_ready)
    log("publish").info("serving", metrics=telemetry.address)
    running = asyncio.create_task(loop.run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    running.cancel()
    try:
        await running  # raises what ended it if that was a bug, so that the supervisor hears of it
    except asyncio.CancelledError:
        pass
    finally:
        telemetry.close()
    return 0


class _Loop:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._database = Database(settings)
        self._tidied = -math.inf
        metrics.DIFFERENCE.set(-1)
        self.not_ready = "has not looked yet whether a week is due"

    async def run(self) -> None:
        delay = FIRST_DELAY
        while True:
            try:
                await self._look()
                self.not_ready = ""
                delay = FIRST_DELAY
                await asyncio.sleep(self._settings.publish_poll_seconds)
            except SyncLogsError as error:
                self.not_ready = str(error)
                log("publish").error("publication_failed", error=str(error), again_in_seconds=delay)
                await asyncio.sleep(delay)
                delay = min(delay * 2, max(FIRST_DELAY, self._settings.publish_poll_seconds))

    async def _look(self) -> None:
        """Kafka is asked only when the pointer says that a week is due."""
        snapshot = await in_thread(lambda: latest(self._database))
        if snapshot is not None:
            await in_thread(lambda: show(self._database, snapshot))
            await self._tidy()
        if snapshot is None or snapshot.cut < clock.monday(clock.now()):
            await publish(self._settings, say=lambda sentence: log("publish").info("step", what=sentence))

    async def _tidy(self) -> None:
        """Once an hour, not only after a publication: what a reclassification replaced is a second half year."""
        if time.monotonic() - self._tidied >= TIDY_SECONDS:
            await in_thread(lambda: leftovers.tidy(self._database, clock.now()))
            self._tidied = time.monotonic()
