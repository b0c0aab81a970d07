"""What a template is most like by its words and their neighbours, in doubt with the catalogue's patterns as a witness.

In come a code and a template; out goes a verdict, or none. A linear model: each trait of a text has a weight for each
reason, learned elsewhere and read from a file. The weights are whole numbers, so neither the order of words nor the
machine changes an answer, and a trait costs one addition for all reasons together.
"""

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from itertools import dropwhile, pairwise
from pathlib import Path
from typing import Final

from schemas.reasons import UNCLASSIFIED, Catalogue, CatalogueError
from streams.classify.match import NOTHING, Verdict
from streams.classify.traits import BAR, STEM, words_of

UNIT: Final = 100
"""Weights and squares in the file are hundredths."""
FILE: Final = Path(__file__).parent / "likeness.tsv"

LIKE: Final = "likeness"
"""What speaks for a verdict of this module; `told` names the words."""

TRUST: Final = 0.3
"""What the word of a pattern counts, in the distance that parts a reason from the others in learning; found by trying
it on messages that were not learned. Reasons that are farther apart need no witness: no pattern is looked for then."""
_FEWEST: Final = 4  # a bar and three words: fewer say what a message is about, not what went wrong
_TOLD: Final = 3
_MARKS: Final = "|#<"  # what stands for an end, a number and a value
_LANE: Final = 32
_LIFT: Final = 1 << 15
"""Weights have 16 bits, and each is lifted by this much, so that none is below zero: one that were would borrow from
the next reason's bits. All reasons are lifted alike, so the largest stays the largest. The sum of the most traits, and
of what is added, stays below 2**30, where Python sorts numbers in two thirds of the time."""
_LIFT_OF_ADDED: Final = 1 << 25
_LOWEST: Final = (1 << _LANE) - 1
"""The bits of the sum of squares, which is never below zero."""
_LENGTHS: Final = 8
"""Lengths of vectors are told apart by eighths, so there are some thousands at most."""
_STRANGE: Final = 0
"""The place of all words whose stem nobody has seen before. They speak for nothing, and make what the others say weigh
less, each time they come."""
_MOST_PLACES: Final = 20_000  # about 2 MB, and 20 MB if all words had the most letters of a template


class _Places(dict[str, int]):
    """The places of words by their stems; of one that was asked before, without a step of Python. Emptied when full:
    what is hot is soon back."""

    def __init__(self, stems: Mapping[str, int]) -> None:
        super().__init__()
        self._stems = stems

    def __missing__(self, word: str) -> int:
        if len(self) >= _MOST_PLACES:
            self.clear()
        found = self[word] = self._stems.get(word[:STEM], _STRANGE)
        return found


class _Added(dict[int, int]):
    """What is added whatever a text has: it counts the more, the longer the text's vector is."""

    def __init__(self, sums: struct.Struct, bias: Sequence[int]) -> None:
        super().__init__()
        self._sums = sums
        self._bias = bias

    def __missing__(self, length: int) -> int:
        weights = [_LIFT_OF_ADDED + round(weight * length / _LENGTHS) for weight in self._bias]
        added = self[length] = int.from_bytes(self._sums.pack(*weights), "little")
        return added


