"""The store worker, top to bottom: what has to be there, the consumer of the group, a lane a partition, the end.

In come the events of the records topic; out go rows in ClickHouse and dead letters in Kafka, each exactly once. What
happens to a partition is in `lane`; this module only gives it partitions and takes them away.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Iterable

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import ConsumerStoppedError, KafkaError

from schemas.rows import DEAD_LETTERS, SYNC_MARKS, SYNC_RECORDS
from streams import classify, failpoints, memory, metrics
from streams.clickhouse.client import Database
from streams.clickhouse.writer import Writer, in_thread
from streams.config import Settings
from streams.errors import KafkaUnavailable, StoreUnavailable, SyncLogsError
from streams.kafka import clients
from streams.logs import log
from streams.store.lane import Lane
from streams.telemetry import Telemetry

TABLES = (SYNC_RECORDS.table, SYNC_MARKS.table, DEAD_LETTERS.table)
FETCH_BYTES = 256 << 10
"""Wait until that much can be fetched, for clients.FETCH_WAIT_MS at most: a trickle's CPU goes into small fetches."""
REPORT_SECONDS = 1.0
LOOK_SECONDS = 2.0
"""How often to look again for what is missing at the start."""

_log = log("store")


async def run(settings: Settings) -> int:
    """Store until SIGTERM or SIGINT, which drain; a second one ends at once. The exit code: 0, or 1 after an error that
    only a person can put right, which the log tells."""
    failpoints.arm(settings.failpoints)
    classify.prepare()
    memory.settle()
    worker = Worker(settings)
    telemetry = Telemetry(settings.metrics_host, settings.metrics_port, worker.why_not_ready)
    _log.info("started", metrics=telemetry.address, group=settings.store_group, topic=settings.records_topic)
    try:
        return await worker.run()
    finally:
        telemetry.close()


