"""`synclogs dev`: the whole system on this machine, as supervised processes, in the order in which it comes up.

Servers, topics and tables, workers and page; then six months of simulated history, the first publication, and live
traffic until Ctrl-C. With `--once` a fixed history is fed, published and compared instead, and the stack ends.
"""

import asyncio
import contextlib
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

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
from streams.errors import StackError

SEED = 1
TENANTS = 12
HISTORY = 120_000
HISTORY_ONCE = 8_000
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

    def _changed(self, change: Change) -> None:
        self.write_file()
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
            await asyncio.to_thread(migrate, settings)
        with self.screen.step("workers and page"):
            for spec in parts.workers(self.plan.count_workers, self.plan.store_workers):
                await self.supervisor.start(spec)
            await self._all_up([parts.web_answers()])

    async def _all_up(self, waits: Sequence[Awaitable[object]]) -> None:
        await asyncio.gather(*waits)

    async def _feed(self, events: int) -> None:
        """The history, once in the life of a data directory; continued with the same events where it was cut off."""
        if not events:
            return
        told = self.folder.remembered("history") or {"end_ms": clock.now_ms(), "events": events, "done": False}
        if told["done"] and not self.plan.once:
            return
        if told["done"]:
            told = {"end_ms": clock.now_ms(), "events": events, "done": False}
        self.folder.remember("history", told)
        with self.screen.progress("six months of history", told["events"]) as advance:
            sent = await feed_history(self.parts.settings, self.traffic, told["end_ms"], told["events"], advance)
        if sent.refused:
            raise StackError(f"Kafka refused {sent.refused} of {sent.sent} messages: {dict(sent.errors)}; start again")
        self.folder.remember("history", {**told, "done": True})

    async def _publish_now(self) -> None:
        with self.screen.step("storing, counting, publishing"):
            command = [sys.executable, "-m", "streams.cli", "publish", "--now"]
            code, text = await self.parts.run(command)
        if code:
            raise StackError(f"the publication failed with exit code {code}: {text.strip()}")
        for line in text.strip().splitlines():
            click.echo(f"  {line}")
