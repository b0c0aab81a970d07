"""The reason of an error and of a record, with bounded caches in front of the rules.

In come a direction and errors as (code, message, field); out go reason codes of the catalogue. The path of a message:
its exact text, else unwrapped and blurred (digits as #), else its template, else the rules. Each step is a function of
what its cache is keyed by, so a cache never changes an answer.
"""

from collections.abc import Sequence
from typing import NamedTuple

from schemas.reasons import CATALOGUE, UNCLASSIFIED
from streams.classify.cache import BoundedCache
from streams.classify.mask import blur, clip, template
from streams.classify.match import MATCHER, Verdict
from streams.classify.unwrap import unwrap

Error = tuple[str, str, str]

_KEPT_CHARACTERS = 512  # longer messages rarely come twice, and would push the short ones out
_MIB = 1 << 20


class Classified(NamedTuple):
    """The reason that a record counts under, and the reason of each of its errors in their order."""

    reason: str
    reasons: tuple[str, ...]


_ALONE = {reason.code: Classified(reason.code, (reason.code,)) for reason in CATALOGUE.reasons}
_RANKS = {reason.code: rank for rank, reason in enumerate(CATALOGUE.reasons)}

_exact: BoundedCache[tuple[str, str], str] = BoundedCache(40_000, 12 * _MIB)
_blurred: BoundedCache[tuple[str, str], Verdict] = BoundedCache(40_000, 12 * _MIB)
_templates: BoundedCache[tuple[str, str], Verdict] = BoundedCache(20_000, 8 * _MIB)


def classify(direction: str, errors: Sequence[Error]) -> Classified:
    """The reasons of a failed record. A record without errors has one empty error, which nobody can classify."""
    if len(errors) == 1:
        code, message, _ = errors[0]
        reason = _exact.get((code, message))
        return _ALONE[reason if reason is not None else reason_of(direction, code, message)]
    if not errors:
        return _ALONE[UNCLASSIFIED]
    reasons = tuple([reason_of(direction, code, message) for code, message, _ in errors])
    return Classified(min(reasons, key=_RANKS.__getitem__), reasons)


def reason_of(direction: str, code: str, message: str) -> str:
    """The reason of one error. The same in every direction: the other side's words mean the same whoever asked."""
    key = (code, message)
    reason = _exact.get(key)
    if reason is not None:
        return reason
    reason = explain(code, message).reason
    if len(message) <= _KEPT_CHARACTERS:
        _exact.keep(key, reason, message.__sizeof__() + code.__sizeof__())
    return reason


def explain(code: str, message: str) -> Verdict:
    """The reason of one error and the rule that decided."""
    text = clip(unwrap(message) if "{" in message or "<" in message or message[:1] in "\"'" else message)
    blurred = blur(text)
    key = (code, blurred)
    verdict = _blurred.get(key)
    if verdict is None:
        verdict = _by_template(code, template(blurred))
        if len(blurred) <= _KEPT_CHARACTERS:
            _blurred.keep(key, verdict, blurred.__sizeof__() + code.__sizeof__())
    # Numbers speak last, and are just what the keys of the caches do not hold.
    return verdict if verdict.by or (not code and blurred == text) else MATCHER.number(code, text)


def _by_template(code: str, masked: str) -> Verdict:
    key = (code, masked)
    verdict = _templates.get(key)
    if verdict is None:
        verdict = MATCHER.words(code, masked)
        _templates.keep(key, verdict, masked.__sizeof__() + code.__sizeof__())
    return verdict