class Worker:
    """One member of the store group."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._end = asyncio.Event()
        self.fault: BaseException | None = None
        """What ended it, if not a signal."""
        self._waits_for = "is starting"
        self.lanes = Lanes(settings, self._fail)

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        life, end = asyncio.create_task(self._live()), asyncio.create_task(self._end.wait())
        sweeping = asyncio.create_task(memory.sweep())
        await asyncio.wait({life, end}, return_when=asyncio.FIRST_COMPLETED)
        for task in (end, sweeping, life):
            task.cancel()
        await asyncio.wait({life})
        if not life.cancelled() and (error := life.exception()):
            self._fail(error)
        if self.fault is not None:
            _tell(self.fault)
        _log.info("stopped", fault=type(self.fault).__name__ if self.fault else None)
        return 1 if self.fault else 0

    def why_not_ready(self) -> str:
        """'' when every partition that this worker was given is open and its last insert was taken."""
        return self._waits_for or self.lanes.trouble()

    def _stop(self, number: int) -> None:
        if self._end.is_set():
            # At any moment a process may be killed; what was asked for twice is not worth another second.
            os._exit(128 + number)
        _log.info("stopping", signal=number)
        self.end()

    def end(self) -> None:
        """Finish what is announced, and leave."""
        self._end.set()

    async def ended(self) -> None:
        """Wait until something ended it."""
        await self._end.wait()

    def _fail(self, error: BaseException) -> None:
        self.fault = self.fault or error
        self.end()

    async def _live(self) -> None:
        """The path: wait for what must be there, join the group, let the lanes work until the end, drain, leave."""
        settings = self._settings
        self._waits_for = f"waits for Kafka at {settings.kafka}"
        admin = await clients.started(lambda: clients.admin(settings), settings, patient=True)
        consumer: AIOKafkaConsumer | None = None
        try:
            await self._wait_until("topic", lambda: _missing_topics(admin, settings))
            await self._wait_until("table", lambda: _missing_tables(settings))
            self._waits_for = f"waits to join the group {settings.store_group}"
            consumer = await clients.started(lambda: self._member(admin), settings, patient=True)
            self._waits_for = ""
            await self._report()
        finally:
            await self.lanes.drain()
            if consumer is not None:
                await clients.stop(consumer)
            await admin.close()
            self.lanes.writer.close()

    def _member(self, admin: AIOKafkaAdminClient) -> AIOKafkaConsumer:
        settings = self._settings
        consumer = clients.member(settings, settings.store_group, self.lanes, fetch_min_bytes=FETCH_BYTES)
        self.lanes.serve(consumer, admin)
        return consumer

    async def _wait_until(self, what: str, missing: Callable[[], Awaitable[list[str]]]) -> None:
        """Return when nothing is missing; say in the log and in /readyz what is."""
        told = ""
        while True:
            try:
                names = await missing()
                waits_for = f"waits for {what} {', '.join(names)}: run `synclogs migrate`" if names else ""
            except (StoreUnavailable, KafkaUnavailable, KafkaError) as error:
                waits_for = f"waits for {what}s: {error or type(error).__name__}"
            if not waits_for:
                return
            if waits_for != told:
                _log.warning("waiting", why=waits_for)
            self._waits_for = told = waits_for
            await asyncio.sleep(LOOK_SECONDS)

    async def _report(self) -> None:
        while True:
            await self.lanes.look_ahead()
            self.lanes.report()
            await asyncio.sleep(REPORT_SECONDS)


class Lanes(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """The lanes of the partitions that the group gave to this worker."""

    def __init__(self, settings: Settings, fail: Callable[[BaseException], None]) -> None:
        self._settings = settings
        self._fail = fail
        self.writer = Writer(settings)
        self._tasks: dict[asyncio.Task[None], Lane] = {}
        self._closed = False
        # The drain holds up the whole group, and a member that takes longer than the session is expelled from it.
        self._drain_seconds = min(settings.drain_seconds, settings.session_seconds / 2)

    def serve(self, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient) -> None:
        """Whose partitions these are."""
        self._consumer = consumer
        self._admin = admin

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        if self._closed:
            return  # a rebalance that was under way when the end came
        metrics.REBALANCES.labels("store").inc()
        for tp in sorted(assigned):
            lane = Lane(self._settings, self._consumer, self._admin, self.writer, tp)
            task = asyncio.create_task(lane.run(), name=f"{tp.topic}-{tp.partition}")
            self._tasks[task] = lane
            task.add_done_callback(self._ended)
        self.report()

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._end_all()

    async def drain(self) -> None:
        """Let every lane finish the run it has announced, within bounds; no lane begins afterwards."""
        self._closed = True
        await self._end_all()

    async def _end_all(self) -> None:
        tasks, self._tasks = self._tasks, {}
        for task, lane in tasks.items():
            lane.stopping = True
            if not lane.busy:
                task.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._drain_seconds)
            for task in late:
                task.cancel()
            if late:
                _log.warning("drain_cut_short", partitions=sorted(tasks[task].tp.partition for task in late))
                await asyncio.wait(late, timeout=1)
        for lane in tasks.values():
            lane.forget()
        self.report()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            self._fail(error)

    @property
    def owned(self) -> list[int]:
        """The partitions that this worker has."""
        return sorted(lane.tp.partition for lane in self._tasks.values())

    async def look_ahead(self) -> None:
        """Ask where the log ends. The consumer learns it only with what it fetches, and fetches nothing for lanes that
        wait for ClickHouse: their lag would stand still when it matters most."""
        lanes = {lane.tp: lane for lane in self._tasks.values()}
        if not lanes:
            return
        with contextlib.suppress(KafkaError, ConsumerStoppedError, TimeoutError):
            async with asyncio.timeout(REPORT_SECONDS):
                for tp, end in (await self._consumer.end_offsets(list(lanes))).items():
                    lanes[tp].intake.end = end

    def report(self) -> None:
        """Set the gauges."""
        lanes = list(self._tasks.values())
        metrics.PARTITIONS.labels("store").set(len(lanes))
        metrics.HALTED.labels("store").set(sum(lane.halted for lane in lanes))
        for lane in lanes:
            lane.report()

    def trouble(self) -> str:
        """What keeps a partition from being stored at the moment, '' if nothing does."""
        found = [f"partition {lane.tp.partition} {lane.trouble}" for lane in [*self._tasks.values()] if lane.trouble]
        return "; ".join(found)


async def _missing_topics(admin: AIOKafkaAdminClient, settings: Settings) -> list[str]:
    # By the list of all topics: asking for one by name could make Kafka create it, with the wrong settings.
    there = set(await admin.list_topics())
    return [name for name in (settings.records_topic, settings.dead_letters_topic) if name not in there]


async def _missing_tables(settings: Settings) -> list[str]:
    # From a database that exists in any case: ours may be missing as well.
    server = Database(settings.model_copy(update={"database": "system"}))
    wanted = "SELECT name FROM tables WHERE database = {database:String}"
    try:
        there = {row["name"] for row in await in_thread(lambda: server.rows(wanted, database=settings.database))}
    finally:
        server.close()
    return [f"{settings.database}.{name}" for name in TABLES if name not in there]


def _tell(fault: BaseException) -> None:
    if isinstance(fault, SyncLogsError):
        _log.error("fatal", error=str(fault))
    else:
        _log.error("fatal", error=f"{type(fault).__name__}: {fault}", exc_info=fault)
