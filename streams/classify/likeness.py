"""What a template is most like by its words and their neighbours, in doubt with the catalogue's patterns as a witness.

In come a code and a template; out goes a verdict, or none. A linear model: each trait of a text has a weight for each
reason, learned elsewhere and read from a file. The weights are whole numbers, so neither the order of words nor the
machine changes an answer, and a trait costs one addition for all reasons together.
"""

import math
import struct
from collections.abc import Callable, Hashable, Sequence
from itertools import dropwhile, pairwise
from pathlib import Path
from typing import Final, TypeVar

from schemas.reasons import UNCLASSIFIED, Catalogue, CatalogueError
from streams.classify.match import NOTHING, Verdict
from streams.classify.traits import BAR, MOST_WORDS, STEM, words_of

_K = TypeVar("_K", bound=Hashable)
UNIT: Final = 100
"""Weights and squares in the file are hundredths."""
FILE: Final = Path(__file__).parent / "likeness.tsv"

LIKE: Final = "likeness"
"""What speaks for a verdict of this module; `told` names the words."""

TRUST: Final = 0.3
"""What the word of a pattern counts, in the distance that parts a reason from the others in learning; found by trying
it on messages that were not learned. Reasons that are farther apart need no witness: no pattern is looked for then."""
_FEWEST: Final = 4  # the bar and three words: fewer say what a message is about, not what went wrong
_TOLD: Final = 3
_MARKS: Final = "|#<"  # what stands for an end, a number and a value
_LANE: Final = 32
_LARGEST: Final = (1 << 15) - 1
"""No weight and no square is larger."""
_LIFT: Final = _LARGEST + 1
"""Each weight is lifted by this much, so that none is below zero: one that were would borrow from the next reason's
bits. All reasons are lifted alike, so the largest stays the largest. The sum of the most traits, and of what is added,
stays below 2**30, where Python sorts numbers in two thirds of the time."""
_LIFT_OF_ADDED: Final = 1 << 25
_LOWEST: Final = (1 << _LANE) - 1
"""The bits of the sum of squares, which is never below zero."""
_LENGTHS: Final = 8
"""Lengths of vectors are told apart by eighths."""
_LONGEST: Final = math.isqrt(2 * (MOST_WORDS + 1) * _LARGEST * _LENGTHS * _LENGTHS // UNIT)
"""In eighths: each word is a trait, and so is each pair of neighbours."""
_STRANGE: Final = 0
"""The place of all words whose stem nobody has seen before. They speak for nothing, and make what the others say weigh
less, each time they come."""
_MOST_PLACES: Final = 20_000  # about 2 MB, and 20 MB if all words had the most letters of a template
_MOST_SAID: Final = 40_000  # about 8 MB


class _Asked(dict[_K, int]):
    """What `ask` tells of a key; of one that was asked before, without a step of Python. Emptied when full: what is hot
    is soon back."""

    def __init__(self, ask: Callable[[_K], int], most: int) -> None:
        super().__init__()
        self._ask = ask
        self._most = most

    def __missing__(self, key: _K) -> int:
        if len(self) >= self._most:
            self.clear()
        found = self[key] = self._ask(key)
        return found


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
        self._layout = struct.Struct(f"<{len(self._reasons) + 1}I")
        self._sums = struct.Struct(f"<{_LANE // 8}x{len(self._reasons)}I")  # of the reasons, without the squares
        self._verdicts = [NOTHING if code == UNCLASSIFIED else Verdict(code, LIKE) for code in self._reasons]
        _, (strange, *bias) = self._read(next(lines, ""))
        # What is added whatever a text has counts the more, the longer the text's vector is: made once for all lengths.
        self._added = [
            self._packed([0, *[round(weight * length / _LENGTHS) for weight in bias]], _LIFT_OF_ADDED)
            for length in range(_LONGEST + 1)
        ]
        self._stems: dict[str, int] = {}
        self._weights = [self._packed([strange, *[0] * len(bias)])]  # of stems, by their places
        pairs: dict[str, int] = {}
        for line in lines:
            trait, numbers = self._read(line)
            if " " in trait:
                pairs[trait] = self._packed(numbers)
            else:
                self._stems[trait] = len(self._weights)
                self._weights.append(self._packed(numbers))
        self._pairs = {self._pair(pair): weights for pair, weights in pairs.items()}
        self._bar = self._place(BAR)
        self._places = _Asked(self._place_of, _MOST_PLACES)
        self._said = _Asked(self._said_by, _MOST_SAID)

    def _pair(self, trait: str) -> tuple[int, int]:
        first, _, second = trait.partition(" ")
        return self._place(first), self._place(second)

    def _place(self, stem: str) -> int:
        try:
            return self._stems[stem]
        except KeyError:
            raise CatalogueError(f"likeness.tsv: the stem {stem!r} has no line: run `make learn`") from None

    def _read(self, line: str) -> tuple[str, list[int]]:
        trait, *texts = line.split("\t")
        try:
            numbers = list(map(int, texts))
        except ValueError:
            numbers = []
        if len(numbers) != len(self._reasons) + 1 or max(map(abs, numbers)) > _LARGEST or numbers[0] < 0:
            raise CatalogueError(f"likeness.tsv: {trait!r} lacks its square or a reason's weight: run `make learn`")
        return trait, numbers

    def verdict(self, code: str, template: str, ruled: Callable[[str, str], Verdict]) -> Verdict:
        """The reason by LIKE, or what `ruled` tells if it agrees or too little is known. `ruled` is asked only
        where it could make a difference."""
        places = [*map(self._places.__getitem__, words_of(code, template))]
        once = {*places}
        strange = places.count(_STRANGE)
        known = len(once) - (1 if strange else 0)
        if known < _FEWEST:
            return ruled(code, template)
        come_again = len(places) - strange - known
        if come_again == 1:  # the bar at the other end
            total = sum(map(self._said.__getitem__, pairwise(places)))
        elif come_again == 2 and places.count(self._bar) == 3:  # and one behind a code
            total = sum(map(self._said.__getitem__, pairwise(places))) - self._weights[self._bar]
        else:
            total = self._once(once, {*pairwise(places)}) + max(0, strange - 1) * self._weights[_STRANGE]
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

    def _place_of(self, word: str) -> int:
        return self._stems.get(word[:STEM], _STRANGE)

    def _said_by(self, pair: tuple[int, int]) -> int:
        """What the second of two neighbours says alone, and what they say together."""
        alone, together = self._weights[pair[1]], self._pairs.get(pair)
        return alone if together is None else alone + together

    def _once(self, stems: set[int], pairs: set[tuple[int, int]]) -> int:
        """What stems and pairs say where some come again: these say nothing more."""
        return sum(filter(None, map(self._pairs.get, pairs)), sum(map(self._weights.__getitem__, stems)))

    def told(self, code: str, template: str, reason: str) -> str:
        """The words that speak most for that reason, beside what they say of the others."""
        lane = self._reasons.index(reason)
        loud: dict[str, float] = {}
        for word in words_of(code, template):
            if word[0] not in _MARKS and (place := self._places[word]) != _STRANGE:
                said = self._sums.unpack(self._weights[place].to_bytes(self._sums.size, "little"))
                loud.setdefault(word, said[lane] - sum(said) / len(said))
        return ", ".join(sorted(sorted(loud), key=lambda word: -loud[word])[:_TOLD])

    def _packed(self, numbers: Sequence[int], lift: int = _LIFT) -> int:
        """The square and all weights of a trait in one whole number, added to another's in one step."""
        square, *weights = numbers
        return int.from_bytes(self._layout.pack(square, *[lift + weight for weight in weights]), "little")
