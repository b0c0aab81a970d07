"""The map of a reclassification: classify what is published by the present catalogue, copy, check, move the pointer.

Comes in: a snapshot and a newer catalogue. Goes out: the next snapshot, of the same records under today's reasons. A
crash at any step leaves rows that nobody reads; the next run begins again. What was replaced stands for another day.
"""

import datetime as dt
import itertools
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from schemas.reasons import CATALOGUE
from streams import clock, metrics
from streams.classify import classify
from streams.clickhouse.client import Database
from streams.clickhouse.queries import leftovers
from streams.clickhouse.queries.published import Pointer, latest
from streams.clickhouse.queries.reclassification import Chunk, Reclassification
from streams.config import Settings
from streams.errors import SyncLogsError, UsageError
from streams.failpoints import Step, reach
from streams.logs import log
from streams.publish.wait import Say, silent
from streams.publish.weekly import LONGEST_STATEMENT, show

_Change = tuple[str, str, str, str, str, Sequence[str]]
Advance = Callable[[str, int, int], None]
"""Told after each chunk: what is being done, how many failures are done, how many there are."""


@dataclass
class Found:
    """Counts of failures by reason, before and after; how many changed; the snapshot if one was published."""

    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    changed: int = 0
    snapshot: Pointer | None = None


def reclassify(
    settings: Settings,
    since: dt.datetime | None = None,
    dry_run: bool = False,
    say: Say = silent,
    advance: Advance = lambda what, done, total: None,
) -> Found:
    """Publish the latest snapshot's failures under the reasons of the present catalogue, all or those from `since` on.

    Nothing is published where nothing changes, nor with `dry_run`, which writes nothing. May run at any moment: if
    another publisher was faster it begins again with that snapshot. UsageError before the first publication; any other
    SyncLogsError: what people see is as it was, or wholly new; run it again.
    """
    database = Database(settings, timeout=LONGEST_STATEMENT)
    try:
        while True:
            before = latest(database)
            if before is None:
                raise UsageError("nothing is published yet, so there is nothing to reclassify; see synclogs publish")
            begin = since or clock.from_ms(0)
            started = time.perf_counter()
            tried = _Try(Reclassification(database, str(uuid.uuid4()), before, begin, CATALOGUE.version), say, advance)
            outcome = tried.run(dry_run)
            metrics.RECLASSIFIED.labels(outcome).inc()
            if outcome == "published":
                metrics.RECLASSIFIED_FAILURES.inc(tried.found.changed)
                metrics.RECLASSIFY_SECONDS.observe(time.perf_counter() - started)
            if outcome != "lost_race":
                return tried.found
            say("another publisher was faster; beginning again with its snapshot")
    except SyncLogsError:
        metrics.RECLASSIFIED.labels("error").inc()
        raise
    finally:
        database.close()


class _Try:
    def __init__(self, draft: Reclassification, say: Say, advance: Advance) -> None:
        self.found = Found()
        self._draft = draft
        self._say = say
        self._advance = advance
        self._noted = False

    def run(self, dry_run: bool) -> str:
        """From the texts to the pointer; the outcome as the metric names it."""
        draft = self._draft
        chunks = draft.chunks()
        self._classify_all(chunks, dry_run)
        if dry_run or not self.found.changed:
            return "dry_run" if dry_run else "nothing_changed"
        reach(Step.RECLASSIFY_NOTED)
        self._say(f"{self.found.changed} failures have other reasons")
        self._each("publishing", chunks, draft.copy)
        reach(Step.RECLASSIFY_COPIED)
        self._say("failures written")
        draft.carry_over()
        reach(Step.RECLASSIFY_CARRIED)
        self._say("syncs and days written")
        draft.check()
        reach(Step.RECLASSIFY_POINTING)
        self._say("totals agree")
        self.found.snapshot = draft.point()
        reach(Step.RECLASSIFY_POINTED)
        self._settle()
        return "published" if self.found.snapshot else "lost_race"

    def _classify_all(self, chunks: list[Chunk], dry_run: bool) -> None:
        left_alone = Counter(self._draft.left_alone())
        self.found.before.update(left_alone)
        self.found.after.update(left_alone)
        keep = None if dry_run else self._note
        self._each("classifying", [chunk for chunk in chunks if chunk.anew], lambda chunk: self._classify(chunk, keep))

    def _classify(self, chunk: Chunk, keep: Callable[[Chunk, list[_Change]], None] | None) -> None:
        """Classify a chunk; hand on what changed. `keep` may be None: nothing is written."""
        changes: list[_Change] = []
        before, after = self.found.before, self.found.after
        for row in itertools.chain.from_iterable(self._draft.errors(chunk)):
            tenant, direction, sync, event, reason, codes, messages, reasons = row
            now = classify(direction, [(c, m, "") for c, m in zip(codes, messages, strict=True)])
            before[reason] += 1
            after[now.reason] += 1
            if reason != now.reason or tuple(reasons) != now.reasons:
                self.found.changed += 1
                if keep is not None:
                    changes.append((tenant, direction, sync, event, now.reason, now.reasons))
        if keep is not None and changes:
            keep(chunk, changes)

    def _note(self, chunk: Chunk, changes: list[_Change]) -> None:
        if not self._noted:
            self._draft.begin()
            self._noted = True
        self._draft.note(chunk, changes)

    def _each(self, what: str, chunks: list[Chunk], do: Callable[[Chunk], None]) -> None:
        total, done = sum(chunk.rows for chunk in chunks), 0
        for chunk in chunks:
            self._advance(what, done, total)
            do(chunk)
            done += chunk.rows
        self._advance(what, total, total)

    def _settle(self) -> None:
        """What follows the commit point; it can be made up for, so its errors never make the whole look failed."""
        try:
            self._draft.forget_notes()
            if self.found.snapshot is not None:
                show(self._draft.database, self.found.snapshot)
            leftovers.tidy(self._draft.database, clock.now())
        except SyncLogsError as error:
            log("publish").warning("not_settled", error=str(error))
