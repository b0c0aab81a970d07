"""What the catalogue's rules say of a template: vendor codes of one meaning, families of words by priority, numbers.

In come the other side's code and a template (or, for numbers, the text before masking); out goes a reason and what
spoke for it. The rules are the catalogue's; this module compiles them once and knows no message of its own.
"""

import re
from typing import NamedTuple

from schemas.reasons import CATALOGUE, UNCLASSIFIED, Catalogue
from streams.classify.automaton import Automaton
from streams.classify.mask import SKIPPED, beside, words


class Verdict(NamedTuple):
    """A reason, and what spoke for it: `code X`, `pattern ...`, `likeness`, `number N`, or '' if nothing did."""

    reason: str
    by: str


NOTHING = Verdict(UNCLASSIFIED, "")

_TOKEN = re.compile(r"\w{3,80}")
_NUMBER = re.compile(r"(?<![\w.])(?:-?\d{3,10}|0x8[0-9a-f]{7})(?![\w%])", re.IGNORECASE)
_ANNOUNCED = re.compile(
    r"(?:http(?:/\d\.?\d?)?|status ?(?:code)?|(?:error|response) ?(?:code|number)?|code|errno|returned|responded with)"
    r"[\"' :=#(\[]{0,4}$"
)
_OPENING = " \t[(#\"'"
_LONE_NUMBER = 8  # an HRESULT names its meaning wherever it stands; a shorter number may count anything


class Matcher:
    """The compiled rules of a catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._codes: dict[str, Verdict] = {}
        self._numbers: dict[str, Verdict] = {}
        for reason in catalogue.reasons:
            for code in reason.codes:
                self._codes[code.lower()] = Verdict(reason.code, f"code {code}")
            for number in reason.numbers:
                self._numbers[number] = Verdict(reason.code, f"number {number}")
        ordered = sorted(
            ((pattern, reason) for reason in catalogue.reasons for pattern in reason.patterns),
            key=lambda rule: rule[0].priority,
        )
        rules = [(way, Verdict(reason.code, f"pattern {p.match}")) for p, reason in ordered for way in p.ways]
        # The automaton answers -1 where nothing stands: the last of the verdicts.
        self._verdicts = [*(verdict for _, verdict in rules), NOTHING]
        self.automaton = Automaton([way for way, _ in rules], SKIPPED)

    def code(self, code: str, template: str) -> Verdict:
        """What a vendor code of one meaning says. One inside the text wins over the one beside it: it is nearer to the
        cause."""
        text = beside(code, template)
        if "_" in text:
            for token in reversed(_TOKEN.findall(" ".join([part for part in text.split() if "_" in part]))):
                if "_" in token and (verdict := self._codes.get(token)) is not None:
                    return verdict
        return self._codes.get(code.lower(), NOTHING) if code else NOTHING

    def pattern(self, code: str, template: str) -> Verdict:
        """What the families of words say, of a template and of the words that a code is made of."""
        text = beside(code, template)
        return self._verdicts[self.automaton.first(words(text))]

    def words(self, code: str, template: str) -> Verdict:
        """What the rules say but for numbers: codes before patterns."""
        verdict = self.code(code, template)
        return verdict if verdict.by else self.pattern(code, template)

    def number(self, code: str, text: str) -> Verdict:
        """What an HTTP status or a numeric vendor code says, in the code or in the unmasked text."""
        verdict = self._numbers.get(code.strip().lower())
        if verdict is not None:
            return verdict
        for found in _NUMBER.finditer(text):
            verdict = self._numbers.get(found[0].lower())
            if verdict is not None and _speaks(found, text):
                return verdict
        return NOTHING


def _speaks(number: re.Match[str], text: str) -> bool:
    """A number speaks where the text calls it a code or opens with it; "404 records were sent" must not."""
    if len(number[0]) >= _LONE_NUMBER:
        return True
    before = text[max(0, number.start() - 24) : number.start()].lower()
    if _ANNOUNCED.search(before):
        return True
    return (
        number.start() < 4
        and not before.strip(_OPENING)
        and text[number.end() : number.end() + 1] in (":", "", "]", ")")
    )


MATCHER = Matcher(CATALOGUE)
