"""Tombstones for a tenant in the ledgers of a worker that goes on counting, on a real Kafka."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import orjson
import pytest

from streams import clock
from streams.clickhouse.client import Database
from streams.clickhouse.migrate import migrate
from streams.count import driver, ledger
from streams.count import erase as erasing
from streams.count.erase import erase_entries
from streams.count.ledger import Ledger
from streams.count.live import Live
from streams.count.reading import LogReader
from streams.count.tally import Counts, Entry
from streams.errors import PartitionLost, WorkerBehind
from streams.failpoints import Step
from streams.kafka.partition import OwnedPartition
from streams.kafka.topics import changelog_name
from tests.count.cluster import Cluster
from tests.count.messages import event, recount
from tests.count.process import Process

pytestmark = pytest.mark.stack
GONE = "gone-corp"


class Killed(BaseException):
    """Ends a run at a step, as a kill would: nothing catches it."""


class Worker:
    """A count worker under a supervisor: whenever it ends it is started again, until `end`."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.lives: list[Process] = []
        self._cluster, self._folder = cluster, folder
        self._task = asyncio.create_task(self._supervise())

    async def _supervise(self) -> None:
        while True:
            self.lives.append(Process(self._cluster.settings, self._folder / f"{len(self.lives)}.log"))
            while self.lives[-1].running:
                await asyncio.sleep(0.1)

    async def end(self) -> None:
        self._task.cancel()
        await self.lives[-1].end(signal.SIGKILL)


@pytest.fixture
async def cluster(kafka: str) -> AsyncIterator[Cluster]:
    async with Cluster(kafka, clickhouse="http://127.0.0.1:9") as cluster:
        yield cluster


@pytest.fixture
async def worker(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Worker]:
    worker = Worker(cluster, tmp_path)
    yield worker
    await worker.end()


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasing, "PROOF_SECONDS", 0.0)


def events(number: int, *tenants: str) -> Iterator[bytes]:
    """So many, of several syncs a tenant; one in three failed."""
    for i in range(number):
        yield event(
            clock.now_ms() - i % 3 * 3_600_000, "failed" if i % 3 == 0 else "success",
            tenant_id=tenants[i // 2 % len(tenants)], sync_id=f"s{i % 7}", record_id=str(i),
        )  # fmt: skip


async def expected(cluster: Cluster, since: dict[int, int]) -> list[dict[Entry, Counts]]:
    """A recount, of the erased tenant from these offsets on only."""
    found: list[dict[Entry, Counts]] = []
    for partition, entries in enumerate(await cluster.truth()):
        log = await cluster.read(cluster.settings.records_topic, partition)
        later = recount(message for message in log if message.offset >= since[partition])
        wanted: dict[Entry, Counts] = {entry: counts for entry, counts in entries.items() if entry[1] != GONE}
        wanted.update((entry, counts) for entry, counts in later.items() if entry[1] == GONE)
        found.append(wanted)
    return found


async def names(cluster: Cluster) -> set[str]:
    """The tenants whose entries a restored ledger would have, from the keys as they are in Kafka."""
    found = set()
    reader = LogReader(cluster.settings)
    await reader.start()
    for partition in (0, 1):
        values = await reader.last_values(cluster.source(partition)._replace(topic=changelog_name(cluster.settings)))
        found |= {orjson.loads(key)[3] for key in values if orjson.loads(key)[0] != "position"}
    await reader.close()
    return found


async def test_no_ledger_has_the_tenant_any_more_and_the_others_count_on_exactly(
    cluster: Cluster, worker: Worker
) -> None:
    await cluster.send(events(1_200, "acme", GONE, "globex"))
    await cluster.counted()
    assert GONE in await names(cluster)
    sending = asyncio.create_task(cluster.send(events(4_000, "acme", "globex"), rate=400))
    positions = await erase_entries(cluster.settings, GONE)
    assert await names(cluster) == {"acme", "globex"}
    await sending
    assert await cluster.counted() == await expected(cluster, positions)
    assert await names(cluster) == {"acme", "globex"}
    assert len(worker.lives) > 1 and await worker.lives[0].wait() == 1, "its owner found itself fenced, and came back"


async def test_what_comes_later_is_counted_from_nothing(cluster: Cluster, worker: Worker) -> None:
    await cluster.send(events(300, GONE))
    await cluster.counted()
    sending = asyncio.create_task(cluster.send(events(3_000, "acme", GONE), rate=500))
    positions = await erase_entries(cluster.settings, GONE)
    await sending
    assert await cluster.counted() == await expected(cluster, positions)


async def test_owners_of_ledgers_without_the_tenant_are_left_alone(cluster: Cluster, worker: Worker) -> None:
    await cluster.send(events(300, "acme"))
    await cluster.counted()
    before = await cluster.read(changelog_name(cluster.settings), 0)
    positions = await erase_entries(cluster.settings, GONE)
    assert positions == {partition: await cluster.end(partition) for partition in (0, 1)}
    assert await cluster.read(changelog_name(cluster.settings), 0) == before
    await cluster.send(events(300, "acme"))
    await cluster.counted()
    assert len(worker.lives) == 1


@pytest.mark.parametrize("step", [Step.ERASE_FENCED, Step.ERASE_TOMBSTONED])
async def test_killed_at_every_step_and_run_again_it_is_done(
    cluster: Cluster, worker: Worker, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cluster.send(events(300, "acme", GONE))
    await cluster.counted()

    def kill(reached: Step) -> None:
        if reached == step:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(erasing, "reach", kill)
        with pytest.raises(Killed):
            await erase_entries(cluster.settings, GONE)
    await cluster.send(events(300, "acme", GONE))
    await cluster.counted()
    positions = await erase_entries(cluster.settings, GONE)
    assert await names(cluster) == {"acme"}
    await cluster.send(events(300, "acme"))
    assert await cluster.counted() == await expected(cluster, positions)


async def test_while_count_is_behind_nothing_is_erased(cluster: Cluster) -> None:
    await cluster.send(events(10, GONE))
    impatient = cluster.settings.model_copy(update={"publish_wait_seconds": 0.2})
    with pytest.raises(WorkerBehind, match="count has not come to the end of the log in partitions 0, 1 "):
        await erase_entries(impatient, GONE)
    assert await cluster.read(changelog_name(cluster.settings), 0) == []


async def test_an_owner_without_traffic_learns_that_it_is_none_before_it_writes_live_counts(
    kafka: str, clickhouse: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Cluster(kafka, clickhouse=clickhouse, database=database) as cluster:
        migrate(cluster.settings)
        monkeypatch.setattr(ledger, "PROOF_SECONDS", 0.0)
        reader = LogReader(cluster.settings)
        await reader.start()
        app, _ = driver.application(cluster.settings)
        idle = Ledger(cluster.settings, cluster.source(0), driver.table(app, "counts-0", 2), reader)
        await idle.open()
        entry = (1_794_992_400, GONE, "books_to_fsm", "s1")
        idle.table.update({entry: {"success": 1}})
        idle.unwritten[entry] = 0
        live = Live(cluster.settings, lambda: [idle])
        await live.write()
        rows = "SELECT count() FROM live_counts"
        assert Database(cluster.settings).value(rows) == 1, "its own partition it may write for"
        idle.unwritten[entry] = 0
        thief = OwnedPartition(cluster.settings, cluster.settings.count_group, cluster.source(0))
        await thief.open()
        Database(cluster.settings).command("TRUNCATE TABLE live_counts")
        with pytest.raises(PartitionLost):
            await live.write()
        assert Database(cluster.settings).value(rows) == 0
        await thief.close()
        await idle.close()
        await reader.close()
