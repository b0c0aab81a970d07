"""Time: milliseconds to moments and back without a loss, and ISO weeks at the turn of the year."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import clock
from streams.errors import UsageError


@given(st.integers(0, 4_102_444_800_000))
def test_milliseconds_survive_the_way_to_a_moment_and_back(ms: int) -> None:
    assert clock.to_ms(clock.from_ms(ms)) == ms


def test_a_moment_between_two_milliseconds_is_rounded_down() -> None:
    assert clock.to_ms(dt.datetime(1970, 1, 1, 0, 0, 1, 999_999, tzinfo=dt.UTC)) == 1999


def test_a_moment_of_another_zone_is_the_same_millisecond_and_is_written_in_utc() -> None:
    moment = dt.datetime(2026, 11, 23, 2, 30, 0, 7_900, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30)))
    assert clock.rfc3339(moment) == "2026-11-22T21:00:00.007Z"
    assert clock.from_ms(clock.to_ms(moment)) == moment.replace(microsecond=7_000)


def test_now_is_one_moment_in_both_forms() -> None:
    before, moment, after = clock.now_ms(), clock.now(), clock.now_ms()
    assert moment.tzinfo is clock.UTC
    assert before <= clock.to_ms(moment) <= after


@pytest.mark.parametrize(
    ("moment", "monday", "week"),
    [
        ("2026-11-23T00:00:00.000Z", "2026-11-23T00:00:00.000Z", "2026-W48"),
        ("2026-11-22T23:59:59.999Z", "2026-11-16T00:00:00.000Z", "2026-W47"),
        ("2027-01-01T12:00:00.000Z", "2026-12-28T00:00:00.000Z", "2026-W53"),
        ("2024-12-30T00:00:00.000Z", "2024-12-30T00:00:00.000Z", "2025-W01"),
        ("2026-11-23T03:00:00.000+05:30", "2026-11-16T00:00:00.000Z", "2026-W47"),  # still Sunday in UTC
    ],
)
def test_a_moment_lies_in_the_iso_week_of_its_monday_in_utc(moment: str, monday: str, week: str) -> None:
    when = dt.datetime.fromisoformat(moment)
    assert clock.rfc3339(clock.monday(when)) == monday
    assert clock.week_of(when) == week


@given(st.datetimes(dt.datetime(2000, 1, 3), dt.datetime(2099, 12, 31), timezones=st.just(dt.UTC)))
def test_the_end_of_a_week_is_the_monday_after_it(moment: dt.datetime) -> None:
    assert clock.end_of_week(clock.week_of(moment)) == clock.monday(moment) + clock.WEEK


@pytest.mark.parametrize("week", ["2026-47", "2026-W54", "2025-W53", "W47", "2026-W00", "next", "", "2026-W47-1"])
def test_what_is_no_iso_week_is_refused_with_the_value_and_an_example(week: str) -> None:
    with pytest.raises(UsageError, match=f"week '{week}' is not an ISO week.*2026-W47"):
        clock.end_of_week(week)
