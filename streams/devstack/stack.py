"""`synclogs dev`: the whole system on this machine, as supervised processes, in the order in which it comes up.

Servers, topics and tables, workers and page; then six months of simulated history, the first publication, and live
traffic until Ctrl-C. With `--once` a fixed history is fed, published and compared instead, and the stack ends.
"""

import asyncio
import contextlib
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.event import DAY_MS
from streams import clock
from streams.clickhouse.migrate import migrate
from streams.config import Settings
from streams.devstack import servers
from streams.devstack.feed import feed_history
from streams.devstack.once import compare_all
from streams.devstack.parts import Parts
from streams.devstack.processes import Backoff, Change, Supervisor
from streams.devstack.screen import Screen
from streams.devstack.stackdir import StackDir
from streams.devstack.traffic.traffic import Traffic
from streams.errors import KafkaUnavailable, StackError, StoreUnavailable

SEED = 1
TENANTS = 12
HISTORY = 120_000
HISTORY_ONCE = 5_000
TRIES = 30
REFUSED = 2
"""The exit code of a server that will not start however often it is tried."""
STOP_ORDER = ("store", "count", "kafka", "clickhouse")
"""Who writes ends before what it writes to; the page and the traffic before all of them."""


@dataclass(frozen=True)
class Plan:
    """What was asked on the command line; None where it was left open."""

    data: Path | None
    once: bool = False
    rate: float = 50
    history: int | None = None
    traffic: bool = True
    count_workers: int = 1
    store_workers: int = 1
    port: int | None = None


