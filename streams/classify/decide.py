"""The reason of an error and of a record, with bounded caches in front of the rules.

In come a direction and errors as (code, message, field); out go reason codes of the catalogue. The path of a message:
its exact text, else the text with its digits blurred, else unwrapped and masked; then codes, else what its words are
most like with the patterns as a witness, else numbers. Each step is a function of what its cache is keyed by, so a
cache never changes an answer.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from schemas.reasons import CATALOGUE, UNCLASSIFIED
from streams.classify.cache import BoundedCache
from streams.classify.likeness import FILE, LIKE, Likeness
from streams.classify.mask import blur, clip, sharp
from streams.classify.match import MATCHER, Verdict
from streams.classify.templates import hides_characters, template_from, template_of, unwrapped

Error = tuple[str, str, str]

_KEPT_CHARACTERS = 512  # longer messages rarely come twice, and would push the short ones out
_MIB = 1 << 20
_DIGIT = re.compile("[0-9]")
_EXACT_OF = 8  # of texts whose numbers alone are new, every so many-th is kept: keeping costs as much as classifying


@cache
def likeness() -> Likeness:
    """What was learned; read at the first call, which takes some tenths of a second. CatalogueError if the file's
    reasons are not the catalogue's."""
    return Likeness(FILE.read_text(encoding="utf-8"), CATALOGUE)


def prepare() -> None:
    """Read what was learned now, instead of with the first failure."""
    likeness()


class Classified(NamedTuple):
    """The reason that a record counts under, and the reason of each of its errors in their order."""

    reason: str
    reasons: tuple[str, ...]


_ALONE = {reason.code: Classified(reason.code, (reason.code,)) for reason in CATALOGUE.reasons}
_RANKS = {reason.code: rank for rank, reason in enumerate(CATALOGUE.reasons)}

_exact: BoundedCache[tuple[str, str], Classified] = BoundedCache(40_000, 12 * _MIB)
_blurred: BoundedCache[tuple[str, bytes], Classified] = BoundedCache(40_000, 12 * _MIB)
_templates: BoundedCache[tuple[str, str], Verdict] = BoundedCache(20_000, 8 * _MIB)
_turn = 0

_NUMBERS = Classified("", ())
"""In `_blurred`: no words speak, each text's own numbers may."""


def classify(direction: str, errors: Sequence[Error]) -> Classified:
    """The reasons of a failed record. A record without errors has one empty error, which nobody can classify.

    The same in every direction: the other side's words mean the same whoever asked.
    """
    if len(errors) == 1:
        code, message, _ = errors[0]
        key = (code, message)
        found = _exact.get(key)
        return found if found is not None else _alike(key)
    if not errors:
        return _ALONE[UNCLASSIFIED]
    reasons = tuple([reason_of(direction, code, message) for code, message, _ in errors])
    return Classified(min(reasons, key=_RANKS.__getitem__), reasons)


def reason_of(direction: str, code: str, message: str) -> str:
    """The reason of one error."""
    key = (code, message)
    found = _exact.get(key)
    return (found if found is not None else _alike(key)).reason


def verdict_of(code: str, message: str) -> Verdict:
    """The reason of one error and what decided."""
    return _verdict(code, message, sharp(blur(message)))


def explained(code: str, message: str) -> Verdict:
    """The same; `by` names the pattern that agrees with it or, where none does, the words that spoke loudest."""
    verdict = verdict_of(code, message)
    if verdict.by != LIKE:
        return verdict
    masked = template_of(message)
    rule = MATCHER.pattern(code, masked)
    if rule.reason == verdict.reason:
        return rule
    return Verdict(verdict.reason, f"{LIKE}: {likeness().told(code, masked, verdict.reason)}")


def _alike(key: tuple[str, str]) -> Classified:
    """The reason of a text that is not kept: most often one is kept that differs only in its numbers."""
    global _turn
    code, message = key
    blurred = blur(message)
    found = _blurred.get((code, blurred))
    if found is None:
        return _unlike(key, blurred)
    if found is _NUMBERS:
        found = _ALONE[_by_number(code, message).reason]
    _turn += 1
    if _turn == _EXACT_OF:
        _turn = 0
        _exact.keep(key, found, message.__sizeof__() + code.__sizeof__())
    return found


def _unlike(key: tuple[str, str], blurred: bytes) -> Classified:
    """The reason of a text whose like is not kept either."""
    code, message = key
    text = sharp(blurred)
    verdict = _verdict(code, message, text)
    found = _ALONE[verdict.reason]
    if len(message) <= _KEPT_CHARACTERS:
        if text == message or hides_characters(text):
            _exact.keep(key, found, message.__sizeof__() + code.__sizeof__())
        else:
            spoke = verdict.by and not verdict.by.startswith("number")
            _blurred.keep((code, blurred), found if spoke else _NUMBERS, len(blurred) + code.__sizeof__())
    return found


def _verdict(code: str, message: str, blurred: str) -> Verdict:
    masked = template_from(message, blurred)
    key = (code, masked)
    verdict = _templates.get(key)
    if verdict is None:
        verdict = MATCHER.code(code, masked)
        if not verdict.by:
            verdict = likeness().verdict(code, masked, MATCHER.pattern)
        if "<" in masked or len(masked) < len(message):  # others hardly come again but as what is kept whole
            _templates.keep(key, verdict, masked.__sizeof__() + code.__sizeof__())
    return verdict if verdict.by else _by_number(code, message)


def _by_number(code: str, message: str) -> Verdict:
    """Numbers speak last, and are just what templates do not hold."""
    return MATCHER.number(code, clip(unwrapped(message)) if _DIGIT.search(message) else "")
