"""Where a snapshot ends: for each partition the first offset that is not in it.

Comes in: a moment, the log, the vector of the snapshot before. Goes out: a `Cut`. Offsets decide what is in; the moment
only words it. Partitions never step back behind the snapshot before, whatever the brokers' clocks did.
"""

import asyncio
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from streams import clock
from streams.errors import PositionOutOfRange, UsageError
from streams.kafka.topic_log import TopicLog

SETTLE = dt.timedelta(seconds=2)
"""How long after the cut it is asked for: brokers' clocks differ a little from ours."""


@dataclass(frozen=True)
class Cut:
    """`offsets` by partition: what lies below is covered. `week` is '' where the cut ends no week."""

    moment: dt.datetime
    offsets: dict[int, int]
    week: str
    next_at: dt.datetime


def week_before(moment: dt.datetime) -> str:
    """The ISO week that ends at `moment`, or that it lies in."""
    return clock.week_of(moment - dt.timedelta(milliseconds=1))


def worded(moment: dt.datetime, offsets: dict[int, int]) -> Cut:
    """The cut at `moment` with the week that it ends and the moment of the next one."""
    week = week_before(moment) if moment == clock.monday(moment) else ""
    return Cut(moment, offsets, week, clock.monday(moment) + clock.WEEK)


async def at_moment(log: TopicLog, moment: dt.datetime, before: Mapping[int, int]) -> Cut:
    """The cut of a past moment: the first offset received at or after it. Waits until it is two seconds ago."""
    await asyncio.sleep(max(0.0, (moment + SETTLE - clock.now()).total_seconds()))
    # The ends first: what is appended in between was received after the cut and must not slip below an end.
    ends = await log.ends()
    first = await log.first_at(clock.to_ms(moment))
    return _forward(moment, log.topic, {p: first.get(p, end) for p, end in ends.items()}, ends, before)


async def check_reach(log: TopicLog, moment: dt.datetime, before: Mapping[int, int]) -> None:
    """UsageError if the log begins after `moment` and after what is covered: what came between can't be told apart."""
    begins = await log.begins()
    ends = await log.ends()
    first = await log.first_at(clock.to_ms(moment))
    for partition, begin in begins.items():
        if begin > before.get(partition, 0) and first.get(partition, ends[partition]) == begin:
            raise UsageError(
                f"week {week_before(moment)} can't be cut any more: {log.topic}[{partition}] begins at offset {begin}, "
                "received after it. Publish without --week: that covers it too"
            )


async def at_the_ends(log: TopicLog, before: Mapping[int, int]) -> Cut:
    """The cut at this moment: everything that is committed by now."""
    moment = clock.now()
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    ends = await log.ends()
    return _forward(moment, log.topic, ends, ends, before)


def _forward(
    moment: dt.datetime, topic: str, offsets: Mapping[int, int], ends: Mapping[int, int], before: Mapping[int, int]
) -> Cut:
    for partition, covered in before.items():
        if ends.get(partition, -1) < covered:
            raise PositionOutOfRange(
                f"{topic}[{partition}] ends at {ends.get(partition, 'nowhere')}, but the last snapshot covers it up to "
                f"{covered}: the topic was made anew or lost data. Nothing is published over it; restore the topic, or "
                "write to one of another name into a new database"
            )
    return worded(moment, {partition: max(offset, before.get(partition, 0)) for partition, offset in offsets.items()})