async def run(settings: Settings, plan: Plan) -> int:
    """Run until Ctrl-C, or once; the exit code. StackError where a part can't start."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with _data(plan) as data:
        async with _stack(settings, plan, StackDir(data)) as stack:
            work = asyncio.create_task(stack.once() if plan.once else stack.live(stop))
            asked = asyncio.create_task(stop.wait())
            await asyncio.wait({work, asked}, return_when=asyncio.FIRST_COMPLETED)
            asked.cancel()
            if work.done():
                return work.result()
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
            return 130 if plan.once else 0


@contextlib.contextmanager
def _data(plan: Plan) -> Iterator[Path]:
    """The data directory: `data` unless told otherwise; with --once one that goes with it."""
    if plan.data or not plan.once:
        yield plan.data or Path("data")
        return
    with tempfile.TemporaryDirectory(prefix="synclogs-once-") as folder:
        yield Path(folder)


@contextlib.asynccontextmanager
async def _stack(settings: Settings, plan: Plan, folder: StackDir) -> AsyncIterator["Stack"]:
    stack = Stack(settings, plan, folder)
    try:
        yield stack
    finally:
        stack.screen.say("stopping")
        stack.stopping = True
        await stack.supervisor.stop(STOP_ORDER)
        stack.write_file()
        stack.screen.say("stopped; the data stays in " + str(folder.path) if not plan.once else "stopped")


class Stack:
    """The processes of one dev stack and what its user sees of them."""

    def __init__(self, settings: Settings, plan: Plan, folder: StackDir) -> None:
        self.plan, self.folder = plan, folder
        self.traffic = Traffic(SEED, TENANTS)
        self.parts = Parts(settings, folder, plan.port, self.traffic.largest)
        self.screen = Screen()
        self.supervisor = Supervisor(self._changed, Backoff(most=2.0))
        self.stopping = False
        self._refused: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def _changed(self, change: Change) -> None:
        self.write_file()
        if change.exit_code == REFUSED and change.spec.role in STOP_ORDER[2:] and not self._refused.done():
            self._refused.set_result(_last_line(change.spec.log))
        if not self.stopping and (change.exit_code is not None or change.starts > 1):
            self.screen.say(str(change))

    def write_file(self) -> None:
        self.folder.remember("stack", self.parts.description(self.supervisor.running()))

    async def live(self, stop: asyncio.Event) -> int:
        await self._start()
        if self.plan.traffic:
            await self._feed(HISTORY if self.plan.history is None else self.plan.history)
        if not self.folder.remembered("published"):
            await self._publish_now()
            self.folder.remember("published", True)
        # From now on weeks are published as they end. Earlier, an empty database would look like a missed week.
        await self.supervisor.start(self.parts.publisher())
        if self.plan.traffic:
            await self.supervisor.start(self.parts.simulator(self.plan.rate, SEED, TENANTS))
        self.screen.welcome(self.parts, self.traffic.tenants, self.plan.rate if self.plan.traffic else None)
        await stop.wait()
        return 0

    async def once(self) -> int:
        await self._start()
        await self._feed(HISTORY_ONCE if self.plan.history is None else self.plan.history)
        await self._publish_now()
        return await compare_all(self.parts, self.traffic.tenants, self.screen)

    async def _start(self) -> None:
        parts, settings = self.parts, self.parts.settings
        self.screen.say(f"data and logs in {self.folder.path}")
        with self.screen.step("Kafka and ClickHouse"):
            for spec in parts.servers():
                await self.supervisor.start(spec)
            waits = [servers.kafka_answers(settings), asyncio.to_thread(servers.clickhouse_answers, settings)]
            await self._all_up(waits)
        with self.screen.step("tables"):
            await self._though_killed(lambda: asyncio.to_thread(migrate, settings))
        with self.screen.step("workers and page"):
            for spec in parts.workers(self.plan.count_workers, self.plan.store_workers):
                await self.supervisor.start(spec)
            await self._all_up([parts.web_answers()])

    async def _all_up(self, waits: Sequence[Awaitable[object]]) -> None:
        """Return when all answer. StackError with a server's own words if it refuses to start."""
        up = asyncio.gather(*waits)
        racing: set[asyncio.Future[Any]] = {up, self._refused}
        await asyncio.wait(racing, return_when=asyncio.FIRST_COMPLETED)
        if not up.done():
            up.cancel()
            raise StackError(self._refused.result())
        await up

    async def _though_killed(self, step: Callable[[], Awaitable[object]]) -> None:
        """Repeat a step whose server is away for a moment: it is being started again."""
        for _ in range(TRIES):
            try:
                await step()
                return
            except (StoreUnavailable, KafkaUnavailable) as error:
                last = error
                await asyncio.sleep(1)
        raise last

    async def _feed(self, events: int) -> None:
        """The history, once in the life of a data directory; continued with the same events where it was cut off."""
        if not events:
            return
        told = self.folder.remembered("history")
        if told and told["done"] and not self.plan.once:
            return
        resumed = bool(told) and not told["done"] and clock.now_ms() - told["end_ms"] < DAY_MS
        if not resumed:  # what began longer ago would reach beyond the 26 weeks
            told = {"end_ms": clock.now_ms(), "events": events, "done": False}
        self.folder.remember("history", told)
        with self.screen.progress("six months of history", told["events"]) as advance:
            settings, end_ms = self.parts.settings, told["end_ms"]
            sent = await feed_history(settings, self.traffic, end_ms, told["events"], resumed, advance)
        if sent.refused:
            raise StackError(f"Kafka refused {sent.refused} of {sent.sent} messages: {dict(sent.errors)}; start again")
        self.folder.remember("history", {**told, "done": True})

    async def _publish_now(self) -> None:
        """As an operator would; again where a server was killed meanwhile."""
        command = [sys.executable, "-m", "streams.cli", "publish", "--now"]
        with self.screen.step("storing, counting, publishing"):
            for _ in range(TRIES):
                code = await self.parts.run(command, lambda line: self.screen.say(f"  {line}"))
                if code == 0:
                    return
                await asyncio.sleep(1)
        raise StackError(f"the publication failed with exit code {code}; its words are above")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"no reason given: see {log}"
