"""The state of a partition: what Kafka keeps of it, and the tokens it makes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import PositionOutOfRange
from streams.kafka.partition import Position
from streams.store import state
from streams.store.state import State


@given(
    st.integers(0, 2**40),
    st.from_regex("[0-9a-f]{8}", fullmatch=True),
    st.none() | st.integers(1, 2**20),
    st.integers(0, 2**20),
)
def test_what_is_committed_is_read_again(position: int, epoch: str, run: int | None, bad: int) -> None:
    now = State(position, epoch, None if run is None else position + run, bad)
    assert state.read(now.committed(), "records[0]") == now


def test_the_note_is_the_epoch_and_the_end_of_an_announced_run() -> None:
    assert State(500, "0a1b2c3d").committed() == Position(500, "0a1b2c3d")
    assert State(500, "0a1b2c3d", 740).committed() == Position(500, "0a1b2c3d:740")


def test_the_note_carries_how_many_bad_messages_stand_before_the_position() -> None:
    assert State(500, "0a1b2c3d", 740, 20).committed() == Position(500, "0a1b2c3d/20:740")
    assert State(500, "0a1b2c3d", None, 20).committed() == Position(500, "0a1b2c3d/20")


def test_a_token_names_table_partition_epoch_run_and_week() -> None:
    token = State(500, "0a1b2c3d", 740).token("sync_records", "sync.records.v1", 3, "2026-W48")
    assert token == "sync_records:sync.records.v1:3:0a1b2c3d:500-740:2026-W48"


def test_every_beginning_has_an_epoch_of_its_own() -> None:
    assert len({state.first(0).epoch for _ in range(100)}) == 100


def test_an_offset_set_by_hand_begins_a_new_epoch() -> None:
    now = state.read(Position(900, ""), "records[0]")
    assert (now.position, now.announced) == (900, None)
    assert now.epoch


@pytest.mark.parametrize(
    "note", ["somebody else", "0a1b2c3d:", "0a1b2c3d:500", "0a1b2c3d:12", ":740", "0a1b:740:1", "0a1b/"]
)
def test_a_note_that_store_did_not_write_stops_the_partition(note: str) -> None:
    with pytest.raises(PositionOutOfRange, match=r"records\[0\].*offset 500.*did not write"):
        state.read(Position(500, note), "records[0]")
