"""What the driver relies on in Faust and aiokafka, pinned: none of it is a public interface of theirs."""

import asyncio
import inspect
import os
from collections.abc import AsyncIterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import faust
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from faust.stores import memory
from faust.transport.consumer import Consumer
from faust.transport.drivers import aiokafka as stock
from faust.types import TP

from streams.config import Settings, load
from streams.count import driver
from streams.count.entries import Entries
from tests.count.cluster import Cluster

ENTRY = (1_795_000_000, "acme", "books_to_fsm", "s1")
SOURCE = TopicPartition("records", 0)


@pytest.fixture
def settings() -> Settings:
    return load(records_topic="records", count_group="counting", partitions=2, session_seconds=300)


@pytest.fixture
async def thread(settings: Settings) -> AsyncIterator[Any]:
    """The thread that holds Faust's Kafka consumer; never started."""
    app, _ = driver.application(settings)
    consumer: Any = app.consumer
    yield consumer._thread
    consumer._thread.thread_loop.close()


def test_faust_is_the_version_whose_inside_was_read() -> None:
    assert version("faust-streaming") == "0.15.3"


async def test_create_worker_consumer_sets_what_faust_has_no_setting_for(thread: Any, settings: Settings) -> None:
    consumer = thread._create_worker_consumer(thread.transport)
    assert isinstance(thread, driver.RunThread)
    # The names of the fields are aiokafka's; were one renamed, a value of ours would stand beside it unread.
    for field in ("_isolation_level", "_fetch_min_bytes", "_fetch_max_wait_ms"):
        assert f"self.{field}" in inspect.getsource(type(consumer).start)
    assert consumer._isolation_level == "read_committed"
    assert consumer._fetch_min_bytes < consumer._max_partition_fetch_bytes == driver.FETCH_BYTES
    assert consumer._enable_auto_commit is False
    assert consumer._session_timeout_ms == settings.session_seconds * 1000
    await consumer.stop()


async def test_stock_faust_would_read_uncommitted_and_wait_longer(thread: Any) -> None:
    consumer = stock.AIOKafkaConsumerThread._create_worker_consumer(thread, thread.transport)
    assert consumer._isolation_level == "read_uncommitted"
    assert consumer._fetch_max_wait_ms == 1500
    await consumer.stop()


