"""Simulated two-way traffic of many tenants: of a stretch of the past, or of the present for ever.

A seed goes in, messages come out; no clock but the one given, no I/O, no sleeping, no global random state. Every call
of `history` or `live` is a session of its own, named by the seed and its times; its event and sync ids are its own.
"""

import heapq
import random
from bisect import bisect
from collections import deque
from collections.abc import Callable, Generator, Iterator
from itertools import accumulate

from streams.devstack.traffic.planner import LARGEST_SYNC, Draft, Planner
from streams.devstack.traffic.render import event_ids
from streams.devstack.traffic.sync import Message, messages
from streams.devstack.traffic.tenants import Tenant, make_tenants

DEFAULT_TENANTS = 40

_HOUR_MS = 3_600_000
_SECOND_MS = 1_000
# Epoch day 0 was a Thursday; Monday first.
_WEEKDAY_WEIGHTS = (1.15, 1.1, 1.0, 1.0, 0.9, 0.25, 0.15)
_HOUR_WEIGHTS = (1, 1, 1, 1, 1, 2, 4, 8, 14, 16, 16, 15, 12, 14, 16, 15, 14, 10, 7, 5, 4, 3, 2, 1)
# A record takes a sync so long, in milliseconds: from a quick bulk interface to a throttled one.
_PACE_MS = (60, 240)

_LIVE_SYNCS = 16
# While syncs above this size hold a quarter of the places, others are cut to it: they stay longest, so after a while
# they would hold all places, and small syncs would hardly ever start.
_LIVE_LARGE = 500


class Traffic:
    """The simulated tenants of one seed, and the messages of their syncs."""

    def __init__(self, seed: int, tenants: int = DEFAULT_TENANTS) -> None:
        """Raises ValueError for fewer than one tenant."""
        if tenants < 1:
            raise ValueError(f"tenants is {tenants}: at least 1 is needed")
        self._seed = seed
        self._tenants = make_tenants(seed, tenants)

    @property
    def tenants(self) -> tuple[str, ...]:
        """Tenant ids, the largest first."""
        return tuple(tenant.tenant_id for tenant in self._tenants)

    @property
    def largest(self) -> str:
        return self._tenants[0].tenant_id

    def history(self, start_ms: int, end_ms: int, events: int) -> Iterator[Message]:
        """Traffic from `start_ms` up to, not including, `end_ms`, in order of time: exactly `events` record events, and
        on top of them the sync_started and sync_finished events of their syncs (a few per cent more messages).

        The same arguments give the same bytes. Raises ValueError where the times or the number make no sense.
        """
        if events < 0:
            raise ValueError(f"events is {events}: it can't be negative")
        if end_ms <= start_ms:
            raise ValueError(f"end_ms {end_ms} isn't after start_ms {start_ms}: the history has no time to happen in")
        return _history(_Session(self._tenants, f"history/{self._seed}/{start_ms}/{end_ms}/{events}"),
                        start_ms, end_ms, events)  # fmt: skip

    def live(self, now: Callable[[], float]) -> Iterator[Message]:
        """Endless traffic of several syncs at once; a message occurs when it is taken, by `now` (seconds since 1970).

        The session is named by the seed and the clock's first answer in milliseconds: started again later with the same
        seed, it repeats no id. Times never go backwards, even where the clock does.
        """
        started_ms = int(now() * 1000)
        return _live(_Session(self._tenants, f"live/{self._seed}/{started_ms}"), now, started_ms)


_Sending = Generator[Message | None, int, None]


class _Session:
    """One run of the planner with its random numbers and ids."""

    def __init__(self, tenants: tuple[Tenant, ...], name: str) -> None:
        self.rng = random.Random(name)
        self.planner = Planner(tenants, self.rng, f"{self.rng.getrandbits(48):012x}")
        # Numbers of its own: ids are drawn in blocks, which must not shift the rest.
        self._ids = event_ids(random.Random(f"ids/{name}"))

    def begin(self, draft: Draft, starts_ms: int) -> tuple[_Sending, int]:
        """A sync that waits for the time of its first message, and how many messages it will send."""
        plan = self.planner.plan(draft, starts_ms)
        sending = messages(plan, self._ids, self.rng)
        next(sending)
        return sending, plan.steps


