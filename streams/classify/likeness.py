"""What a template is most like by its words and their neighbours, in doubt with the catalogue's patterns as a witness.

In come a code and a template; out goes a verdict, or none. A linear model: each trait of a text has a weight for each
reason, learned elsewhere and read from a file. The weights are whole numbers, so neither the order of words nor the
machine changes an answer, and a trait costs one addition for all reasons together.
"""

import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from schemas.reasons import UNCLASSIFIED, Catalogue, CatalogueError
from streams.classify.match import NOTHING, Verdict
from streams.classify.traits import BAR, STEM, traits_of, words_of

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
_LANE: Final = 32
_MIDDLE: Final = 1 << (_LANE - 1)
"""Sums are lifted by this much, so that none is below zero: one that were would borrow from the next reason's bits."""


class Likeness:
    """The weights of a file: a line a trait, with its square and a weight for each reason. The first is no trait's:
    what is added whatever a text has."""

    def __init__(self, text: str, catalogue: Catalogue) -> None:
        """Raises CatalogueError if the reasons are not the catalogue's, in its order, or a line is no such line."""
        lines = [line.split("\t") for line in text.split("\n") if line and not line.startswith("#")]
        self._reasons = [reason.code for reason in catalogue.reasons]
        if not lines or lines[0][2:] != self._reasons:
            raise CatalogueError("likeness.tsv: its reasons are not those of reasons.toml: run `make learn`")
        for line in lines:
            if len(line) != len(lines[0]):
                raise CatalogueError(f"likeness.tsv: {line[0]!r} lacks a reason's weight: run `make learn`")
        self._layout = struct.Struct(f"<{len(lines[0]) - 1}I")
        self._lift = int.from_bytes(self._layout.pack(*[_MIDDLE] * (len(lines[0]) - 1)), "little")
        self._places = {code: place for place, code in enumerate(self._reasons)}
        self._verdicts = {code: Verdict(code, LIKE) for code in self._reasons} | {UNCLASSIFIED: NOTHING}
        self._bias = [int(weight) / UNIT for weight in lines[1][2:]]
        self._strange = int(lines[1][1])
        self._stems: dict[str, int] = {}
        self._pairs: dict[tuple[str, str], int] = {}
        for trait, *numbers in lines[2:]:
            stem, _, second = trait.partition(" ")
            if second:
                self._pairs[stem, second] = self._packed(numbers)
            else:
                self._stems[stem] = self._packed(numbers)

    def verdict(self, code: str, template: str, ruled: Callable[[], Verdict]) -> Verdict:
        """The reason by LIKE, or what `ruled` tells if it agrees or too little is known. `ruled` is
        asked only where it could make a difference."""
        traits = traits_of(code, template)
        found = [weights for stem in traits.stems if (weights := self._stems.get(stem))]
        if len(found) < _FEWEST:
            return ruled()
        # Words that nobody has seen before speak for nothing, and make what the others say weigh less.
        strange = len(traits.stems) - len(found)
        found += [weights for pair in traits.pairs if (weights := self._pairs.get(pair))]
        square, *scores = self._sums(sum(found, self._lift))
        length = math.sqrt((square + strange * self._strange) * UNIT)
        scores = [score + length * bias for score, bias in zip(scores, self._bias, strict=True)]
        best = max(scores)
        if sum(score > best - TRUST * length for score in scores) > 1:
            rule = ruled()
            if rule.by:
                scores[self._places[rule.reason]] += TRUST * length
            reason = self._reasons[scores.index(max(scores))]
            if reason == rule.reason:
                return rule
        else:
            reason = self._reasons[scores.index(best)]
        return self._verdicts[reason]

    def told(self, code: str, template: str, reason: str) -> str:
        """The words that speak most for that reason, beside what they say of the others."""
        place = self._places[reason] + 1
        loud: dict[str, float] = {}
        for word in words_of(code, template):
            if word != BAR and (weights := self._stems.get(word[:STEM])):
                sums = self._sums(self._lift + weights)
                loud.setdefault(word, sums[place] - sum(sums[1:]) / len(self._reasons))
        return ", ".join(sorted(sorted(loud), key=lambda word: -loud[word])[:_TOLD])

    def _packed(self, numbers: list[str]) -> int:
        """All weights of a trait in one whole number, added to another's in one step."""
        return int.from_bytes(self._layout.pack(*[_MIDDLE + int(number) for number in numbers]), "little") - self._lift

    def _sums(self, lifted: int) -> list[float]:
        return [lane - _MIDDLE for lane in self._layout.unpack(lifted.to_bytes(self._layout.size, "little"))]
