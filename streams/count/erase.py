"""Taking a tenant out of count's ledgers, for good: tombstones for its entries, so that no restored ledger has them.

In comes a tenant; out goes, by partition, the position up to which nothing of it is counted any more. The entries
change as an owner changes them: after fencing, in one transaction, at the position that stands.
"""

import asyncio
import time

from aiokafka import TopicPartition

from streams.config import Settings
from streams.count import changelog
from streams.count.ledger import PROOF_SECONDS
from streams.count.reading import LogReader
from streams.errors import PartitionLost, WorkerBehind
from streams.failpoints import Step, reach
from streams.kafka.partition import OwnedPartition, Position
from streams.kafka.topic_log import TopicLog, open_log
from streams.kafka.topics import changelog_name

AT_ONCE = 4
TRIES = 20
"""A worker whose partition was taken begins again within seconds, and may take it back before we have committed."""
_AFTER_PROOF_SECONDS = 1.0


async def erase_entries(settings: Settings, tenant: str) -> dict[int, int]:
    """Delete the tenant's entries in every ledger; by partition the first offset that may be counted for it again.

    At least the log's end at the call. Count goes on: where a ledger had entries its owner finds itself fenced, ends,
    and restores without them. When this returns no owner of before writes entries to ClickHouse any more. WorkerBehind
    if count has not passed the log's end within `publish_wait_seconds`; PartitionLost: run it again.
    """
    async with open_log(settings, settings.records_topic) as topic:
        goal = await topic.ends()
        await _until_counted(settings, topic, goal)
    async with open_log(settings, changelog_name(settings)):
        pass  # a topic that is missing is said here; a reader would wait for it
    some = asyncio.Semaphore(AT_ONCE)

    async def one(partition: int, end: int) -> tuple[int, bool]:
        async with some:
            return await _Tombstones(settings, tenant, partition).write(end)

    found = await asyncio.gather(*(one(partition, end) for partition, end in goal.items()))
    if any(fenced for _, fenced in found):
        await asyncio.sleep(PROOF_SECONDS + _AFTER_PROOF_SECONDS)
    return {partition: position for partition, (position, _) in zip(goal, found, strict=True)}


async def _until_counted(settings: Settings, topic: TopicLog, goal: dict[int, int]) -> None:
    deadline = time.monotonic() + settings.publish_wait_seconds
    while behind := await topic.behind(await topic.positions(settings.count_group), goal):
        if time.monotonic() > deadline:
            raise WorkerBehind(
                f"count has not come to the end of the log in partitions {', '.join(map(str, behind))} within "
                f"{settings.publish_wait_seconds:.0f} s, so it would count what is erased now: start it or look at its "
                "log and its lag, then run this again"
            )
        await asyncio.sleep(0.2)


class _Tombstones:
    """The entries of one tenant in one partition's ledger."""

    def __init__(self, settings: Settings, tenant: str, partition: int) -> None:
        self._settings = settings
        self._tenant = tenant
        self._source = TopicPartition(settings.records_topic, partition)
        self._changelog = TopicPartition(changelog_name(settings), partition)

    async def write(self, end: int) -> tuple[int, bool]:
        """The position at which the ledger has no entry of the tenant, `end` if there is no ledger; and whether its
        owner was fenced. It is left alone where there is no such entry."""
        reader = LogReader(self._settings)
        await reader.start()
        try:
            for _ in range(TRIES):
                state = await self._state(reader)
                if not self._of_tenant(state):
                    return (state.position if state else end), False
                try:
                    return await self._as_owner(reader), True
                except PartitionLost as lost:
                    error = lost
                await asyncio.sleep(0.2)
            raise error
        finally:
            await reader.close()

    async def _state(self, reader: LogReader) -> changelog.State | None:
        return changelog.restore(self._source, await reader.last_values(self._changelog))

    def _of_tenant(self, state: changelog.State | None) -> list[tuple[int, str, str, str]]:
        return [entry for entry in state.entries if entry[1] == self._tenant] if state else []

    async def _as_owner(self, reader: LogReader) -> int:
        owned = OwnedPartition(self._settings, self._settings.count_group, self._source)
        try:
            # First of all: what is read below is changed by nobody else from here on.
            await owned.open(self._changelog.topic)
            state = await self._state(reader)
            assert state is not None
            reach(Step.ERASE_FENCED)
            records = [changelog.entry_record(self._source, entry, None) for entry in self._of_tenant(state)]
            records.append(changelog.position_record(self._source, state.position, state.latest))
            await owned.commit(Position(state.position), self._changelog.topic, records)
            reach(Step.ERASE_TOMBSTONED)
            return state.position
        finally:
            await owned.close()
