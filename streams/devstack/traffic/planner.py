"""Decides which syncs come next: whose, how large, what they carry, how many of their records fail.

It keeps two memories: how far the failures so far are from the wanted share, so that every stretch of traffic has about
that share however large single syncs are; and what failed, so that later syncs fix it or fail again.
"""

import random
from collections import deque
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from streams.devstack.traffic.render import rfc3339
from streams.devstack.traffic.sync import Failure, SyncPlan
from streams.devstack.traffic.tenants import RecordSet, Tenant

FAILED_SHARE = 0.08
SKIPPED_SHARE = 0.02
LARGEST_SYNC = 10_000
INCOMPLETE_SHARE = 0.04
# A bounded Pareto distribution: half the syncs carry three records or fewer, the mean is about 75.
_SIZE_SHAPE = 0.55
_BOTH_WAYS = 0.7
_STILL_FAILING = 0.4
_PENDING_AT_MOST = 2_000
_OUTAGE_SHARE, _OUTAGE_AT_MOST = 0.07, 60
_CLEAN_UP_TO, _CLEAN_AT_MOST = 0.5, 500


class Draft(NamedTuple):
    """A sync to come, before it is known when."""

    tenant: Tenant
    direction: str
    size: int


class Planner:
    """`session` names this run of the planner; it is in every sync id, so that no two sessions share one."""

    def __init__(self, tenants: Sequence[Tenant], rng: random.Random, session: str) -> None:
        self._tenants = tenants
        self._shares = list(accumulate(tenant.share for tenant in tenants))
        self._rng = rng
        self._session = session
        self._syncs = 0
        self._records = 0
        self._failures = 0
        self._pending: dict[tuple[str, str], deque[Failure]] = {}

    def draft_round(self, largest: int) -> list[Draft]:
        """The syncs of one scheduled run of one tenant, none above `largest` records: mostly both directions."""
        [tenant] = self._rng.choices(self._tenants, cum_weights=self._shares)
        directions = list(tenant.records)
        if self._rng.random() > _BOTH_WAYS:
            directions = [self._rng.choice(directions)]
        return [
            Draft(tenant, direction, self._size(min(largest, tenant.largest_sync(direction))))
            for direction in directions
        ]

    def plan(self, draft: Draft, starts_ms: int) -> SyncPlan:
        """Settles what a draft carries. Call it when the sync starts: it takes up again what has failed until then."""
        rng = self._rng
        tenant, direction, size = draft
        pending = self._pending.setdefault((tenant.tenant_id, direction), deque(maxlen=_PENDING_AT_MOST))
        again = self._take_up(pending, size)
        failures, outage = self._failures_among(size)
        failing, skipped = self._positions(size, failures, again)
        incomplete = rng.random() < INCOMPLETE_SHARE
        loses = incomplete and rng.random() < 0.5
        self._syncs += 1
        return SyncPlan(
            tenant=tenant,
            direction=direction,
            sync_id=f"SYNC-{rfc3339(starts_ms)[:10].replace('-', '')}-{self._session}-{self._syncs:06d}",
            size=size,
            fresh=self._fresh(tenant.records[direction], size - len(again)),
            again=again,
            failing=failing,
            skipped=skipped,
            outage=outage,
            finishes=loses or not incomplete,
            records_total=size + (rng.randint(1, max(1, size // 10)) if loses else 0),
            pending=pending,
        )

    def _size(self, largest: int) -> int:
        u = self._rng.random()
        return int((1 - u * (1 - (largest + 1) ** -_SIZE_SHAPE)) ** (-1 / _SIZE_SHAPE))

    def _take_up(self, pending: deque[Failure], size: int) -> dict[int, Failure]:
        """Earlier failures for at most a third of the sync, at positions anywhere in it."""
        wanted = min(len(pending), (size + 2) // 3)
        taken: dict[tuple[str, int], Failure] = {}
        for _ in range(wanted):
            # The same record may have failed in two syncs at once: once in this one is enough.
            failure = pending.popleft()
            taken[failure.records.module, failure.serial] = failure
        return dict(zip(self._rng.sample(range(size), len(taken)), taken.values(), strict=True))

    def _failures_among(self, size: int) -> tuple[int, bool]:
        """How many of a sync's records fail, and whether that is all of them for one cause."""
        rng = self._rng
        self._records += size
        missing = FAILED_SHARE * self._records - self._failures
        mood = rng.random()
        outage = size <= _OUTAGE_AT_MOST and mood < _OUTAGE_SHARE and missing > -_OUTAGE_AT_MOST
        if outage:
            failures = size
        elif size <= _CLEAN_AT_MOST and mood < _CLEAN_UP_TO:
            failures = 0
        else:
            failures = max(0, min(int(missing * rng.uniform(0.6, 1.4) + rng.random()), (size + 2) // 3))
        self._failures += failures
        return failures, outage

    def _positions(self, size: int, failures: int, again: dict[int, Failure]) -> tuple[set[int], set[int]]:
        """Which positions fail and which are skipped; of the records taken up again some fail again."""
        rng = self._rng
        fresh = [position for position in range(size) if position not in again]
        failing_again = max(failures - len(fresh), min(failures, int(len(again) * _STILL_FAILING + rng.random())))
        failing = set(rng.sample(list(again), failing_again))
        skips = min(int(size * SKIPPED_SHARE + rng.random()), len(fresh) - (failures - failing_again))
        drawn = rng.sample(fresh, failures - failing_again + skips)
        failing.update(drawn[skips:])
        return failing, set(drawn[:skips])

    def _fresh(self, modules: tuple[RecordSet, ...], count: int) -> tuple[tuple[RecordSet, int, int], ...]:
        """`count` records in one to three modules, module after module."""
        rng = self._rng
        chosen = rng.sample(modules, 1 if count < 5 else rng.randint(1, len(modules)))
        cuts = sorted(rng.randint(0, count) for _ in chosen[1:])
        counts = [end - start for start, end in zip([0, *cuts], [*cuts, count], strict=True)]
        return tuple(
            (records, rng.randrange(records.size), part) for records, part in zip(chosen, counts, strict=True) if part
        )
