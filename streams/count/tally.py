"""What a run of messages adds to the live counts: pure, so the same messages give the same counts at any time.

In come Kafka records; out go, per entry (hour, tenant, direction, sync), counts by status and reason. Messages that are
no events and marks are not counted; results whose hour lies before the horizon are counted as late only.
"""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import attrgetter

from schemas.cut import kept_errors
from schemas.decode import Decoded, Message, decode
from schemas.event import DAY_MS, HOUR_MS, RecordEvent
from schemas.live import LIVE_HORIZON_MS
from streams.classify import classify

KEPT_MS = LIVE_HORIZON_MS + DAY_MS
"""An entry is deleted when its hour began so long before the partition's latest Kafka timestamp. The day between keeps
a broker's clock that steps back from bringing an entry back, which would then begin at nothing."""
SUB_BATCH = 400
"""Messages decoded at a time: their objects stay in the processor's cache."""

Entry = tuple[int, str, str, str]
"""Start of the hour (seconds since 1970), tenant, direction, sync."""
Counts = Mapping[str, int]
"""Records by label: `success`, `skipped`, and `failed:REASON`. Never changed in place: see `shared`."""

FAILED = "failed"
_fields = attrgetter("tenant_id", "direction", "sync_id", "status")
_Cell = tuple[int, tuple[str, str, str, str]]


def split(label: str) -> tuple[str, str]:
    """A label's status and reason, '' unless failed."""
    status, _, reason = label.partition(":")
    return status, reason


@lru_cache(4096)
def shared(items: tuple[tuple[str, int], ...]) -> Counts:
    """The counts of these labels: most entries have the same few, and one dict for all of them takes less."""
    return dict(items)


@lru_cache(1024)
def _hour(hours: int) -> int:
    """Start of an hour in seconds: one number for all entries of that hour."""
    return hours * 3600


class Tally:
    """Counts that are not committed yet. Times in ms since 1970; `oldest` and `latest` are Kafka timestamps."""

    __slots__ = ("_cells", "late", "latest", "messages", "oldest")

    def __init__(self) -> None:
        self._cells: Counter[_Cell] = Counter()
        self.messages = 0
        self.late = 0
        self.oldest = 0
        self.latest = 0

    def add(self, messages: Sequence[Message]) -> None:
        """Count messages, which stand in the order of their offsets."""
        for start in range(0, len(messages), SUB_BATCH):
            self._add_decoded(decode(messages[start : start + SUB_BATCH]))
        if messages:
            self.oldest = self.oldest or messages[0].timestamp
            self.latest = max(self.latest, messages[-1].timestamp)
            self.messages += len(messages)

    def _add_decoded(self, decoded: Decoded) -> None:
        events, hours = decoded.events, [occurred // HOUR_MS for occurred in decoded.occurred]
        if not events:
            return
        if min(hours) * HOUR_MS < max(decoded.received) - LIVE_HORIZON_MS:
            events, hours = self._without_late(decoded, hours)
        # One pass in C over all results, and one in Python over the few that failed; the cells of the first whose
        # status is failed are left out by `entries`.
        self._cells.update(zip(hours, map(_fields, events), strict=True))
        self._cells.update(
            (hour, (event.tenant_id, event.direction, event.sync_id, _failed_label(event)))
            for hour, event in zip(hours, events, strict=True)
            if event.status == FAILED
        )

    def _without_late(self, decoded: Decoded, hours: list[int]) -> tuple[list[RecordEvent], list[int]]:
        kept = [
            (event, hour)
            for event, hour, received in zip(decoded.events, hours, decoded.received, strict=True)
            if hour * HOUR_MS >= received - LIVE_HORIZON_MS
        ]
        self.late += len(hours) - len(kept)
        return [event for event, _ in kept], [hour for _, hour in kept]

    def entries(self) -> Mapping[Entry, Counts]:
        """The counts by entry."""
        found: dict[Entry, dict[str, int]] = {}
        for (hour, (tenant, direction, sync, label)), number in self._cells.items():
            if label == FAILED:
                continue
            entry = (_hour(hour), sys.intern(tenant), sys.intern(direction), sync)
            found.setdefault(entry, {})[label] = number
        return found

    def totals(self) -> Counter[tuple[str, str]]:
        """Counts by direction and label."""
        found: Counter[tuple[str, str]] = Counter()
        for (_, (_, direction, _, label)), number in self._cells.items():
            if label != FAILED:
                found[direction, label] += number
        return found


def _failed_label(event: RecordEvent) -> str:
    """Under the reason that store gives it, which classifies the same errors."""
    errors, _ = kept_errors(event)
    return sys.intern(f"{FAILED}:{classify(event.direction, errors).reason}")
