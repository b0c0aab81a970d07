"""The map of a publication: cut, wait for store, append, reconcile, check totals, pointer.

Comes in: what store wrote and count counts. Goes out: a snapshot that readers see whole or not at all. A crash at any
step leaves rows that nobody reads; whoever publishes next begins again, and later deletes them.
"""

import datetime as dt
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.reasons import CATALOGUE
from schemas.rows import SNAPSHOTS
from streams import clock, metrics
from streams.clickhouse.client import Database
from streams.clickhouse.queries import leftovers
from streams.clickhouse.queries import publication as queries
from streams.clickhouse.queries.publication import Publication, Totals
from streams.clickhouse.queries.published import Pointer, latest
from streams.clickhouse.writer import Writer, in_thread
from streams.config import Settings
from streams.errors import SettingsError, SyncLogsError, UsageError
from streams.failpoints import Step, reach
from streams.kafka.topic_log import TopicLog, open_log
from streams.logs import log
from streams.publish import cut as cuts
from streams.publish import wait
from streams.publish.cut import Cut
from streams.publish.reconcile import Reconciliation, reconcile_if_possible
from streams.publish.wait import Say

LONGEST_STATEMENT = 3600.0


@dataclass(frozen=True)
class Asked:
    """What shall be covered: all that was received until `moment`. `week`: was it named? `now`: all that is there."""

    moment: dt.datetime
    week: str | None
    now: bool


async def publish(settings: Settings, week: str | None = None, now: bool = False, say: Say = print) -> Pointer | None:
    """Publish the last ended week if it is not published yet, or `week`, or with `now` all that is there.

    The new snapshot, or None if there was nothing to do; `say` is told that and every step. Several missed weeks make
    one snapshot. UsageError for a week that has not ended; any other SyncLogsError: nothing was published, try again.
    """
    database = Database(settings, timeout=LONGEST_STATEMENT)
    asked = Asked(clock.now() if now else due(week, clock.now()), week, now)
    try:
        while True:
            before = await in_thread(lambda: latest(database))
            if before is not None and before.cut >= asked.moment:
                metrics.PUBLISHED.labels("nothing_due").inc()
                say(f"week {week or cuts.week_before(asked.moment)} is published: {_covers(before)}")
                return None
            started = time.perf_counter()
            outcome, snapshot = await _try(settings, database, before, asked, say)
            metrics.PUBLISHED.labels(outcome).inc()
            if outcome != "lost_race":
                metrics.PUBLISH_SECONDS.observe(time.perf_counter() - started)
                return snapshot
            say("another publisher was faster; looking again")
    except SyncLogsError:
        metrics.PUBLISHED.labels("error").inc()
        raise


def due(week: str | None, now: dt.datetime) -> dt.datetime:
    """The Monday at which the cut is due: of `week` (UsageError if it has not ended), else of the last that ended."""
    if week is None:
        return clock.monday(now)
    end = clock.end_of_week(week)
    if end > now:
        raise UsageError(
            f"week {week} has not ended: it ends {clock.rfc3339(end)}; publish it then, or cut now with --now"
        )
    return end


async def _try(
    settings: Settings, database: Database, before: Pointer | None, asked: Asked, say: Say
) -> tuple[str, Pointer | None]:
    """One try, from the cut to the pointer: the outcome as the metric names it, and the snapshot if there is one."""
    _check_topic(settings, before)
    async with open_log(settings, settings.records_topic) as topic:
        cut = await _cut(topic, before, asked)
        if before is None and not asked.now and not any(cut.offsets.values()):
            say(f"nothing to publish: nothing was received before {clock.rfc3339(cut.moment)}; "
                f"the next cut is {clock.rfc3339(cut.next_at)}")  # fmt: skip
            return "nothing_due", None
        draft = _draft(database, topic, cut, before)
        reach(Step.PUBLISH_CUT)
        say(f"snapshot {draft.number} covers what was received until {clock.rfc3339(cut.moment)}")
        await wait.for_store(topic, settings, cut.offsets, say=say)
        reach(Step.PUBLISH_PASSED)
        say("store has passed the cut")
        for append, what, step in _appends(draft):
            await in_thread(append)
            reach(step)
            say(what)
    reconciliation = await reconcile_if_possible(database, settings, cut.offsets, draft.attempt, say)
    reach(Step.PUBLISH_RECONCILED)
    say(str(reconciliation))
    apart = await in_thread(draft.check)
    totals = await in_thread(draft.totals)
    say("syncs and failures agree, days differ: published as counted" if apart else "totals agree")
    reach(Step.PUBLISH_POINTING)
    snapshot = await in_thread(lambda: _point(draft, cut, totals, reconciliation))
    if snapshot is None:
        return "lost_race", None
    reach(Step.PUBLISH_POINTED)
    say(f"snapshot {snapshot.number} is published: {totals.syncs} syncs, {totals.succeeded} succeeded, "
        f"{totals.failed} failed, {totals.skipped} skipped")  # fmt: skip
    _tell_days(draft, apart)
    await in_thread(lambda: _settle(draft, snapshot))
    reach(Step.PUBLISH_TIDIED)
    return "published", snapshot


