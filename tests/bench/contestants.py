"""The processes that are measured, and how: CPU time of the process (user and system) from the kernel's own account.

What a process spends on starting is measured on an empty topic and taken off, since a worker runs for weeks.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
from aiokafka import OffsetAndMetadata, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from streams.clickhouse.client import connect
from streams.clickhouse.migrate import migrate
from streams.config import Settings, load
from streams.kafka import clients, topics

LOGS = Path("build/bench-logs")


class Worker:
    """A contestant in a process of its own: yardstick, count or store."""

    def __init__(self, role: str, settings: Settings) -> None:
        self.role = role
        self.settings = settings
        LOGS.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "streams.cli", role]
        if role == "yardstick":
            command = [sys.executable, "-m", "tests.bench.yardstick", settings.store_group]
        environment = {**os.environ, **{f"SYNCLOGS_{k.upper()}": str(v) for k, v in _changed(settings).items()}}
        with (LOGS / f"{role}.log").open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        self._ps = psutil.Process(self.process.pid)

    @property
    def group(self) -> str:
        return self.settings.count_group if self.role == "count" else self.settings.store_group

    def cpu(self) -> float:
        """Seconds of user and system time so far. RuntimeError if the process has ended."""
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.role} ended with {self.process.returncode}: see {LOGS / self.role}.log")
        times = self._ps.cpu_times()
        return float(times.user + times.system)

    def memory(self) -> int:
        return int(self._ps.memory_info().rss)

    def most_memory(self) -> int:
        """The most bytes that were ever resident, by the kernel's account."""
        status = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        (line,) = (line for line in status if line.startswith("VmHWM"))
        return int(line.split()[1]) << 10

    def end(self, kill: bool = False) -> None:
        if self.process.poll() is None:
            self.process.kill() if kill else self.process.terminate()
        self.process.wait(30)


def _changed(settings: Settings) -> dict[str, object]:
    return {name: getattr(settings, name) for name in settings.model_fields_set if name not in ("secret",)}


@asynccontextmanager
async def fresh(base: dict[str, object], name: str, topic: str | None = None) -> AsyncIterator[Settings]:
    """Settings with groups and a database of their own, tables and topics made; the database dropped at the end."""
    settings = load(**base, count_group=f"count-{name}", store_group=f"store-{name}", database=f"bench_{name}",
                    records_topic=topic or f"records-{name}", dead_letters_topic=f"dead-{name}")  # fmt: skip
    admin = await clients.started(lambda: clients.admin(settings), settings)
    await topics.create(admin, topics.wanted(settings), 1)
    await admin.close()
    await asyncio.to_thread(migrate, settings)
    try:
        yield settings
    finally:
        client = connect(settings, database="default", timeout=120)
        client.command(f"DROP DATABASE {settings.database} SYNC")


async def settled(worker: Worker, seconds: float = 300) -> float:
    """Wait until the worker's group has committed every message of the topic; its CPU seconds then."""
    settings = worker.settings
    admin: AIOKafkaAdminClient = await clients.started(lambda: clients.admin(settings), settings)
    reader = await clients.started(lambda: clients.reader(settings), settings)
    tps = [TopicPartition(settings.records_topic, number) for number in range(settings.partitions)]
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            ends = await reader.end_offsets(tps)
            done: dict[TopicPartition, OffsetAndMetadata] = {}
            with contextlib.suppress(GroupCoordinatorNotAvailableError):  # of a new broker
                done = await admin.list_consumer_group_offsets(worker.group, partitions=tps)
            if all(tp in done and done[tp].offset >= ends[tp] and ":" not in done[tp].metadata for tp in tps):
                return worker.cpu()
            worker.cpu()
            await asyncio.sleep(0.05)
    finally:
        await admin.close()
        await clients.stop(reader)
    raise RuntimeError(f"{worker.role} did not finish in {seconds} s: see {LOGS / worker.role}.log")
