"""How a ledger is written to its changelog, and read from it."""

import orjson
import pytest
from aiokafka import TopicPartition

from streams.count import changelog
from streams.errors import StateRefused
from streams.kafka.partition import Outgoing

SOURCE = TopicPartition("records", 3)
ENTRY = (1_795_000_000, "acme", "books_to_fsm", "s|1")


def values(*records: Outgoing) -> dict[bytes, bytes]:
    return {record.key or b"": record.value for record in records if record.value is not None}


def test_what_was_written_is_restored() -> None:
    counts = {"success": 5, "failed:duplicate": 2}
    written = values(
        changelog.entry_record(SOURCE, ENTRY, counts), changelog.position_record(SOURCE, 17, 1_795_000_000_123)
    )
    assert changelog.restore(SOURCE, written) == (17, 1_795_000_000_123, {ENTRY: counts})


def test_nothing_written_is_no_state() -> None:
    assert changelog.restore(SOURCE, {}) is None


def test_a_deleted_entry_is_a_tombstone_of_the_same_key() -> None:
    gone = changelog.entry_record(SOURCE, ENTRY, None)
    assert gone.value is None
    assert gone.key == changelog.entry_record(SOURCE, ENTRY, {"success": 1}).key


def test_keys_name_topic_and_partition() -> None:
    key = changelog.entry_record(SOURCE, ENTRY, {}).key
    assert key == b'[1795000000,"records",3,"acme","books_to_fsm","s|1"]'


def test_records_are_compact() -> None:
    record = changelog.entry_record(SOURCE, ENTRY, {"success": 5})
    assert record.value == b'{"success":5}'


@pytest.mark.parametrize("version", [0, 2, "1"])
def test_another_format_is_refused_with_what_to_do(version: object) -> None:
    written = values(changelog.position_record(SOURCE, 17, 0))
    (key,) = written
    written[key] = orjson.dumps({"version": version, "position": 17})
    with pytest.raises(StateRefused, match=r"records\[3\] was written in format .*SYNCLOGS_COUNT_GROUP"):
        changelog.restore(SOURCE, written)


def test_entries_without_a_position_are_refused() -> None:
    written = values(changelog.entry_record(SOURCE, ENTRY, {"success": 5}))
    with pytest.raises(StateRefused, match="has no position"):
        changelog.restore(SOURCE, written)


def test_the_way_to_count_anew_names_every_step_in_order_and_what_is_lost() -> None:
    # Without the first two the page would add the old group's counts to the new one's, or never show the new.
    steps = ["stop all count workers", "live_counts", "live_positions", "SYNCLOGS_COUNT_GROUP", "lost"]
    places = [changelog.COUNT_ANEW.index(step) for step in steps]
    assert places == sorted(places)
