"""What a template is most like by its words and their neighbours, in doubt with the catalogue's patterns as a witness.

In come a code and a template; out goes a verdict, or none. A linear model: each trait of a text has a weight for each
reason, learned elsewhere and read from a file. The weights are whole numbers, so neither the order of words nor the
machine changes an answer, and a trait costs one addition for all reasons together.
"""

import math
import struct
from collections.abc import Callable, Sequence
from itertools import dropwhile
from pathlib import Path
from typing import Final

from schemas.reasons import UNCLASSIFIED, Catalogue, CatalogueError
from streams.classify.match import NOTHING, Verdict
from streams.classify.traits import STEM, traits_of, words_of

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
_MIDDLE: Final = 1 << (_LANE - 1)
"""Sums are lifted by this much, so that none is below zero: one that were would borrow from the next reason's bits."""
_LARGEST: Final = 1_000_000
"""No weight is larger, so that no sum of a thousand traits, and of what is added, leaves its reason's bits."""
_LOWEST: Final = (1 << _LANE) - 1
"""The bits of the sum of squares, which is never below zero."""
_LENGTHS: Final = 8
_LONGEST: Final = 300
"""Lengths of vectors are told apart by eighths, up to that of a text of the most words, all of them rare."""


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
        self._lift = int.from_bytes(self._layout.pack(*[_MIDDLE] * (len(self._reasons) + 1)), "little")
        self._places = {code: place for place, code in enumerate(self._reasons)}
        self._verdicts = {code: Verdict(code, LIKE) for code in self._reasons} | {UNCLASSIFIED: NOTHING}
        _, (self._strange, *bias) = self._read(next(lines, ""))
        # What is added whatever a text has counts the more, the longer the text's vector is: made once for all lengths.
        self._added = [
            self._lift + self._packed([0, *[round(weight * length / _LENGTHS) for weight in bias]])
            for length in range(_LENGTHS * _LONGEST + 1)
        ]
        self._stems: dict[bytes, int] = {}
        self._pairs: dict[tuple[bytes, bytes], int] = {}
        one: dict[bytes, bytes] = {}  # of each stem, for all of its pairs
        for line in lines:
            trait, numbers = self._read(line)
            stem, _, second = (one.setdefault(part, part) for part in trait.encode().partition(b" "))
            if second:
                self._pairs[stem, second] = self._packed(numbers)
            else:
                self._stems[stem] = self._packed(numbers)

    def _read(self, line: str) -> tuple[str, list[int]]:
        trait, *texts = line.split("\t")
        try:
            numbers = list(map(int, texts))
        except ValueError:
            numbers = []
        if len(numbers) != len(self._reasons) + 1 or max(map(abs, numbers)) > _LARGEST:
            raise CatalogueError(f"likeness.tsv: {trait!r} has not a weight for each reason: run `make learn`")
        return trait, numbers

    def verdict(self, code: str, template: str, ruled: Callable[[str, str], Verdict]) -> Verdict:
        """The reason by LIKE, or what `ruled` tells if it agrees or too little is known. `ruled` is asked only
        where it could make a difference."""
        stems, pairs = traits_of(code, template)
        found = [*filter(None, map(self._stems.get, stems))]
        if len(found) < _FEWEST:
            return ruled(code, template)
        # Words that nobody has seen before speak for nothing, and make what the others say weigh less.
        strange = len(stems) - len(found)
        total = sum(filter(None, map(self._pairs.get, pairs)), sum(found))
        length = math.sqrt(((total & _LOWEST) + strange * self._strange) / UNIT)
        total += self._added[min(int(length * _LENGTHS), len(self._added) - 1)]
        _, *scores = self._layout.unpack(total.to_bytes(self._layout.size, "little"))
        ordered = sorted(scores)
        best, trust = ordered[-1], TRUST * length * UNIT
        if best - ordered[-2] >= trust:
            return self._verdicts[self._reasons[scores.index(best)]]
        rule = ruled(code, template)
        if rule.by:
            scores[self._places[rule.reason]] += trust
        reason = self._reasons[scores.index(max(scores))]
        return rule if reason == rule.reason else self._verdicts[reason]

    def told(self, code: str, template: str, reason: str) -> str:
        """The words that speak most for that reason, beside what they say of the others."""
        place = self._places[reason] + 1
        loud: dict[str, float] = {}
        for word in words_of(code, template):
            if word[0] not in _MARKS and (weights := self._stems.get(word[:STEM].encode("utf-8", "replace"))):
                sums = self._layout.unpack((weights + self._lift).to_bytes(self._layout.size, "little"))
                loud.setdefault(word, sums[place] - sum(sums[1:]) / len(self._reasons))
        return ", ".join(sorted(sorted(loud), key=lambda word: -loud[word])[:_TOLD])

    def _packed(self, numbers: Sequence[int]) -> int:
        """All weights of a trait in one whole number, added to another's in one step."""
        return int.from_bytes(self._layout.pack(*[_MIDDLE + number for number in numbers]), "little") - self._lift
