"""The worker as a process on a real Kafka: whatever happens to it, its counts are those of a recount of the topic."""

import asyncio
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from streams.clickhouse.client import Database
from streams.clickhouse.migrate import migrate
from streams.config import Settings, load
from streams.count import changelog
from streams.count.tally import Counts, Entry
from streams.devstack.traffic import Traffic
from streams.kafka import topics
from streams.kafka.partition import OwnedPartition, Position
from streams.kafka.topics import changelog_name
from tests.conftest import Server, free_port
from tests.count.cluster import Cluster
from tests.count.process import Process

NOWHERE = "http://127.0.0.1:9"


def traffic() -> Iterator[bytes]:
    return (message.value for message in Traffic(7).live(time.time))


class Workers:
    """Workers of one test, ended behind it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._all: list[Process] = []

    def start(self, settings: Settings) -> Process:
        self._all.append(Process(settings, self._folder / f"{len(self._all)}.log"))
        return self._all[-1]

    async def end(self) -> None:
        for worker in self._all:
            await worker.end(signal.SIGKILL)


@pytest.fixture
async def workers(tmp_path: Path) -> AsyncIterator[Workers]:
    workers = Workers(tmp_path)
    yield workers
    await workers.end()


@pytest.fixture
async def cluster(kafka: str) -> AsyncIterator[Cluster]:
    async with Cluster(kafka, clickhouse=NOWHERE) as cluster:
        yield cluster


@pytest.mark.stack
async def test_kill_and_restart_lose_and_double_nothing(cluster: Cluster, workers: Workers) -> None:
    first = workers.start(cluster.settings)
    await cluster.send(islice(traffic(), 3000))
    await first.counted(1)
    sending = asyncio.create_task(cluster.send(islice(traffic(), 2000), rate=2000))
    await asyncio.sleep(0.4)
    await first.end(signal.SIGKILL)
    await sending
    second = workers.start(cluster.settings)
    assert await cluster.counted() == await cluster.truth()
    for partition in (0, 1):
        await cluster.group_reaches(partition, await cluster.end(partition))
    await cluster.send(islice(traffic(), 500))
    started = time.monotonic()
    assert await second.end() == 0
    assert time.monotonic() - started < cluster.settings.drain_seconds + 2


@pytest.mark.stack
async def test_what_was_counted_is_committed_when_the_worker_is_told_to_end(cluster: Cluster, workers: Workers) -> None:
    worker = workers.start(cluster.settings.model_copy(update={"count_flush_seconds": 60.0}))
    await worker.ready()
    await cluster.send(islice(traffic(), 1000))

    async def delivered() -> bool:
        return await worker.metric("synclogs_lag_records") == 1000

    await worker.until(delivered)
    await asyncio.sleep(1)  # nothing tells from outside that the runs are counted and not committed
    assert await worker.metric("synclogs_records_consumed_total") == 0
    assert await worker.end() == 0
    assert await cluster.counted(5) == await cluster.truth()


@pytest.mark.stack
async def test_a_clickhouse_that_never_answers_does_not_hold_up_the_end(kafka: str, workers: Workers) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with Cluster(kafka, clickhouse=address, live_upsert_seconds=0.1, drain_seconds=1) as cluster:
            worker = workers.start(cluster.settings)
            await cluster.send(islice(traffic(), 500))
            await worker.counted(500)
            started = time.monotonic()
            assert await worker.end() == 0
            assert time.monotonic() - started < 3.5
            assert await cluster.counted(5) == await cluster.truth()


@pytest.mark.stack
async def test_two_workers_share_and_hand_over_without_a_difference(cluster: Cluster, workers: Workers) -> None:
    first = workers.start(cluster.settings)
    await first.ready()
    sending = asyncio.create_task(cluster.send(islice(traffic(), 12_000), rate=1000))
    second = workers.start(cluster.settings)
    await second.counted(100)
    await first.owns(1)
    assert await first.metric("synclogs_position{") > 0
    assert await first.end() == 0
    before = await second.metric("synclogs_records_consumed_total")
    await second.counted(before + 3000)
    await sending
    assert await cluster.counted() == await cluster.truth()
    await second.owns(2)


@pytest.mark.stack
async def test_an_owner_that_was_frozen_can_not_write_any_more(cluster: Cluster, workers: Workers) -> None:
    frozen = workers.start(cluster.settings)
    await frozen.ready()
    sending = asyncio.create_task(cluster.send(islice(traffic(), 24_000), rate=1500))
    await frozen.counted(500)
    frozen.send_signal(signal.SIGSTOP)
    successor = workers.start(cluster.settings)
    await successor.counted(3000)  # after the session of the frozen one
    frozen.send_signal(signal.SIGCONT)
    assert await frozen.wait() == 1
    assert "ended" in frozen.events()
    await sending
    assert await cluster.counted() == await cluster.truth()


@pytest.mark.stack
async def test_results_of_aborted_transactions_are_not_counted(cluster: Cluster, workers: Workers) -> None:
    worker = workers.start(cluster.settings)
    await worker.ready()
    producer = AIOKafkaProducer(bootstrap_servers=cluster.kafka, transactional_id=cluster.settings.records_topic)
    await producer.start()
    values = traffic()
    for number in range(40):
        await producer.begin_transaction()
        for value in islice(values, 20):
            await producer.send(cluster.settings.records_topic, value, partition=number % 2)
        await producer.flush()
        await (producer.abort_transaction() if number % 5 == 3 else producer.commit_transaction())
    await producer.stop()
    # The last offset of each partition is a marker: the position goes past it all the same.
    assert await cluster.counted() == await cluster.truth()
    assert await worker.metric("synclogs_records_consumed_total") == 40 * 20 * 4 / 5


@pytest.mark.stack
async def test_counting_goes_on_without_clickhouse_which_gets_everything_later(
    kafka: str, workers: Workers, tmp_path: Path
) -> None:
    port, data = free_port(), str(tmp_path / "clickhouse")
    async with Cluster(kafka, clickhouse=f"http://127.0.0.1:{port}", live_upsert_seconds=0.2) as cluster:
        worker = workers.start(cluster.settings)
        await cluster.send(islice(traffic(), 2000))
        await worker.counted(2000)
        # Committed but not upserted, and the only one who knew of it is gone.
        await worker.end(signal.SIGKILL)
        worker = workers.start(cluster.settings)
        command = ["-m", "streams.devstack.front", "--data", data, "--port", str(port)]
        front = _front(command, tmp_path)
        await asyncio.to_thread(migrate, cluster.settings)
        await _live_equals(cluster)
        front.stop()
        await cluster.send(islice(traffic(), 1500))
        await worker.counted(1500)
        assert (await worker.get("/readyz"))[0] == 200
        front = _front(command, tmp_path)
        await _live_equals(cluster)
        front.stop()
        assert "live_counts_behind" in worker.events()


def _front(command: list[str], folder: Path) -> Server:
    front = Server([sys.executable, *command], folder / "front.log")
    front.first_line()
    return front


async def _live_equals(cluster: Cluster) -> None:
    """Wait until live_counts and live_positions say what a recount says."""
    database = Database(cluster.settings)
    want = sorted(
        (partition, *entry, *label.partition(":")[::2], number)
        for partition, entries in enumerate(await cluster.truth())
        for entry, counts in entries.items()
        for label, number in counts.items()
    )
    ends = [await cluster.end(partition) for partition in range(cluster.settings.partitions)]
    async with asyncio.timeout(40):
        while True:
            rows = await asyncio.to_thread(
                database.rows,
                "SELECT kafka_partition AS p, toUnixTimestamp(window_start) AS hour, tenant_id, direction, sync_id,"
                " status, reason, records FROM live_counts FINAL ORDER BY ALL",
            )
            positions = await asyncio.to_thread(
                database.rows, "SELECT kafka_partition AS p, position FROM live_positions FINAL ORDER BY p"
            )
            if [tuple(row.values()) for row in rows] == want and [row["position"] for row in positions] == ends:
                return
            await asyncio.sleep(0.2)


@pytest.mark.stack
async def test_a_position_that_is_not_in_the_log_stops_its_partition_alone(kafka: str, workers: Workers) -> None:
    async with Cluster(kafka, partitions=3, clickhouse=NOWHERE) as cluster:
        beyond = changelog.position_record(cluster.source(0), 1_000_000, 0)
        older = changelog.position_record(cluster.source(1), 0, 0)._replace(value=orjson.dumps({"version": 0}))
        for partition, record in enumerate((beyond, older)):
            owned = OwnedPartition(cluster.settings, cluster.settings.count_group, cluster.source(partition))
            await owned.open()
            await owned.commit(Position(0), changelog_name(cluster.settings), [record])
            await owned.close()
        worker = workers.start(cluster.settings)
        await cluster.send(islice(traffic(), 300))
        await worker.counted(100)
        status, text = await worker.get("/readyz")
        assert status == 503
        assert "position 1000000 is not in its log, which holds 0 to 100" in text
        assert worker.events().count("partition_stopped") == 2

        async def told() -> bool:
            return await worker.metric("synclogs_partitions_halted", 'worker="count"') == 2

        await worker.until(told, 5)
        state = await cluster.state(2)
        assert state and state.position == 100
        still = await cluster.state(0)
        assert still and still.position == 1_000_000
        assert await worker.end() == 0


@pytest.mark.stack
async def test_a_worker_waits_for_kafka_and_ends_when_it_is_told_to(workers: Workers) -> None:
    worker = workers.start(load(kafka=f"127.0.0.1:{free_port()}"))

    async def waits() -> bool:
        return "waiting" in worker.events()

    await worker.until(waits)
    assert (await worker.get("/readyz")) == (503, "waiting for Kafka\n")
    assert await worker.end() == 0


@pytest.mark.stack
async def test_a_misspelt_topic_is_waited_for_and_not_created(cluster: Cluster, workers: Workers) -> None:
    there = await cluster.topic_names()
    misspelt = cluster.settings.model_copy(update={"records_topic": f"{cluster.settings.records_topic}-wrong"})
    worker = workers.start(misspelt)

    async def waits() -> bool:
        status, text = await worker.get("/readyz")
        return status == 503 and f"waiting for topic {misspelt.records_topic}" in text and "synclogs migrate" in text

    await worker.until(waits)
    assert await cluster.topic_names() == there
    await cluster.create(topics.wanted(misspelt))
    await worker.ready()


@pytest.mark.stack
async def test_metrics_tell_each_result_once(cluster: Cluster, workers: Workers) -> None:
    worker = workers.start(cluster.settings)
    await cluster.send(islice(traffic(), 1000))
    await worker.counted(1000)
    before = _results(await cluster.counted())
    await worker.end(signal.SIGKILL)
    worker = workers.start(cluster.settings)
    await cluster.send(islice(traffic(), 600))
    await worker.counted(600)
    after = _results(await cluster.counted())
    assert await worker.metric("synclogs_records_consumed_total") == 600
    counted = "synclogs_records_counted_total"
    for status in ("success", "failed", "skipped"):
        assert await worker.metric(counted, f'status="{status}"') == after[status] - before[status]
    assert await worker.metric("synclogs_failures_total") == after["failed"] - before["failed"] > 0

    async def caught_up() -> bool:  # the lag is told at the watcher's next look, not with the counts
        return await worker.metric("synclogs_lag_records") == await worker.metric("synclogs_lag_seconds") == 0

    await worker.until(caught_up)


def _results(partitions: list[dict[Entry, Counts]]) -> Counter[str]:
    """Results by status."""
    found: Counter[str] = Counter()
    for entries in partitions:
        for counts in entries.values():
            for label, number in counts.items():
                found[label.partition(":")[0]] += number
    return found
