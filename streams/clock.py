"""Time: UTC everywhere, milliseconds since 1970 on the wire, ISO weeks for publication. Pure but for `now`."""

import contextlib
import datetime as dt
import time

from streams.errors import UsageError

UTC = dt.UTC
WEEK = dt.timedelta(weeks=1)


def now() -> dt.datetime:
    return dt.datetime.now(UTC)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def from_ms(ms: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000)


def to_ms(moment: dt.datetime) -> int:
    """Whole milliseconds, rounded down; exact, unlike `timestamp() * 1000`."""
    return (moment - dt.datetime(1970, 1, 1, tzinfo=UTC)) // dt.timedelta(milliseconds=1)


def rfc3339(moment: dt.datetime) -> str:
    """With milliseconds and Z: 2026-11-23T00:00:00.000Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def monday(moment: dt.datetime) -> dt.datetime:
    """The Monday 00:00 UTC at or before `moment`."""
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - dt.timedelta(days=day.weekday())


def week_of(moment: dt.datetime) -> str:
    """The ISO week that `moment` lies in: 2026-W47."""
    year, week, _ = moment.astimezone(UTC).isocalendar()
    return f"{year}-W{week:02d}"


def end_of_week(week: str) -> dt.datetime:
    """The Monday 00:00 UTC that ends an ISO week such as 2026-W47. UsageError for anything else."""
    with contextlib.suppress(ValueError, OverflowError):
        start = dt.datetime.strptime(f"{week}-1", "%G-W%V-%u").replace(tzinfo=UTC)
        if week_of(start) == week:  # strptime takes a week 53 that the year does not have for the first of the next
            return start + WEEK
    raise UsageError(f"week {week!r} is not an ISO week; write the year and the week like 2026-W47")


def begin_of(span: str, moment: dt.datetime) -> dt.datetime:
    """When a span begins: a date such as 2026-06-01, or 26w or 62d before `moment`'s day. Else UsageError."""
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with contextlib.suppress(ValueError, OverflowError, KeyError):
        if span[:-1].isascii() and span[:-1].isdecimal():
            return day - int(span[:-1]) * {"d": dt.timedelta(days=1), "w": WEEK}[span[-1]]
        return dt.datetime.strptime(span, "%Y-%m-%d").replace(tzinfo=UTC)
    raise UsageError(f"{span!r} is no beginning: write a date like 2026-06-01, or a number of weeks or days like 26w")
