"""How a ledger is kept in the changelog: one record for each entry, and one for the position up to which they count.

Pure. Keys and values are compact JSON; a deleted entry is a tombstone. The position's record names the version of the
format, so that a changelog of another version is refused instead of being misread.
"""

import sys
from collections.abc import Mapping
from typing import NamedTuple

import orjson
from aiokafka import TopicPartition

from streams.count.tally import Counts, Entry, shared
from streams.errors import StateRefused
from streams.kafka.partition import Outgoing

VERSION = 1
COUNT_ANEW = (
    "To count anew from where Kafka's log begins: stop all count workers, empty the tables live_counts and "
    "live_positions (TRUNCATE TABLE), whose rows don't tell one group from another, then start the workers with "
    "SYNCLOGS_COUNT_GROUP set to a new name. What is lost: the live counts of hours older than Kafka keeps records, "
    "since they are counted anew only as far as the log reaches back"
)
"""What to do when a ledger can't go on; the order matters."""


class State(NamedTuple):
    """What a ledger is restored from. `latest` is the highest Kafka timestamp counted, in ms since 1970."""

    position: int
    latest: int
    entries: dict[Entry, Counts]


def entry_record(source: TopicPartition, entry: Entry, counts: Counts | None) -> Outgoing:
    """The record of an entry as it now stands; None: it is deleted."""
    hour, tenant, direction, sync = entry
    key = orjson.dumps((hour, source.topic, source.partition, tenant, direction, sync))
    return Outgoing(key, None if counts is None else orjson.dumps(counts))


def position_record(source: TopicPartition, position: int, latest: int) -> Outgoing:
    value = {"version": VERSION, "position": position, "latest": latest}
    return Outgoing(_position_key(source), orjson.dumps(value))


def _position_key(source: TopicPartition) -> bytes:
    return orjson.dumps(("position", source.topic, source.partition))


def restore(source: TopicPartition, records: Mapping[bytes, bytes]) -> State | None:
    """The state from each key's last value; None if nothing was ever written. StateRefused says why not."""
    if not records:
        return None
    try:
        written = orjson.loads(records[_position_key(source)])
        version = written["version"]
    except (KeyError, TypeError, ValueError):
        version = None
    if version != VERSION:
        found = "has no position" if version is None else f"was written in format {version}"
        raise StateRefused(
            f"the changelog of {source.topic}[{source.partition}] {found}, this version reads format {VERSION}: run "
            f"the version that wrote it. {COUNT_ANEW}"
        )
    entries = {}
    for key, value in records.items():
        hour, _, _, *names = orjson.loads(key)
        if hour != "position":
            tenant, direction, sync = names
            entry = (hour, sys.intern(tenant), sys.intern(direction), sync)
            entries[entry] = shared(tuple(orjson.loads(value).items()))
    return State(written["position"], written["latest"], entries)
