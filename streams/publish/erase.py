"""Erasing a tenant's rows: journal, deletion in every table, the snapshot of what remains, no way back to earlier ones.

Comes in: a tenant, and the positions below which count's ledgers are without it. Goes out: tables without it, and a
snapshot whose totals say so. Every step may be taken again, so whoever was killed is finished by the next run.
"""

from streams.clickhouse.client import Database
from streams.clickhouse.queries.erasure import Erasure
from streams.clickhouse.queries.published import latest
from streams.clickhouse.writer import in_thread
from streams.config import Settings
from streams.errors import SyncLogsError, UsageError, WorkerBehind
from streams.failpoints import Step, reach
from streams.kafka.topic_log import open_log
from streams.logs import log
from streams.publish import wait
from streams.publish.wait import Say, silent
from streams.publish.weekly import LONGEST_STATEMENT, show


class Overtaken(Exception):
    """The tenant goes on sending, and somebody has published that meanwhile: take every step again."""


class TenantRows:
    """What ClickHouse holds of one tenant, to be looked at (`held`), then erased (`begin`, `erase`)."""

    def __init__(self, settings: Settings, tenant: str, say: Say = silent) -> None:
        self._settings = settings
        self._database = Database(settings, timeout=LONGEST_STATEMENT)
        self._rows = Erasure(self._database, tenant, settings.records_topic)
        self._say = say
        self.tenant = tenant

    def held(self) -> dict[str, int]:
        """Rows by table; all 0 where only the end of an erasure that was begun is left to do. UsageError if there is
        no such tenant."""
        found = self._rows.held()
        if not any(found.values()) and not self._rows.begun():
            raise UsageError(
                f"there is no tenant {self.tenant!r}: no table of database {self._settings.database} has a row of it, "
                "and no erasure of it was begun. Names are exact, capitals too"
            )
        return found

    def begin(self) -> None:
        """Note in the journal that the tenant is being erased."""
        self._rows.begin()
        reach(Step.ERASE_NOTED)

    async def erase(self, positions: dict[int, int]) -> int | None:
        """Delete everything from below the positions and publish what remains: the snapshot's number, None if nothing
        was ever published.

        Overtaken: it is not finished, take every step again, with new positions. WorkerBehind if store has not passed
        the positions within `publish_wait_seconds`.
        """
        await self._wait_for_store(positions)
        reach(Step.ERASE_PASSED)
        return await in_thread(lambda: self._erase(positions))

    async def _wait_for_store(self, positions: dict[int, int]) -> None:
        patience = self._settings.publish_wait_seconds
        async with open_log(self._settings, self._settings.records_topic) as topic:
            if not await wait.for_store(topic, self._settings, positions, patience, self._say):
                raise WorkerBehind(
                    f"store has not come to what count has counted within {patience:.0f} s, so it would store what is "
                    "erased now: start it or look at its log and its lag, then run this again"
                )

    def _erase(self, positions: dict[int, int]) -> int | None:
        while True:
            before = latest(self._database)
            # Published from behind the positions is what the tenant has sent since: it is not to be deleted, and
            # can't be told from the rest in sums of a sync or a day.
            beyond = before and any(cut > positions.get(partition, 0) for partition, cut in before.cuts.items())
            if beyond and self._rows.sent_later(positions):
                raise Overtaken
            self._delete(positions)
            reach(Step.ERASE_POINTING)
            number = self._rows.point(before) if before else None
            if number is not None or latest(self._database) is None:
                break
            self._say("another publisher was faster; deleting what it published")
        if number is not None:
            reach(Step.ERASE_POINTED)
            self._say(f"snapshot {number} is published")
            self._rows.forget_earlier(number)
            self._show()
        # A publisher that lost the number may have written rows meanwhile, of an attempt that nobody will read.
        for table in self._rows.tables:
            self._rows.delete(table, positions, up_to=number or 1)
        reach(Step.ERASE_FORGOTTEN)
        self._rows.finish()
        return number

    def _delete(self, positions: dict[int, int]) -> None:
        for table in self._rows.tables:
            if deleted := self._rows.delete(table, positions):
                self._say(f"{table}: {deleted} rows deleted")
            reach(Step.ERASE_DELETED)

    def _show(self) -> None:
        """Set the metrics; nothing of ours that goes wrong here makes the erasure look failed."""
        try:
            if snapshot := latest(self._database):
                show(self._database, snapshot)
        except SyncLogsError as error:
            log("publish").warning("not_settled", error=str(error))

    def close(self) -> None:
        self._database.close()
