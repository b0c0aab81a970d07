"""Do the live counts and the rows tell the same? What comes out never blocks a publication, but is published with it.

Exact, unless events were sent twice (the rows have one of them) or something is wrong. Not reconciled when count is not
there (nothing counted yet, or its position did not come past what is asked for), or the comparison itself failed.
"""

import uuid
from dataclasses import dataclass

from streams import clock
from streams.clickhouse.client import Database
from streams.clickhouse.queries import reconciliation as queries
from streams.clickhouse.writer import in_thread
from streams.config import Settings
from streams.errors import SyncLogsError
from streams.kafka.topic_log import TopicLog, open_log
from streams.logs import log
from streams.publish import wait
from streams.publish.wait import Say, silent


@dataclass(frozen=True)
class Reconciliation:
    """`result` is exact, differs or not_reconciled; `difference` is summed over entries and statuses, 0 if unknown."""

    result: str
    difference: int = 0
    entries: int = 0
    why: str = ""

    def __str__(self) -> str:
        if self.result == "differs":
            return f"live counts differ from the rows by {self.difference} in {self.entries} entries"
        return "live counts and rows are equal" if self.result == "exact" else self._unknown

    @property
    def _unknown(self) -> str:
        return "live counts not reconciled" + (f": {self.why}" if self.why else "")


NOT_RECONCILED = Reconciliation("not_reconciled")


async def reconcile(
    topic: TopicLog, database: Database, settings: Settings, goal: dict[int, int], attempt: str, say: Say = silent
) -> Reconciliation:
    """Compare once count has passed the goal; NOT_RECONCILED if it has not after `publish_wait_seconds`.

    The entries compared are kept for two weeks in `reconciliation_entries` under `attempt`.
    """
    if not await wait.for_count(topic, database, goal, settings.publish_wait_seconds, say):
        return NOT_RECONCILED
    since = queries.compared_since(clock.now())
    positions = await in_thread(lambda: queries.positions(database, topic.topic))
    furthest = await in_thread(lambda: queries.copy_entries(database, attempt, topic.topic, since))
    beyond = {p: max(positions.get(p, 0), furthest.get(p, 0)) for p in positions.keys() | furthest.keys()}
    if not await wait.for_store(topic, settings, beyond, settings.publish_wait_seconds):
        return NOT_RECONCILED
    difference, entries = await in_thread(lambda: queries.difference(database, attempt, topic.topic, since, positions))
    if difference:
        log("publish").error("reconciliation_differs", difference=difference, entries=entries, attempt=attempt)
    return Reconciliation("differs" if difference else "exact", difference, entries)


async def reconcile_if_possible(
    database: Database, settings: Settings, goal: dict[int, int], attempt: str, say: Say = silent
) -> Reconciliation:
    """As `reconcile`, but what goes wrong on the way is the result: not_reconciled, with `why`. Raises nothing of ours.

    It opens the log for itself: an error of Kafka must end this comparison, and not the publication around it.
    """
    try:
        async with open_log(settings, settings.records_topic) as topic:
            return await reconcile(topic, database, settings, goal, attempt, say)
    except SyncLogsError as error:
        log("publish").error("not_reconciled", error=str(error), attempt=attempt)
        return Reconciliation("not_reconciled", why=str(error))


async def reconcile_now(settings: Settings) -> Reconciliation:
    """Compare all that is in the log at this moment, without publishing anything."""
    database = Database(settings, timeout=600)
    async with open_log(settings, settings.records_topic) as topic:
        goal = await topic.ends()
        return await reconcile(topic, database, settings, goal, str(uuid.uuid4()))