async def test_getmany_makes_one_run_of_the_records_of_a_partition(
    thread: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = {TP("records", 0): ["a", "b"], TP("records", 1): []}

    async def getmany(*_: Any, **__: Any) -> Any:
        return fetched

    monkeypatch.setattr(stock.Consumer, "_getmany", getmany)
    assert await thread.consumer._getmany(set(), 1.0) == {TP("records", 0): [["a", "b"]]}
    assert "self._getmany(" in inspect.getsource(Consumer._wait_next_records)
    assert "to_message(tp, record)" in inspect.getsource(Consumer.getmany)


async def test_to_message_stands_at_the_last_record_and_carries_the_run(thread: Any) -> None:
    run = list(driver.RawRecords(SOURCE, _fetched(), [], 0, None, None, True, 1))
    message = thread.consumer._to_message(TP("records", 0), run)
    assert (message.tp, message.offset, message.value) == (TP("records", 0), 299, run)
    _, source = driver.application(load())
    event = await source.decode(message, propagate=True)
    assert event.value is run


def _fetched() -> MemoryRecords:
    """300 records as they come from a broker, in one batch."""
    builder = DefaultRecordBatchBuilder(2, 3, 0, -1, -1, -1, 1 << 20)
    for number in range(300):
        builder.append(number, 1_795_000_000_000 + number, b"key", b"value %d" % number, [("h", b"1")])
    return MemoryRecords(bytes(builder.build()))


def test_raw_records_are_aiokafkas_without_the_cost() -> None:
    stock_records = fetcher.PartitionRecords(SOURCE, _fetched(), [], 0, None, None, True, 1)
    raw_records = driver.RawRecords(SOURCE, _fetched(), [], 0, None, None, True, 1)
    fields = ("value", "offset", "timestamp", "key", "timestamp_type")
    told = [[getattr(record, name) for name in fields] for record in stock_records]
    assert [[getattr(record, name) for name in fields] for record in raw_records] == told
    assert len(told) == 300
    assert stock_records.next_fetch_offset == raw_records.next_fetch_offset == 300


async def test_raw_records_can_be_taken_some_at_a_time() -> None:
    """A fetch of RECORDS_AT_ONCE leaves the rest where it is, and the position behind what it took."""
    state = SubscriptionState()
    state.assign_from_user([SOURCE])
    assignment = state.subscription.assignment
    assignment.state_value(SOURCE).seek(0)
    records = driver.RawRecords(SOURCE, _fetched(), [], 0, None, None, True, 1)
    result = fetcher.FetchResult(SOURCE, assignment=assignment, partition_records=records, backoff=0)
    for begin in (0, 120, 240):
        some = result.getall(120)
        assert [record.offset for record in some] == list(range(begin, min(begin + 120, 300)))
        assert assignment.state_value(SOURCE).position == some[-1].offset + 1
    assert not result.has_more()


def test_raw_records_are_what_a_fetcher_makes() -> None:
    assert "PartitionRecords(" in inspect.getsource(fetcher.Fetcher._proc_fetch_request)


async def test_create_directories_leaves_no_trace(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app, _ = driver.application(settings)
    app._create_directories()
    assert not list(tmp_path.iterdir())
    faust.App("stock", broker="kafka://127.0.0.1:1", autodiscover=False)._create_directories()
    assert list(tmp_path.iterdir())


async def test_on_key_set_and_on_key_del_send_nothing(settings: Settings) -> None:
    app, _ = driver.application(settings)
    table = driver.table(app, "counts-0", 2)
    table[ENTRY] = {"success": 1}
    assert table[ENTRY] == {"success": 1}
    table.update({ENTRY: {"success": 2}})
    assert dict(table.data) == {ENTRY: {"success": 2}}
    del table[ENTRY]
    assert not table.data
    assert not app.tables, "a registered table would be recovered by Faust"


async def test_new_store_is_faust_s_own_over_a_smaller_mapping(settings: Settings) -> None:
    app, _ = driver.application(settings)
    data = driver.table(app, "counts-0", 2).data
    assert isinstance(data, memory.Store)
    assert isinstance(data.data, Entries)
    stock_table: faust.Table[Any, Any] = faust.Table(app, name="stock", partitions=2)
    assert type(stock_table.data.data) is dict


async def test_a_stock_table_would_refuse_a_change_outside_of_an_event(settings: Settings) -> None:
    app, _ = driver.application(settings)
    table: faust.Table[Any, Any] = faust.Table(app, name="stock", partitions=2)
    with pytest.raises(TypeError, match="outside of stream iteration"):
        table[ENTRY] = {}


@pytest.fixture
async def cluster(kafka: str) -> AsyncIterator[Cluster]:
    async with Cluster(kafka, partitions=1) as cluster:
        yield cluster


@pytest.mark.stack
async def test_an_agent_gets_whole_runs_and_faust_leaves_nothing_behind(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    topics = await cluster.topic_names()
    settings = cluster.settings
    app, source = driver.application(settings)
    runs: list[Any] = []
    signals: list[str] = []

    async def take(stream: Any) -> None:
        async for event in stream.events():
            runs.append(event.value)

    async def before(*_: Any, **__: Any) -> None:
        signals.append("before")

    async def after(_: Any, assigned: set[TP], **__: Any) -> None:
        signals.append("after " + str(sorted(assigned)))

    app.agent(source, name="take")(take)
    driver.follow_rebalances(app, before, after)
    producer = AIOKafkaProducer(bootstrap_servers=cluster.kafka, transactional_id=settings.count_group)
    await producer.start()
    for commits in (True, False, True):
        await producer.begin_transaction()
        for number in range(100):
            await producer.send(settings.records_topic, b"%d" % number if commits else b"aborted", partition=0)
        await producer.flush()
        await (producer.commit_transaction() if commits else producer.abort_transaction())
    await producer.stop()
    try:
        await app.start()
        async with asyncio.timeout(20):
            while sum(map(len, runs)) < 200:
                await asyncio.sleep(0.05)
        assert driver.ended(app) == ""
    finally:
        await app.stop()
    assert [record.value for run in runs for record in run] == [b"%d" % number for number in range(100)] * 2
    assert len(runs) <= 3
    assert signals[-1] == f"after [{TP(settings.records_topic, 0)}]"
    assert await cluster.group_offset(0) is None, "Faust has committed an offset"
    assert await cluster.topic_names() == topics, "Faust has created a topic"
    assert os.listdir(tmp_path) == []
    assert driver.ended(app)