def _check_topic(settings: Settings, before: Pointer | None) -> None:
    if before is not None and before.topic != settings.records_topic:
        raise SettingsError(
            f"SYNCLOGS_RECORDS_TOPIC is {settings.records_topic!r}, but snapshot {before.number} in database "
            f"{settings.database} is of topic {before.topic!r}: offsets of one say nothing about the other. Set it "
            "back, or choose another SYNCLOGS_DATABASE"
        )


async def _cut(topic: TopicLog, before: Pointer | None, asked: Asked) -> Cut:
    covered = before.cuts if before else {}
    if asked.now:
        return await cuts.at_the_ends(topic, covered)
    if asked.week:
        await cuts.check_reach(topic, asked.moment, covered)
    return await cuts.at_moment(topic, asked.moment, covered)


def _draft(database: Database, topic: TopicLog, cut: Cut, before: Pointer | None) -> Publication:
    return Publication(
        database,
        attempt=str(uuid.uuid4()),
        number=before.number + 1 if before else 1,
        topic=topic.topic,
        cut=cut.moment,
        offsets=cut.offsets,
        offsets_before=before.cuts if before else {},
        attempts_before=before.attempts if before else [],
    )


def _appends(draft: Publication) -> Sequence[tuple[Callable[[], None], str, Step]]:
    return (
        (draft.begin, "attempt noted", Step.PUBLISH_APPENDED_ATTEMPT),
        (draft.append_failures, "failures appended", Step.PUBLISH_APPENDED_FAILURES),
        (draft.append_syncs, "syncs appended", Step.PUBLISH_APPENDED_SYNCS),
        (draft.append_days, "days appended", Step.PUBLISH_APPENDED_DAYS),
    )


def _point(draft: Publication, cut: Cut, totals: Totals, reconciliation: Reconciliation) -> Pointer | None:
    """Move the pointer, the commit point, and read back who won: None if another publisher did.

    One insert with the token of the number, which the server takes from one of two publishers. StoreUnavailable: it is
    not known whether the snapshot stands; whoever looks again sees it.
    """
    row: Sequence[Any] = (
        draft.number, cut.week, draft.attempts, cut.moment, draft.topic, cut.offsets, clock.now(), cut.next_at,
        totals.syncs, totals.succeeded, totals.failed, totals.skipped,
        reconciliation.result, reconciliation.difference, CATALOGUE.version,
    )  # fmt: skip
    Writer(draft.database.settings).insert(SNAPSHOTS, [[value] for value in row], f"snapshot:{draft.number}")
    return latest(draft.database) if draft.won() else None


def _tell_days(draft: Publication, apart: dict[str, int]) -> None:
    metrics.DAYS_DIFFERENCE.set(sum(apart.values()))
    if apart:
        log("publish").error("days_differ_from_syncs", snapshot=draft.number, **apart)


def _settle(draft: Publication, snapshot: Pointer) -> None:
    """What follows the commit point. It can be made up for, so its errors never make the publication look failed."""
    try:
        show(draft.database, snapshot)
        leftovers.tidy(draft.database, clock.now())
        if conflicts := draft.conflicts():
            metrics.CONFLICTS.inc(conflicts)
            log("publish").warning("events_sent_again_with_other_content", events=conflicts, snapshot=draft.number)
    except SyncLogsError as error:
        log("publish").warning("not_settled", error=str(error))


def show(database: Database, snapshot: Pointer) -> None:
    """Set the metrics of the snapshot that stands."""
    totals = queries.published_totals(database, snapshot.number)
    metrics.SNAPSHOT.set(snapshot.number)
    metrics.SNAPSHOT_TIME.set(snapshot.published_at.timestamp())
    metrics.SNAPSHOT_CUT.set(snapshot.cut.timestamp())
    metrics.SNAPSHOT_CATALOGUE.set(queries.published_catalogue(database, snapshot.number))
    metrics.SNAPSHOT_ROWS.labels("success").set(totals.succeeded)
    metrics.SNAPSHOT_ROWS.labels("failed").set(totals.failed)
    metrics.SNAPSHOT_ROWS.labels("skipped").set(totals.skipped)
    metrics.DIFFERENCE.set(-1 if snapshot.reconciliation == "not_reconciled" else snapshot.difference)


def _covers(snapshot: Pointer) -> str:
    return (
        f"snapshot {snapshot.number} of {clock.rfc3339(snapshot.published_at)} covers everything received until "
        f"{clock.rfc3339(snapshot.cut)}; the next is due {clock.rfc3339(snapshot.next_at)}"
    )
