"""From rows to what is shown: the items of the API, which the pages show as well, and the bars of the chart.

The API's shapes are a contract: names and types of each item stand here once. Times go out as RFC 3339.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from streams import clock
from streams.classify.grouping import Group
from streams.clickhouse.queries.published import Pointer
from streams.web import words

Item = dict[str, Any]
_BAR_HEIGHT = 120.0
_SAMPLE_LENGTH = 1_000


def snapshot_item(pointer: Pointer | None) -> Item | None:
    """The `snapshot` of every answer; None before the first publication."""
    if pointer is None:
        return None
    return {
        "number": pointer.number,
        "cut": clock.rfc3339(pointer.cut),
        "cuts": {str(partition): offset for partition, offset in sorted(pointer.cuts.items())},
        "published_at": clock.rfc3339(pointer.published_at),
        "next_at": clock.rfc3339(pointer.next_at),
    }


def sync_item(row: Item, reasons: Iterable[tuple[str, int]]) -> Item:
    return {
        "sync_id": row["sync_id"],
        "modules": list(row["modules"]),
        "started_at": _time(row["started_ms"]),
        "finished_at": _time(row["finished_ms"]),
        "expected": row["expected"],
        "total": row["total"],
        "succeeded": row["succeeded"],
        "failed": row["failed"],
        "skipped": row["skipped"],
        "outcome": row["outcome"],
        "reasons": [{"reason": reason, "records": records} for reason, records in reasons],
    }


def reason_item(row: Item) -> Item:
    entry = words.reason(row["reason"])
    return {
        "reason": entry.code,
        "title": entry.title,
        "owner": entry.owner,
        "remedy": entry.remedy,
        "retryable": entry.retryable,
        "records": row["records"],
        "syncs": row["syncs"],
    }


def template_item(group: Group) -> Item:
    """A template of failures that were not recognised. `samples` are messages as they came, long ones cut."""
    return {
        "code": group.key.code,
        "template": group.key.template,
        "records": group.records,
        "first_seen": _time(group.first_ms),
        "last_seen": _time(group.last_ms),
        "samples": [s if len(s) <= _SAMPLE_LENGTH else f"{s[:_SAMPLE_LENGTH]}…" for s in group.samples],
    }


def day_items(rows: Iterable[Item], since: int, cut: dt.datetime) -> list[Item]:
    """Every day from `since` to the cut's, or to a later one on which a result says it occurred."""
    found = {row["date"]: row for row in rows}
    first = clock.from_ms(since).date()
    last = max([cut.date(), *(dt.date.fromisoformat(date) for date in found)])
    items = []
    for number in range((last - first).days + 1):
        date = (first + dt.timedelta(days=number)).isoformat()
        row = found.get(date, {"ok": 0, "bad": 0, "left_out": 0})
        items.append({"day": date, **_counts(row["ok"], row["bad"], row["left_out"])})
    return items


def totals(items: Iterable[Item]) -> Item:
    """The sums over `day_items`."""
    rows = list(items)
    return _counts(*(sum(row[name] for row in rows) for name in ("succeeded", "failed", "skipped")))


def _counts(succeeded: int, failed: int, skipped: int) -> Item:
    total = succeeded + failed + skipped
    return {"total": total, "succeeded": succeeded, "failed": failed, "skipped": skipped}


def _time(ms: int | None) -> str | None:
    return None if ms is None else clock.rfc3339(clock.from_ms(ms))


@dataclass(frozen=True)
class Bar:
    """A day of the chart: its place, and (status, top, height) of its parts from the bottom up."""

    x: int
    title: str
    parts: tuple[tuple[str, float, float], ...]


def bars(items: Sequence[Item]) -> list[Bar]:
    """One bar for each day, the highest as high as the chart. A part that is not 0 is never invisible."""
    highest = max((item["total"] for item in items), default=0)
    found = []
    for x, item in enumerate(items):
        parts, top = [], _BAR_HEIGHT
        for status in ("succeeded", "skipped", "failed"):
            if item[status]:
                height = max(1.0, item[status] / highest * (_BAR_HEIGHT - 3))
                top -= height
                parts.append((status, round(top, 1), round(height, 1)))
        numbers = ", ".join(f"{item[status]} {status}" for status in ("succeeded", "failed", "skipped"))
        found.append(Bar(x, f"{words.day(item['day'])}: {numbers}", tuple(parts)))
    return found
