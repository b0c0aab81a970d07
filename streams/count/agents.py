"""The count worker, from top to bottom: Faust delivers runs of records, each partition's ledger counts them, a timer
commits what was counted, and ClickHouse follows. An error ends the process at once; its supervisor starts it afresh.

All that counts is in Kafka at any time: in the changelog, counts and position together.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Coroutine
from typing import Any, NoReturn

from aiokafka import TopicPartition
from faust.types import TP

from streams import failpoints, memory, metrics
from streams.config import Settings
from streams.count import driver
from streams.count.beginning import until_kafka_is_ready
from streams.count.ledger import Ledger
from streams.count.live import Live
from streams.count.reading import LogReader
from streams.count.watch import Watch
from streams.logs import log
from streams.telemetry import Telemetry

OPENED_AT_ONCE = 4
STOP_SECONDS = 2.0


def run(settings: Settings) -> int:
    """Count until SIGTERM or SIGINT, which commit; a second one ends at once. The exit code. Waits for Kafka for as
    long as it takes."""
    failpoints.arm(settings.failpoints)
    driver.prepare_process()
    return asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> int:
    stop = asyncio.Event()

    def told(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)  # what was not committed is read again
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told, number)
    worker = CountWorker(settings)
    telemetry = Telemetry(settings.metrics_host, settings.metrics_port, worker.why_not_ready)
    log("count").info("serving", metrics=telemetry.address)
    try:
        if await _unless(stop, worker.start()):
            await stop.wait()
        if not await worker.stop():
            # A thread of Faust's or an insert without an answer would hold up the end; what counts is in Kafka.
            log("count").warning("ended_without_waiting")
            os._exit(0)
        return 0
    finally:
        telemetry.close()


async def _unless(stop: asyncio.Event, starting: Coroutine[Any, Any, None]) -> bool:
    """Whether it came to its end before `stop` was set; it is cancelled else."""
    start, stopped = asyncio.create_task(starting), asyncio.create_task(stop.wait())
    await asyncio.wait((start, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if start.done():
        start.result()
        return True
    start.cancel()
    await asyncio.wait((start,), timeout=STOP_SECONDS)
    return False


class CountWorker:
    """One process's share of the partitions: `start`, then `stop`, once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ledgers: dict[TopicPartition, Ledger] = {}
        self._reader = LogReader(settings)
        self._watch = Watch(self._reader, self._ledgers.values)
        self._live = Live(settings, self._ledgers.values, lambda: self._between)
        self._opening = asyncio.Semaphore(OPENED_AT_ONCE)
        self._between = True
        self._waits_for = "Kafka"
        self._tasks: set[asyncio.Task[None]] = set()
        self._app, source = driver.application(settings)
        self._app.agent(source, name="count")(self._count)
        driver.follow_rebalances(self._app, self._before_rebalance, self._follow_assignment)

    async def start(self) -> None:
        await until_kafka_is_ready(self._settings, self._reader, self._wait_for)
        self._waits_for = "partitions"
        for work in (self._follow_faust(), self._flush_often(), self._watch.run(), self._live.run(), memory.sweep()):
            self._tasks.add(_vital(work))

    def _wait_for(self, what: str) -> None:
        self._waits_for = what

    async def _follow_faust(self) -> None:
        await self._app.start()
        await self._app.wait_until_stopped()
        die("Faust has stopped", driver.ended(self._app))

    # 1. Which partitions are ours.

    async def _before_rebalance(self, *_: Any, **__: Any) -> None:
        """The next owner may open a ledger as soon as this returns: flush now, and not again before the assignment."""
        await self._flush()
        self._between = True

    async def _follow_assignment(self, _: driver.App, assigned: set[TP], **__: Any) -> None:
        mine = {TopicPartition(*tp) for tp in assigned if tp.topic == self._settings.records_topic}
        for tp in self._ledgers.keys() - mine:
            await self._ledgers.pop(tp).close()
        for tp in mine - self._ledgers.keys():
            table = driver.table(self._app, f"counts-{tp.partition}", self._settings.partitions)
            self._ledgers[tp] = Ledger(self._settings, tp, table, self._reader)
            self._tasks.add(_vital(self._open(self._ledgers[tp])))
        self._between = False
        self._waits_for = ""
        metrics.REBALANCES.labels("count").inc()
        log("count").info("assigned", partitions=sorted(tp.partition for tp in mine))

    async def _open(self, ledger: Ledger) -> None:
        async with self._opening:  # few at a time: a hundred at once would take so long that none is in time
            if self._ledgers.get(ledger.source) is ledger:
                await ledger.open()

    # 2. Runs are counted. The agent is Faust's.

    async def _count(self, stream: Any) -> None:
        async for event in stream.events():
            ledger = self._ledgers.get(TopicPartition(*event.message.tp))
            if ledger:  # else the partition has gone to another worker
                try:
                    await ledger.apply(event.value)
                except Exception as error:
                    die("a run can't be counted", error)  # Faust would start the agent again, and go on without the run

    # 3. What was counted is committed.

    async def _flush_often(self) -> None:
        every = self._settings.count_flush_seconds
        took = 0.0
        while True:
            await asyncio.sleep(max(every - took, every / 5))  # a slow transaction does not add to the delay
            started = time.monotonic()
            if not self._between:
                await self._flush()
            took = time.monotonic() - started

    async def _flush(self) -> None:
        """An error ends the process: what of it was committed, only Kafka knows. (In Faust's hands it can hang.)"""
        try:
            await asyncio.gather(*(ledger.flush() for ledger in self._ledgers.values()))
        except Exception as error:
            die("what was counted can't be committed", error)

    # 4. The end.

    async def stop(self) -> bool:
        """Commit, let ClickHouse follow, hand over: within drain_seconds and two more. False if that was cut off."""
        self._between = True  # no flush but this one, which waits for one under way: it must not be cancelled
        in_time = True
        try:
            async with asyncio.timeout(self._settings.drain_seconds):
                await self._flush()
                for task in self._tasks:
                    task.cancel()
                await self._live.write()
        except TimeoutError:
            in_time = False
        for task in self._tasks:
            task.cancel()
        closing = [ledger.close() for ledger in self._ledgers.values()]
        self._ledgers.clear()
        ending: list[Awaitable[None]] = [*closing, self._app.stop(), self._reader.close()]
        _, hanging = await asyncio.wait([asyncio.ensure_future(end) for end in ending], timeout=STOP_SECONDS)
        return in_time and not hanging

    def why_not_ready(self) -> str:
        return f"waiting for {self._waits_for}" if self._waits_for else self._watch.why_not_ready()


def _vital(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A task whose error is the process's."""
    task = asyncio.create_task(work)

    def look(done: asyncio.Task[None]) -> None:
        if not done.cancelled() and (error := done.exception()):
            die("a part of the worker failed", error)

    task.add_done_callback(look)
    return task


def die(what: str, why: BaseException | str) -> NoReturn:
    """End the process now, whatever else is under way."""
    log("count").error("ended", what=what, why=repr(why))
    sys.stderr.flush()
    os._exit(1)
