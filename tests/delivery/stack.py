"""One test's whole system on the shared servers, or one that is already up: its settings, processes, and its checks.

`Stack.made` has topics, groups and a database of its own, so that tests share Kafka and the front; `Stack.from_file`
takes a running `synclogs dev` by its `stack.json`, and the same faults and checks run against that.
"""

import asyncio
import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streams.clickhouse.client import Database
from streams.clickhouse.migrate import migrate
from streams.config import Settings, load
from streams.errors import SyncLogsError
from streams.kafka import clients, topics
from streams.kafka.partition import committed
from tests.delivery import checkers
from tests.delivery.broker_log import believed
from tests.delivery.ledger import Ledger
from tests.delivery.parts import Front, Kafka, WorkerProcess
from tests.delivery.processes import Found, Process, until
from tests.delivery.sampler import Sample
from tests.delivery.world import World, look

SHORT: dict[str, Any] = {
    "partitions": 2, "session_seconds": 6, "store_seconds": 0.5, "live_upsert_seconds": 1, "drain_seconds": 3,
}  # fmt: skip
"""Times for tests; a session can't be shorter."""


class Stack:
    """`settings` lead to Kafka and ClickHouse without a fault between; `processes` are targets by name (`store 1`)."""

    def __init__(self, settings: Settings, folder: Path, processes: Mapping[str, Process] | None = None) -> None:
        self.settings = settings
        self.folder = folder
        self.processes: dict[str, Process] = dict(processes or {})
        self._made = False
        # One for all: to connect costs seven times what a short query does, and conditions are asked for all the time.
        self._database = Database(settings)

    @classmethod
    def from_file(cls, file: Path) -> Self:
        """A stack that is up. What it has of our settings is read from the file, the rest is the default."""
        about = json.loads(file.read_text())
        settings = load(
            kafka=about["kafka"], clickhouse=about["clickhouse"], database=about["database"],
            records_topic=about["topics"]["records"], dead_letters_topic=about["topics"]["dead_letters"],
            count_group=about["groups"]["count"], store_group=about["groups"]["store"],
        )  # fmt: skip
        found = {f"{e['role']} {e['number']}": Found(file, e["role"], e["number"]) for e in about["processes"]}
        return cls(settings, file.parent, found)

    @classmethod
    async def made(cls, kafka: Kafka, front: Front, folder: Path, **changed: Any) -> Self:
        """With topics, groups and a database of its own, and no worker yet."""
        name = f"t{uuid.uuid4().hex[:10]}"
        settings = load(
            kafka=kafka.address, clickhouse=front.url, database=name, records_topic=name,
            dead_letters_topic=f"{name}-dead", count_group=f"{name}-count", store_group=f"{name}-store",
            **SHORT | changed,
        )  # fmt: skip
        admin = await clients.started(lambda: clients.admin(settings), settings, patient=True)
        try:
            await topics.create(admin, topics.wanted(settings), 1)
        finally:
            await admin.close()
        await asyncio.to_thread(_create_database, settings)
        await asyncio.to_thread(migrate, settings)
        stack = cls(settings, folder, {kafka.name: kafka, front.name: front})
        stack._made = True
        return stack

    def worker(
        self, role: str, number: int = 1, *, clock: str = "", environment: Mapping[str, str] | None = None,
        **changed: Any,
    ) -> WorkerProcess:  # fmt: skip
        """Start a worker; `changed` are settings of its own, such as the address of a way that will fail."""
        settings = load(**{**self._given(), **changed})
        worker = WorkerProcess(role, number, settings, self.folder, clock=clock, environment=environment)
        self.processes[worker.name] = worker
        worker.start()
        return worker

    def _given(self) -> dict[str, Any]:
        return {name: getattr(self.settings, name) for name in self.settings.model_fields_set}

    @property
    def workers(self) -> list[WorkerProcess]:
        return [process for process in self.processes.values() if isinstance(process, WorkerProcess)]

    def sql(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self._database.rows(query, **parameters)]

    async def rows(self) -> int:
        """How many rows `sync_records` has, without FINAL; -1 while ClickHouse does not answer."""
        try:
            return int((await asyncio.to_thread(self.sql, "SELECT count() FROM sync_records"))[0][0])
        except SyncLogsError:
            return -1

    async def stored(self, more_than: int = 0, seconds: float = 40) -> int:
        """Wait until so many rows are there; how many there are then."""
        seen = 0

        async def enough() -> bool:
            nonlocal seen
            seen = await self.rows()
            return seen > more_than

        await until(f"more than {more_than} rows are stored", enough, seconds)
        return seen

    async def settled(self, *groups: str, seconds: float = 60) -> None:
        """Wait until the workers of both groups (or of these: `store`, `count`) have come to the log's end."""
        wanted = groups or ("store", "count")

        async def at_the_end() -> bool:
            try:
                return await self._at_the_end(wanted)
            except (SyncLogsError, KafkaError, OSError):
                return False

        await until(f"{' and '.join(wanted)} have come to the end of the log", at_the_end, seconds, every=0.2)

    async def _at_the_end(self, roles: Sequence[str]) -> bool:
        settings = self.settings
        groups = {"store": settings.store_group, "count": settings.count_group}
        reader = await clients.started(lambda: clients.reader(settings), settings)
        admin = await clients.started(lambda: clients.admin(settings), settings)
        try:
            (described,) = await admin.describe_topics([settings.records_topic])
            tps = [TopicPartition(settings.records_topic, p) for p in range(len(described["partitions"]))]
            ends = await reader.end_offsets(tps)
            found = {(role, tp): await committed(admin, groups[role], tp) for role in roles for tp in tps}
        finally:
            await clients.stop(reader)
            await admin.close()
        for (_, tp), position in found.items():
            if ends[tp] and (position is None or position.offset < ends[tp] or ":" in position.note):
                return False
        return "count" not in roles or await asyncio.to_thread(self._live_at, {tp.partition: ends[tp] for tp in tps})

    def _live_at(self, ends: Mapping[int, int]) -> bool:
        """Whether `live_counts` has followed what count has committed."""
        wanted = (
            "SELECT kafka_partition, max(position) FROM live_positions WHERE kafka_topic = {topic:String} GROUP BY 1"
        )
        there = dict(self.sql(wanted, topic=self.settings.records_topic))
        return all(there.get(partition, 0) >= end for partition, end in ends.items())

    async def look(self) -> World:
        """Everything as it is; what the running workers say of themselves too."""
        running = [process for process in self.processes.values() if process.pid and process.metrics_address]
        said = {path: {p.name: (await p.get(path))[1] for p in running} for path in ("/metrics", "/readyz")}
        logs = {worker.name: worker.log.read_text(errors="replace") for worker in self.workers if worker.log.exists()}
        return await look(self.settings, metrics=said["/metrics"], ready=said["/readyz"], logs=logs)

    async def problems(self, ledger: Ledger, samples: Sequence[Sample] = ()) -> list[str]:
        """What every checker finds. Call it at rest, with both kinds of workers running."""
        return checkers.everything(await self.look(), ledger.entries, self.believed(samples))

    def believed(self, samples: Sequence[Sample]) -> Sequence[Sample]:
        """The samples but those that a broker of ours has taken back."""
        kafka = self.processes.get("kafka")
        if not isinstance(kafka, Kafka):
            return samples
        kafka.coordinators.look()
        return believed(samples, kafka.coordinators.moments(self.settings.store_group))

    async def close(self) -> None:
        """End its workers and drop its database; its topics stay, the broker goes with the run."""
        for worker in self.workers:
            await worker.end()
        self._database.close()
        if self._made:
            await asyncio.to_thread(_drop_database, self.settings)


def _create_database(settings: Settings) -> None:
    _command(settings, f"CREATE DATABASE IF NOT EXISTS {settings.database}")


def _drop_database(settings: Settings) -> None:
    _command(settings, f"DROP DATABASE IF EXISTS {settings.database} SYNC")


def _command(settings: Settings, statement: str) -> None:
    database = Database(settings.model_copy(update={"database": "default"}))
    try:
        database.command(statement)
    finally:
        database.close()
