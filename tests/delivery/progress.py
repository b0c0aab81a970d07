"""How long no partition of a group got on: its committed positions, looked at while faults or rebalances happen.

A position that stands still is a pause only while there is something to read. Looks by addresses of its own settings:
give it those without a fault between. Times are those of `time.monotonic`, in seconds.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streams.config import Settings
from streams.errors import SyncLogsError
from streams.kafka import clients
from tests.delivery.processes import until

GAP_SECONDS = 3.0
LOOK_SECONDS = 5.0
"""A broker that is away is asked again after that."""


class Progress:
    """`async with Progress(settings).watching() as progress`, then `pauses` of any stretch of time."""

    def __init__(self, settings: Settings, every: float = 0.2) -> None:
        self.missed = 0
        """Looks that Kafka did not answer."""
        self.groups = {"store": settings.store_group, "count": settings.count_group}
        self.positions: dict[tuple[str, int], int] = {}
        self.lags: dict[tuple[str, int], int] = {}
        self._settings = settings
        self._every = every
        self._tps = [TopicPartition(settings.records_topic, number) for number in range(settings.partitions)]
        self._looks: list[float] = []
        self._well: dict[tuple[str, int], list[float]] = {}
        """When a partition was seen to have got on, or to have nothing left to do."""

    @asynccontextmanager
    async def watching(self) -> AsyncIterator["Progress"]:
        watching = asyncio.create_task(self._run())
        try:
            yield self
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    def pauses(self, begin: float, end: float) -> dict[tuple[str, int], float]:
        """The longest pause of each partition (`store` or `count`, number) between two moments."""
        found = {}
        for role in self.groups:
            for tp in self._tps:
                marks = [at for at in self._well.get((role, tp.partition), []) if begin < at < end]
                edges = [begin, *marks, end]
                found[role, tp.partition] = max(b - a for a, b in zip(edges, edges[1:], strict=False))
        return found

    def answered(self, begin: float, end: float) -> float:
        """Since when Kafka answered without a gap until `end`, not before `begin`: nobody can get on without it."""
        looks = [at for at in self._looks if begin < at < end]
        edges = [begin, *looks, end]
        return max((b for a, b in zip(edges, edges[1:], strict=False) if b - a > GAP_SECONDS), default=begin)

    def longest(self, role: str, windows: Iterable[tuple[float, float]]) -> float:
        """The longest pause of any partition of a role within any of these windows; 0 without one."""
        return max((p for w in windows for (of, _), p in self.pauses(*w).items() if of == role), default=0.0)

    async def caught_up(self, messages: int, seconds: float) -> None:
        """Wait until no partition of either group is further behind than so many messages."""

        async def near() -> bool:
            return len(self.lags) == 2 * len(self._tps) and max(self.lags.values()) <= messages

        await until(f"both groups are at most {messages} messages behind", near, seconds)

    async def _run(self) -> None:
        admin = await clients.started(lambda: clients.admin(self._settings), self._settings, patient=True)
        reader = await clients.started(lambda: clients.reader(self._settings), self._settings, patient=True)
        try:
            while True:
                try:
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._look(admin, reader)
                except (SyncLogsError, KafkaError, OSError, TimeoutError):
                    self.missed += 1
                await asyncio.sleep(self._every)
        finally:
            await clients.stop(reader)
            await admin.close()

    async def _look(self, admin: AIOKafkaAdminClient, reader: AIOKafkaConsumer) -> None:
        # The ends first: who has come to them by the time of the answer has nothing left to do.
        ends = await reader.end_offsets(self._tps)
        for role, group in self.groups.items():
            found = await admin.list_consumer_group_offsets(group, partitions=self._tps)
            now = time.monotonic()
            for tp, position in found.items():
                key = (role, tp.partition)
                if position.offset > self.positions.get(key, -1) or position.offset >= ends[tp]:
                    self._well.setdefault(key, []).append(now)
                self.lags[key] = ends[tp] - position.offset
                self.positions[key] = max(position.offset, self.positions.get(key, -1))
        self._looks.append(time.monotonic())
