"""The words of all patterns: where a word of a text may stand in them, and the words of a text without spaces.

In come the texts of the patterns, with `*` for the rest of a word, each with bits; out go, for a word of a text, the
bits of all that match it.
"""

import re
from collections import defaultdict
from functools import cached_property

from streams.classify.mask import FIRST_UNSPACED, UNSPACED, plain

_INDEXED = 3
_INDEXED_STEM = 5
_SHORTEST_COMPOUND = 8
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_GLUED = re.compile(f"(?<=[a-z0-9>#])(?=[{FIRST_UNSPACED}-\U0010ffff])")


class Vocabulary:
    """Bits come in pairs: those of words in phrases, and those of words that stand alone."""

    def __init__(self) -> None:
        self._exact: dict[str, tuple[int, int]] = {}
        self._starts: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
        self._ends: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
        self._stems: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
        self._short_starts: dict[str, tuple[int, int]] = {}
        self._short_firsts: set[str] = set()
        self._unspaced: dict[str, list[str]] = defaultdict(list)

    def add(self, text: str, in_phrases: int, alone: int) -> None:
        """Takes a word of a pattern, without its accents and, if they are umlauts, with their other spelling too."""
        for spelling in {plain(text), plain(text.translate(_UMLAUTS))}:
            self._add(spelling, in_phrases, alone)

    def _add(self, text: str, in_phrases: int, alone: int) -> None:
        part = text.strip("*")
        if part >= FIRST_UNSPACED or (text != part and len(part) < _INDEXED):
            # An unspaced text is parted into all parts that are known.
            table = self._short_starts
            self._short_firsts.add(part[0])
        elif text[0] == text[-1] == "*":
            table = self._stems[part[:_INDEXED_STEM]]
        elif text[0] == "*":
            table = self._ends[part[-_INDEXED:]]
        else:
            table = self._exact if text == part else self._starts[part[:_INDEXED]]
        before = table.get(part, (0, 0))
        table[part] = (before[0] | in_phrases, before[1] | alone)
        if part >= FIRST_UNSPACED and part not in self._unspaced[part[0]]:
            self._unspaced[part[0]] = sorted([*self._unspaced[part[0]], part], key=len, reverse=True)

    def may_have(self, word: str) -> bool:
        """False for most of the words that no pattern has: names, mostly."""
        return (
            word in self._exact
            or word[:_INDEXED] in self._starts
            or word[-_INDEXED:] in self._ends
            or (not word.isascii() and word[0] in self._short_firsts)
            or (len(word) >= _SHORTEST_COMPOUND and bool(self._stems_in(word)))
        )

    def _stems_in(self, word: str) -> list[str]:
        """The beginnings of stems that stand somewhere in a word, which may be a compound."""
        stems = self._stems
        return [
            start for at in range(len(word) - _INDEXED_STEM + 1) if (start := word[at : at + _INDEXED_STEM]) in stems
        ]

    def of(self, word: str) -> tuple[int, int]:
        """The bits of everything that a word of a text matches."""
        in_phrases, alone = self._exact.get(word, (0, 0))
        found: list[tuple[int, int]] = []
        if (start := word[:_INDEXED]) in self._starts:
            found += [bits for part, bits in self._starts[start].items() if word.startswith(part)]
        if (end := word[-_INDEXED:]) in self._ends:
            found += [bits for part, bits in self._ends[end].items() if word.endswith(part)]
        if len(word) >= _SHORTEST_COMPOUND:
            stems = dict.fromkeys(self._stems_in(word))
            found += [bits for start in stems for part, bits in self._stems[start].items() if part in word]
        if not word.isascii():
            found += [
                self._short_starts[word[:size]] for size in range(1, len(word) + 1) if word[:size] in self._short_starts
            ]
        for more_in_phrases, more_alone in found:
            in_phrases |= more_in_phrases
            alone |= more_alone
        return in_phrases, alone

    def parted(self, text: str) -> list[str]:
        """The words of a text; where a script has no spaces, all parts that patterns know, though they overlap."""
        if text.isascii() or not UNSPACED.search(text):
            return text.split()
        text = _GLUED.sub(" ", text)
        out, rest = list[str](), 0
        for first in self._unspaced_firsts.finditer(text):
            at = first.start()
            for part in self._unspaced[first[0]]:
                if text.startswith(part, at):
                    out += text[rest:at].split() if rest < at else ()
                    out.append(part)
                    rest = max(rest, at + len(part))
                    break  # a shorter one from here begins it, and `of` tells so
        return out + text[rest:].split()

    @cached_property
    def _unspaced_firsts(self) -> re.Pattern[str]:
        """The letters that a part without spaces begins with, once all words have been added."""
        return re.compile(f"[{re.escape(''.join(self._unspaced))}]" if self._unspaced else "(?!)")
