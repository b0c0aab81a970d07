"""The one file that touches Faust's inside: an app that delivers whole runs of records, and a Table that sends nothing.

Faust spends about a hundred microseconds on each event, whatever the event is. Here an event is a run: all records of a
partition that came with one fetch; `event.value` is the list of them. Every override says why it is there and is pinned
by a test of its name in tests/count/test_driver.py (what waits: test_backlog.py), since none of it is a public
interface.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

import faust
import uvloop
from aiokafka.consumer import fetcher
from faust.transport.drivers import aiokafka as stock
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from streams import classify, memory
from streams.config import Settings
from streams.count.entries import Entries
from streams.kafka import clients, closed

FETCH_BYTES = 1 << 19
"""Most of one partition and so of one run: a few thousand records, over which the cost of a Faust event is nothing."""
FETCH_MIN_BYTES = FETCH_BYTES // 2
"""Less than a partition may give, or a backlog in a single partition would wait for more at every fetch."""
FETCH_WAIT_MS = 400
RECORDS_AT_ONCE = 10_000
"""Most records of one fetch. FETCH_BYTES bounds only what they take compressed: of tiny ones that are much alike it
holds very many."""
RUNS_WAITING = 4
"""Nothing more is taken over from aiokafka while so many runs wait for the agent. Faust fetches faster than anybody
counts; its own limit is 4,096 events, which here would be gigabytes, and it drops the `maxsize` of `App.topic`."""
LOOK_SECONDS = 0.01
"""How long a fetch then waits before it looks again: less than the agent takes for a full run."""

Run: TypeAlias = list[Any]


class RunThread(stock.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: stock.Transport) -> Any:
        """What Faust has no setting for. aiokafka reads these at its start, which comes after."""
        consumer = super()._create_worker_consumer(transport)
        # Else results of transactions that were aborted would be counted.
        consumer._isolation_level = "read_committed"
        # Small fetches cost ten times the CPU an event; with Faust's 1,500 ms an idle partition would hold up a busy
        # one of the same broker, and an event would reach the metrics too late.
        consumer._fetch_min_bytes = FETCH_MIN_BYTES
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer


class RunConsumer(stock.Consumer):
    def _new_consumer_thread(self) -> RunThread:
        return RunThread(self, loop=self.loop, beacon=self.beacon)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> dict[TP, list[Run]]:
        """One 'record' a partition and fetch: the list of its records. Nothing while enough runs wait."""
        if self.runs_waiting() >= RUNS_WAITING:
            await asyncio.sleep(LOOK_SECONDS)
            return {}
        fetched = await super()._getmany(active_partitions, timeout)
        return {tp: [records] for tp, records in fetched.items() if records}

    def runs_waiting(self) -> int:
        """In the agent's queue: Faust's flow control knows all queues, and empties them when partitions move."""
        return sum(queue.qsize() for queue in self.app.flow_control._queues)

    def _to_message(self, tp: TP, records: Run) -> ConsumerMessage:
        """A message at the last record's offset, so that Faust's read offset is right, with the run as its value."""
        last = records[-1]
        value = cast(bytes, records)  # a topic of raw bytes hands it on as it is
        generation = self.app.consumer_generation_id
        return ConsumerMessage(
            tp.topic, tp.partition, last.offset, last.timestamp / 1000, last.timestamp_type, [], None, value, None,
            tp=tp, generation_id=generation,
        )  # fmt: skip


class RawRecords(fetcher.PartitionRecords):  # type: ignore[misc]  # aiokafka has no types
    """Records as aiokafka's parser gives them: with offset, timestamp, key, value and headers.

    aiokafka makes a ConsumerRecord of each, with eleven fields that nothing here reads: half of what fetching costs.
    """

    def __iter__(self) -> Any:
        return self._records_iterator

    def _consumer_record(self, tp: TP, record: Any) -> Any:
        return record


class RunTransport(stock.Transport):
    Consumer = RunConsumer


class App(faust.App):
    def _create_directories(self) -> None:
        """Faust would make its data directory where the process was started; nothing of ours is kept in files."""


class CountTable(faust.Table[Any, Any]):
    """A Table of what is committed. Make it with `CountTable(app, ...)`, never `app.Table`.

    Registered with the app, Faust would recover it: half a minute for 100,000 entries, blind to transactions, and
    dropping events. The ledger writes its changelog, in a transaction with the position, before the Table changes.
    """

    def _new_store(self) -> Any:
        """Faust's store in memory is a dict, which takes three times as much."""
        store = super()._new_store()
        store.data = Entries()
        return store

    def on_key_get(self, key: Any) -> None:
        """No sensor a key: they would cost more than the count."""

    def on_key_set(self, key: Any, value: Any) -> None:
        """Faust would send the entry to a changelog, outside of any transaction."""

    def on_key_del(self, key: Any) -> None:
        """The same for its tombstone."""


def prepare_process() -> None:
    """Once, before anything else: uvloop here and in Faust's consumer thread, raw records, and what threads cost."""
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    closed.prepare()
    fetcher.PartitionRecords = RawRecords
    classify.prepare()
    memory.settle()
    # Faust's thread and this one take the interpreter from each other every 5 ms, each time with cold caches: a tenth
    # more CPU an event. Neither has anything to do that can't wait so long.
    sys.setswitchinterval(0.05)


def application(settings: Settings) -> tuple[App, Any]:
    """The Faust app and the topic of runs. Faust delivers them and does nothing else: it commits nothing, recovers
    nothing, creates nothing, serves nothing."""
    app = App(
        settings.count_group,
        broker=[f"kafka://{server.strip()}" for server in settings.kafka.split(",")],
        store="memory://",
        web_enabled=False,
        autodiscover=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=settings.partitions,
        table_standby_replicas=0,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=FETCH_BYTES,
        consumer_metadata_max_age_ms=clients.METADATA_MS,
        broker_session_timeout=settings.session_seconds,
        # Else a rebalance waits a minute for members that are gone and that Kafka has lost the timers of.
        broker_rebalance_timeout=settings.session_seconds,
        broker_heartbeat_interval=clients.HEARTBEAT_SECONDS,
        broker_request_timeout=max(90.0, settings.session_seconds + 10),  # Faust refuses a shorter one than the session
        broker_max_poll_interval=86_400.0,
        broker_max_poll_records=RECORDS_AT_ONCE,
        broker_commit_interval=1e6,  # the ledgers commit, in their transactions
        stream_wait_empty=False,  # a run that is cut short is read again; waiting for it could hang a rebalance
    )
    app.transport = RunTransport(app.conf.broker_consumer, app)
    source = app.topic(
        settings.records_topic,
        key_type=bytes,
        key_serializer="raw",
        value_type=bytes,
        value_serializer="raw",
        partitions=settings.partitions,
        acks=False,
    )
    return app, source


def table(app: App, name: str, partitions: int) -> CountTable:
    return CountTable(app, name=name, partitions=partitions, store="memory://")


def follow_rebalances(app: App, before: Callable[..., Awaitable[None]], after: Callable[..., Awaitable[None]]) -> None:
    """`before` runs when the flow of runs has stopped; the group waits for it. `after(app, assigned)` at the end."""
    revoked: Any = app.on_partitions_revoked
    assigned: Any = app.on_partitions_assigned
    revoked.connect(before)
    assigned.connect(after)


def ended(app: App) -> str:
    """Why Faust has stopped by itself, '' while it runs: it then stands still, and says so only in its log."""
    if app.crashed:
        return repr(app.crash_reason)
    return "it was stopped" if app.should_stop else ""
