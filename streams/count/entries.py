"""Counts by entry, in a third of what a dict of entries takes: a worker may hold millions, for sixteen days.

A mapping like any other. Inside, tenant and direction stand once for all of their entries, and the key of one is a
string, shared by the partitions: no tuple an entry, and the smallest slots that a dict has, which are those of strings.
"""

from collections.abc import Iterator, MutableMapping
from functools import lru_cache

from streams.count.tally import Counts, Entry


@lru_cache(4096)
def _key(hour: int, sync: str) -> str:
    """One string for the entries of all partitions, to which a sync's results come at about the same time."""
    return f"{hour} {sync}"


class Entries(MutableMapping[Entry, Counts]):
    """Keys that come out are made anew: equal to those that went in, and not the same objects. As with a dict, whoever
    iterates must not add or delete meanwhile."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, str], dict[str, Counts]] = {}
        self._number = 0

    def __getitem__(self, entry: Entry) -> Counts:
        hour, tenant, direction, sync = entry
        try:
            return self._of[tenant, direction][_key(hour, sync)]
        except KeyError:
            raise KeyError(entry) from None

    def __setitem__(self, entry: Entry, counts: Counts) -> None:
        hour, tenant, direction, sync = entry
        some = self._of.setdefault((tenant, direction), {})
        self._number -= len(some)
        some[_key(hour, sync)] = counts
        self._number += len(some)

    def __delitem__(self, entry: Entry) -> None:
        hour, tenant, direction, sync = entry
        some = self._of.get((tenant, direction), {})
        if some.pop(_key(hour, sync), None) is None:
            raise KeyError(entry)
        self._number -= 1
        if not some:  # a tenant that is gone would stay for ever
            del self._of[tenant, direction]

    def __iter__(self) -> Iterator[Entry]:
        for (tenant, direction), some in self._of.items():
            for key in some:
                hour, _, sync = key.partition(" ")
                yield int(hour), tenant, direction, sync

    def __len__(self) -> int:
        return self._number

    def clear(self) -> None:
        self._of.clear()
        self._number = 0
