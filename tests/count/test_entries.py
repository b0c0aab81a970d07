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
    assert dict(found) == wanted == dict(found.items())
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


def test_nothing_is_left_of_tenants_that_were_deleted_and_after_clear() -> None:
    found = Entries()
    all_of_them = {(hour, f"t{hour % 7}", "books_to_fsm", "s 1"): ONE for hour in range(100)}
    found.update(all_of_them)
    assert list(found) == sorted(all_of_them, key=lambda entry: int(entry[1][1:]))
    for entry in list(found):
        del found[entry]
    assert not found._of
    found.update(all_of_them)
    found.clear()
    assert (len(found), list(found)) == (0, [])


@pytest.mark.parametrize(("syncs", "share"), [(1, 0.9), (60, 0.5)], ids=["one sync an hour", "sixty syncs an hour"])
def test_an_entry_takes_less_than_in_a_dict(syncs: int, share: float) -> None:
    assert _bytes_an_entry(Entries, syncs) < share * _bytes_an_entry(dict, syncs)


def _bytes_an_entry(kind: Callable[[], MutableMapping[Entry, Counts]], syncs: int) -> float:
    """Of 40 tenants for some hours, with syncs named as in real traffic, each in all of four partitions."""
    hours = 6000 // (40 * syncs)
    tracemalloc.start()
    try:
        held = [kind() for _ in range(4)]
        for number in range(40 * syncs * hours):
            hour, tenant = number // (40 * syncs) * 3600, f"tenant-{number % 40}"
            for one in held:
                name = "".join(["SYNC-20261128-0a1b2c3d4e5f-", f"{number:06d}"])  # of each partition, as decoded
                one[hour, tenant, "books_to_fsm", name] = shared((("success", number % 9),))
        return tracemalloc.get_traced_memory()[0] / sum(map(len, held))
    finally:
        tracemalloc.stop()
