"""Where a snapshot ends, and which week is due."""

import datetime as dt

import pytest

from streams import clock
from streams.errors import PositionOutOfRange, UsageError
from streams.kafka.topic_log import open_log
from streams.publish.cut import at_moment, at_the_ends, worded
from streams.publish.weekly import due
from tests.publish.world import MONDAY, Result, World, before_cut


def moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=clock.UTC)


@pytest.mark.parametrize(
    ("now", "cut"),
    [
        ("2026-11-23T00:00:00", "2026-11-23"),
        ("2026-11-22T23:59:59.999", "2026-11-16"),
        ("2026-11-29T12:00:00", "2026-11-23"),
        ("2027-01-01T00:00:00", "2026-12-28"),
    ],
)
def test_the_last_ended_week_is_due(now: str, cut: str) -> None:
    assert due(None, moment(now)) == moment(cut)


def test_a_named_week_is_due_at_its_end_and_not_before() -> None:
    assert due("2026-W53", moment("2027-01-04T00:00:00")) == moment("2027-01-04")
    with pytest.raises(UsageError, match="2026-W53 has not ended: it ends 2027-01-04T00:00:00.000Z"):
        due("2026-W53", moment("2027-01-03T23:59:59.999"))
    with pytest.raises(UsageError, match="not an ISO week"):
        due("2026-47", moment("2027-01-04T00:00:00"))


def test_a_cut_is_worded_by_the_week_it_ends() -> None:
    assert worded(moment("2026-11-23"), {}).week == "2026-W47"
    assert worded(moment("2026-11-23"), {}).next_at == moment("2026-11-30")
    other = worded(moment("2026-11-23T00:00:00.001"), {})
    assert (other.week, other.next_at) == ("", moment("2026-11-30"))


@pytest.mark.stack
async def test_the_cut_is_the_first_offset_received_at_or_after_it_else_the_end(stage: World) -> None:
    await stage.send(
        Result(received=before_cut(seconds=1)),
        Result(received=MONDAY),
        Result(received=before_cut(hours=1), partition=1),
    )
    async with open_log(stage.settings, stage.settings.records_topic) as log:
        assert (await at_moment(log, MONDAY, {})).offsets == {0: 1, 1: 1}
        assert (await at_moment(log, before_cut(minutes=1), {})).offsets == {0: 0, 1: 1}
        assert (await at_the_ends(log, {})).offsets == {0: 2, 1: 1}


@pytest.mark.stack
async def test_a_cut_never_steps_back_and_never_beyond_the_log(stage: World) -> None:
    await stage.send(Result(received=MONDAY), Result(received=MONDAY))
    async with open_log(stage.settings, stage.settings.records_topic) as log:
        assert (await at_moment(log, MONDAY, {0: 1})).offsets == {0: 1, 1: 0}
        with pytest.raises(PositionOutOfRange, match="made anew or lost data"):
            await at_moment(log, MONDAY, {0: 3})
        with pytest.raises(PositionOutOfRange, match=r"\[7\] ends at nowhere"):
            await at_the_ends(log, {7: 1})


@pytest.mark.stack
async def test_the_cut_is_asked_for_two_seconds_later(stage: World) -> None:
    async with open_log(stage.settings, stage.settings.records_topic) as log:
        asked = clock.now()
        await at_moment(log, asked - dt.timedelta(seconds=1.5), {})
        assert clock.now() - asked >= dt.timedelta(seconds=0.5)
