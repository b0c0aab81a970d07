"""Which errors of an event are kept, and how much of their texts: what is stored is what is classified and counted.

Pure. In goes a result; out come its errors as (code, message, field) within the limits of `schemas.event`, and the
names of what was cut. Everybody who asks for the reason of an event takes its errors from here.
"""

from collections.abc import Sequence
from typing import TypeAlias

from schemas.event import MAX_ERROR_CODE, MAX_ERROR_FIELD, MAX_ERROR_MESSAGE, MAX_ERRORS, RecordEvent

KeptError: TypeAlias = tuple[str, str, str]
_SHORT_MESSAGE = MAX_ERROR_MESSAGE // 4
"""The limit is in bytes, of which a character has at most four: up to here nothing has to be encoded to know."""
_NO_ERROR: list[KeptError] = [("", "", "")]
_NOTHING: Sequence[str] = ()


def kept_errors(event: RecordEvent) -> tuple[list[KeptError], Sequence[str]]:
    """The event's errors, none too long and not too many, and what was cut: names of the column `truncated`.

    A failed record without errors has one empty error. The lists are shared: not to be changed.
    """
    if not event.errors:
        return (_NO_ERROR if event.status == "failed" else []), _NOTHING
    errors = [(error.code or "", error.message or "", error.field or "") for error in event.errors]
    if len(errors) > MAX_ERRORS:
        return _cut(errors)
    for code, message, field in errors:
        if len(message) > _SHORT_MESSAGE or len(code) > MAX_ERROR_CODE or len(field) > MAX_ERROR_FIELD:
            return _cut(errors)
    return errors, _NOTHING


def _cut(errors: list[KeptError]) -> tuple[list[KeptError], Sequence[str]]:
    kept = [(code[:MAX_ERROR_CODE], _head(text), field[:MAX_ERROR_FIELD]) for code, text, field in errors[:MAX_ERRORS]]
    found = ["errors"] if len(errors) > MAX_ERRORS else []
    for place, name in enumerate(("errors.code", "errors.message", "errors.field")):
        if any(one[place] != whole[place] for one, whole in zip(kept, errors, strict=False)):
            found.append(name)
    return kept, found


def _head(message: str) -> str:
    if len(message) <= _SHORT_MESSAGE:
        return message
    encoded = message.encode()
    return message if len(encoded) <= MAX_ERROR_MESSAGE else encoded[:MAX_ERROR_MESSAGE].decode(errors="ignore")
