"""Groups the texts of unknown failures by template, so that a million of them are a list that a person can read.

In come the errors that were not recognised, with where and when they occurred; out go groups, the most frequent first.
Memory is bounded whatever comes: where there are more templates than that, the rarest are given up, and counted.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from streams.classify.cache import BoundedCache
from streams.classify.templates import template_of

SAMPLES: Final = 3
_MOST_GROUPS = 20_000
_MOST_WEIGHT = 64 << 20  # bytes of templates and samples
_KEPT_CHARACTERS = 512  # as in `decide`: longer messages rarely come twice
_SEPARATOR = " :: "

Place = tuple[str, str, str]
"""Where an error occurred: tenant, direction, sync."""


class Key(NamedTuple):
    """What makes two unknown errors the same: the other side's code as it stands, and the template of the message."""

    code: str
    template: str

    @property
    def text(self) -> str:
        """As the catalogue writes an example: the message alone, or `CODE :: message`."""
        return f"{self.code}{_SEPARATOR}{self.template}" if self.code else self.template


class Group:
    """The errors of one template. `samples` are whole messages as they came, all different."""

    __slots__ = ("_place", "errors", "first_ms", "key", "last_ms", "records", "samples", "syncs", "tenants")

    def __init__(self, key: Key, first_ms: int) -> None:
        self.key = key
        self.records = self.errors = self.tenants = self.syncs = 0
        self.first_ms = self.last_ms = first_ms
        self.samples: list[str] = []
        self._place: Place = ("", "", "")

    def at(self, place: Place) -> None:
        """Counts tenants and syncs by their change, so that none has to be remembered."""
        if place != self._place:
            self.syncs += 1
            self.tenants += place[0] != self._place[0]
            self._place = place


class Grouping:
    """Takes errors one by one, those of a sync one after the other, and the syncs of a tenant too.

    `records` of a group are the records whose first unrecognised error it has, so that each record counts once;
    `errors` are all. `rare_records` and `rare_errors` are what was given up; no group's `errors` is too low by more
    than `doubt`.
    """

    def __init__(self, most: int = _MOST_GROUPS, weight: int = _MOST_WEIGHT) -> None:
        self.records = self.errors = self.rare_records = self.rare_errors = self.doubt = 0
        self._groups: dict[Key, Group] = {}
        self._most, self._most_weight, self._weight = most, weight, 0
        self._keys: BoundedCache[tuple[str, str], Key] = BoundedCache(20_000, 8 << 20)

    def add(
        self, code: str, message: str, first_ms: int, last_ms: int, records: int = 1, errors: int = 1,
        place: Place | None = None,
    ) -> None:  # fmt: skip
        """`errors` with this code and message, seen from `first_ms` to `last_ms`; the first ones of `records`."""
        key = self.key(code, message)
        group = self._groups.get(key)
        if group is None:
            group = self._new(key, first_ms)
        if len(group.samples) < SAMPLES and message not in group.samples:
            group.samples.append(message)
            self._weight += message.__sizeof__()
        group.records += records
        group.errors += errors
        self.records += records
        self.errors += errors
        if first_ms < group.first_ms:
            group.first_ms = first_ms
        if last_ms > group.last_ms:
            group.last_ms = last_ms
        if place is not None:
            group.at(place)

    def ranked(self) -> list[Group]:
        """The groups, the most frequent first; the order depends on nothing but what was counted."""
        return sorted(self._groups.values(), key=lambda group: (-group.records, -group.errors, group.key))

    def key(self, code: str, message: str) -> Key:
        """`key_of`, remembered for as long as there is room."""
        key = self._keys.get((code, message))
        if key is not None:
            return key
        key = key_of(code, message)
        if len(message) <= _KEPT_CHARACTERS:
            self._keys.keep((code, message), key, message.__sizeof__() + code.__sizeof__())
        return key

    def _new(self, key: Key, first_ms: int) -> Group:
        if len(self._groups) >= self._most or self._weight >= self._most_weight:
            self._give_up_the_rare()
        group = self._groups[key] = Group(key, first_ms)
        self._weight += _weight_of(group)
        return group

    def _give_up_the_rare(self) -> None:
        """Half of the groups go. One that comes back begins anew: it is too low by what it had, at most `doubt`."""
        by_errors = sorted(self._groups.values(), key=lambda group: group.errors)
        gone = by_errors[: len(by_errors) // 2 + 1]
        self.doubt += gone[-1].errors
        for group in gone:
            self.rare_records += group.records
            self.rare_errors += group.errors
            self._weight -= _weight_of(group)
            del self._groups[group.key]


def key_of(code: str, message: str) -> Key:
    """The code and template by which an error is grouped: the classifier's own mask."""
    return Key(code, template_of(message))


def asked_for(text: str) -> Callable[[Key], bool]:
    """Whether a key is the one that a person names: as `Key.text` shows it, or by a message that has it."""
    code, apart, message = text.partition(_SEPARATOR)
    of_message = key_of(code, message) if apart else key_of("", text)
    return lambda key: key.text == text or key == of_message


def printable(text: str) -> str:
    """The text with what a terminal or a file would act upon written out: line ends, control and bidi characters."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _weight_of(group: Group) -> int:
    return group.key.template.__sizeof__() + sum(sample.__sizeof__() for sample in group.samples)