def _history(session: _Session, start_ms: int, end_ms: int, events: int) -> Iterator[Message]:
    """Runs the planned syncs side by side: a heap holds each running sync's next message by its time."""
    rng = session.rng
    schedule = _schedule(session, start_ms, end_ms, events)
    schedule.reverse()
    running: list[tuple[int, int, int, _Running]] = []
    order = 0
    while schedule or running:
        while schedule and (not running or schedule[-1][0] <= running[0][0]):
            starts_ms, draft = schedule.pop()
            sync = _Running(*session.begin(draft, starts_ms), starts_ms, end_ms, rng.uniform(*_PACE_MS))
            order += 1
            heapq.heappush(running, (sync.due(0, rng.random()), order, 0, sync))
        due, number, step, sync = running[0]
        message = sync.sending.send(due)
        if step + 1 < sync.steps:
            heapq.heapreplace(running, (sync.due(step + 1, rng.random()), number, step + 1, sync))
        else:
            heapq.heappop(running)
        assert message is not None, "a sync sends exactly its plan's steps"
        yield message


class _Running:
    """A sync under way in the past, with the times of its messages."""

    def __init__(self, sending: _Sending, steps: int, starts_ms: int, end_ms: int, pace_ms: float) -> None:
        self.sending = sending
        self.steps = steps
        self._starts_ms = starts_ms
        # One that starts shortly before the end hurries: its last message must not fall behind the end.
        self._pace_ms = min(pace_ms, (end_ms - starts_ms) / steps)

    def due(self, step: int, jitter: float) -> int:
        """When a step is sent: steps are evenly spread, each somewhere within its own share of the time."""
        return self._starts_ms + int((step + jitter) * self._pace_ms)


def _schedule(session: _Session, start_ms: int, end_ms: int, events: int) -> list[tuple[int, Draft]]:
    """Syncs with `events` records in all and their times of start, in order of these."""
    hours = range(start_ms, end_ms, _HOUR_MS)
    weights = list(accumulate(_weight(hour_ms) for hour_ms in hours))
    # No single sync is the whole history, however short that is.
    largest = min(LARGEST_SYNC, max(1, events // 10))
    schedule: list[tuple[int, Draft]] = []
    left = events
    while left:
        hour_ms = hours[bisect(weights, session.rng.random() * weights[-1])]
        # Syncs are scheduled, so many start within moments of each other; the last hour may be a short one.
        quarter_ms = hour_ms + session.rng.randrange(4) * min(_HOUR_MS, end_ms - hour_ms) // 4
        for draft in session.planner.draft_round(largest):
            size = min(draft.size, left)
            starts_ms = quarter_ms + int(session.rng.expovariate(1 / (20 * _SECOND_MS)))
            latest_ms = max(start_ms, end_ms - size * _PACE_MS[1] - _SECOND_MS)
            if size:
                schedule.append((min(starts_ms, latest_ms), draft._replace(size=size)))
            left -= size
    schedule.sort(key=lambda entry: entry[0])
    return schedule


def _weight(hour_ms: int) -> float:
    hour = hour_ms // _HOUR_MS
    return _WEEKDAY_WEIGHTS[(hour // 24 + 3) % 7] * _HOUR_WEIGHTS[hour % 24]


class _Place:
    """One of the places in which live syncs run, one after the other."""

    def __init__(self, sending: _Sending, left: int, large: bool) -> None:
        self.sending = sending
        self.left = left
        self.large = large


def _live(session: _Session, now: Callable[[], float], occurred_ms: int) -> Iterator[Message]:
    """Keeps `_LIVE_SYNCS` syncs going and sends the next message of any of them."""
    rng = session.rng
    waiting: deque[Draft] = deque()
    places: list[_Place] = []
    while len(places) < _LIVE_SYNCS:
        places.append(_next_live(session, waiting, places, occurred_ms))
    while True:
        number = int(rng.random() * _LIVE_SYNCS)
        place = places[number]
        occurred_ms = max(occurred_ms, int(now() * 1000))
        message = place.sending.send(occurred_ms)
        assert message is not None, "a sync sends exactly its plan's steps"
        place.left -= 1
        if not place.left:
            places[number] = _next_live(session, waiting, places, occurred_ms)
        yield message


def _next_live(session: _Session, waiting: deque[Draft], places: list[_Place], starts_ms: int) -> _Place:
    if not waiting:
        waiting.extend(session.planner.draft_round(LARGEST_SYNC))
    draft = waiting.popleft()
    if sum(place.large for place in places) >= _LIVE_SYNCS // 4:
        draft = draft._replace(size=min(draft.size, _LIVE_LARGE))
    return _Place(*session.begin(draft, starts_ms), large=draft.size > _LIVE_LARGE)