class Likeness:
    """The weights of a file: a line a trait, with its square and a weight for each reason. The first is no trait's:
    what is added whatever a text has."""

    def __init__(self, text: str, catalogue: Catalogue) -> None:
        """Raises CatalogueError if the reasons are not the catalogue's, or a line is no such line."""
        # Line by line: all numbers at once as texts would take twenty times what they take in the end.
        notes = "# "  # only at the head: a number's mark begins traits, too
        lines = (line for line in dropwhile(lambda line: line.startswith(notes), text.split("\n")) if line)
        self._reasons = next(lines, "").split("\t")[2:]
        if sorted(self._reasons) != sorted(catalogue.by_code):
            raise CatalogueError("likeness.tsv: its reasons are not those of reasons.toml: run `make learn`")
        lanes = len(self._reasons)
        self._line = struct.Struct("<H2x" + "h2x" * lanes)  # the lower half of each lane
        self._sums = struct.Struct(f"<{_LANE // 8}x{lanes}I")  # of the reasons, without the squares
        self._lifts = int.from_bytes(self._sums.pack(*lanes * [_LIFT]), "little")
        self._verdicts = [NOTHING if code == UNCLASSIFIED else Verdict(code, LIKE) for code in self._reasons]
        _, always = self._read(next(lines, ""))
        self._added = _Added(self._sums, [weight - _LIFT for weight in self._unpacked(always)])
        self._stems: dict[str, int] = {}
        self._weights = [self._lifts + (always & _LOWEST)]  # of stems, by their places
        pairs: dict[str, int] = {}
        for line in lines:
            trait, weights = self._read(line)
            if " " in trait:
                pairs[trait] = weights
            else:
                self._stems[trait] = len(self._weights)
                self._weights.append(weights)
        self._bar = self._place(BAR)
        self._places = _Places(self._stems)
        self._after = self._said_after(pairs)

    def _said_after(self, pairs: Mapping[str, int]) -> list[dict[int, int]]:
        """`after[first][second]`: what the second stem says alone and what the pair says, as one number, so that it is
        one addition. Pairs that say nothing of their own are not in it."""
        nothing: dict[int, int] = {}
        after = [nothing] * len(self._weights)
        for pair, weights in pairs.items():
            first, _, second = pair.partition(" ")
            before, behind = self._place(first), self._place(second)
            if after[before] is nothing:
                after[before] = {}
            after[before][behind] = self._weights[behind] + weights
        return after

    def _place(self, stem: str) -> int:
        try:
            return self._stems[stem]
        except KeyError:
            raise CatalogueError(f"likeness.tsv: the stem {stem!r} has no line: run `make learn`") from None

    def _read(self, line: str) -> tuple[str, int]:
        """A trait, and its square and lifted weights in one whole number, added to another's in one step."""
        trait, *numbers = line.split("\t")
        try:
            # Of a number in two's complement the highest bit turned over is that number lifted.
            return trait, int.from_bytes(self._line.pack(*map(int, numbers)), "little") ^ self._lifts
        except (ValueError, struct.error):
            raise CatalogueError(
                f"likeness.tsv: {trait!r} lacks its square or a reason's weight: run `make learn`"
            ) from None

    def _unpacked(self, weights: int) -> tuple[int, ...]:
        """Of each reason."""
        return self._sums.unpack(weights.to_bytes(self._sums.size, "little"))

    def verdict(self, code: str, template: str, ruled: Callable[[str, str], Verdict]) -> Verdict:
        """The reason by LIKE, or what `ruled` tells if it agrees or too little is known. `ruled` is asked only
        where it could make a difference."""
        places = [*map(self._places.__getitem__, words_of(code, template)), self._bar]
        once, strange = {*places}, places.count(_STRANGE)
        known = len(once) - (1 if strange else 0)
        if known < _FEWEST:
            return ruled(code, template)
        before = map(self._after.__getitem__, [self._bar, *places])
        total = sum(map(dict.get, before, places, map(self._weights.__getitem__, places)))
        if known + strange < len(places):
            total -= self._said_again(places)
        length = math.isqrt((total & _LOWEST) * _LENGTHS * _LENGTHS // UNIT)
        scores = self._sums.unpack((total + self._added[length]).to_bytes(self._sums.size, "little"))
        ordered = sorted(scores)
        best, trust = ordered[-1], length * (TRUST * UNIT / _LENGTHS)
        if best - ordered[-2] >= trust:
            return self._verdicts[scores.index(best)]
        rule = ruled(code, template)
        heard: list[float] = [*scores]
        if rule.by:
            heard[self._reasons.index(rule.reason)] += trust
        verdict = self._verdicts[heard.index(max(heard))]
        return rule if verdict.reason == rule.reason else verdict

    def _said_again(self, places: Sequence[int]) -> int:
        """What stems and pairs have added that came before in the text: to be taken off, for they count once."""
        said = 0
        stems: set[int] = set()
        pairs: set[tuple[int, int]] = set()
        for pair in pairwise([self._bar, *places]):
            before, place = pair
            if place not in stems:
                stems.add(place)
            elif place != _STRANGE:
                alone = self._weights[place]
                said += self._after[before].get(place, alone) if pair in pairs else alone
            pairs.add(pair)
        return said

    def told(self, code: str, template: str, reason: str) -> str:
        """The words that speak most for that reason, beside what they say of the others."""
        lane = self._reasons.index(reason)
        loud: dict[str, float] = {}
        for word in words_of(code, template):
            if word[0] not in _MARKS and (place := self._places[word]) != _STRANGE:
                said = self._unpacked(self._weights[place])
                loud.setdefault(word, said[lane] - sum(said) / len(said))
        return ", ".join(sorted(sorted(loud), key=lambda word: -loud[word])[:_TOLD])
