"""A mapping of entries behaves as a dict does, at any change, and takes a fraction of the memory."""

import tracemalloc
from collections.abc import Callable, MutableMapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.count.entries import Entries
from streams.count.tally import Counts, Entry, shared

ONE: Counts = {"success": 1}
ENTRY: Entry = (3600, "acme", "books_to_fsm", "s1")
entries = st.tuples(
    st.sampled_from([0, 3600]), st.sampled_from("ab"), st.sampled_from(["x", "y"]), st.sampled_from(["s1", "s2"])
)
changes = st.lists(st.tuples(entries, st.one_of(st.none(), st.fixed_dictionaries({"success": st.integers(1, 3)}))))


@given(changes)
def test_it_holds_what_a_dict_would_hold(changes: list[tuple[Entry, Counts | None]]) -> None:
    found, wanted = Entries(), dict[Entry, Counts]()
    for entry, counts in changes:
        for one in (found, wanted):
            if counts is None:
                one.pop(entry, None)
            else:
                one[entry] = counts
    assert dict(found) == wanted
    assert len(found) == len(wanted)
    assert [entry in found for entry in wanted] == [True] * len(wanted)


def test_what_is_not_there_is_named_by_its_whole_entry() -> None:
    found = Entries()
    found[ENTRY] = ONE
    for absent in ((7200, *ENTRY[1:]), (*ENTRY[:3], "s2")):
        with pytest.raises(KeyError) as read:
            found[absent]
        with pytest.raises(KeyError) as deleted:
            del found[absent]
        assert read.value.args == deleted.value.args == (absent,)
    assert dict(found) == {ENTRY: ONE}


def test_nothing_is_left_of_hours_that_were_deleted() -> None:
    found = Entries()
    found.update({(hour, "acme", "books_to_fsm", "s1"): ONE for hour in range(100)})
    for entry in list(found):
        del found[entry]
    assert not found._syncs


def test_an_entry_takes_less_than_half_of_what_it_takes_in_a_dict() -> None:
    assert 2 * _bytes_an_entry(Entries) < _bytes_an_entry(dict)


def _bytes_an_entry(kind: Callable[[], MutableMapping[Entry, Counts]]) -> float:
    """With syncs named as in real traffic, each of four partitions with entries of the same ones."""
    number = 20_000
    syncs = [f"SYNC-20261128-0a1b2c3d4e5f-{n:06d}" for n in range(number)]
    tracemalloc.start()
    try:
        held = [kind() for _ in range(4)]
        for one in held:
            for at, sync in enumerate(syncs):
                one[3600, f"tenant-{at % 40}", "books_to_fsm", sync] = shared((("success", at % 9),))
        return tracemalloc.get_traced_memory()[0] / (4 * number)
    finally:
        tracemalloc.stop()
