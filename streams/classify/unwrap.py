"""Takes a message out of its wrapping: JSON (also inside other text or inside a string), a Python repr, XML, HTML.

In comes a message as the other side gave it; out goes one plain text with the codes, messages and detail keys that were
inside, or the message itself where nothing wraps it. Never raises: what can't be read is made readable as far as it
goes.
"""

import html
import re
from collections.abc import Iterator

import msgspec

_DEEPEST = 6
_MOST_PARTS = 40
# fmt: off
_LOUD = frozenset(
    (
        "body", "category", "cause", "code", "data", "description", "detail", "details", "duplicateresult",
        "elements", "error", "error_code", "error_description", "error_message", "error_number", "error_type",
        "errorcause", "errorcode", "errormessage", "errornumber", "errors", "errortype", "exception",
        "exceptionmessage", "fault", "faultcode", "faultstring", "fields", "inner", "innererror", "message",
        "msg", "reason", "response", "result", "results", "status_code", "status_message", "statuscode",
        "statustext", "text", "title", "type", "validation_errors", "validationerrors", "warnings",
    )
)
# fmt: on
_NUMBERED = frozenset(("code", "errorcode", "error_code", "statuscode", "status_code", "errornumber", "status"))
_TAG = re.compile(r"<[/!?a-zA-Z][^<>]{0,400}>?")
_TAG_CODE = re.compile(r"\bcode=[\"']([^\"'<>]{1,60})[\"']")
_SILENT = re.compile(r"<(style|script|head)\b", re.IGNORECASE)
_PUNCTUATION = str.maketrans(dict.fromkeys('{}[]"\\', " "))
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


def unwrap(message: str) -> str:
    """The text inside the wrapping; a message without any comes back as it is."""
    if "<" in message and _TAG.search(message):
        message = _from_markup(message)
    start = _json_start(message)
    if start >= 0:
        return _from_json(message, start)
    if len(message) > 1 and message[0] == message[-1] and message[0] in "\"'":
        return message[1:-1]
    return message


def _json_start(message: str) -> int:
    starts = [at for at in (message.find("{"), message.find("[{")) if at >= 0]
    at = min(starts, default=-1)
    # A brace with no key behind it is part of the words ("unknown field {Name}").
    return at if at >= 0 and (":" in message[at:] or at == 0) else -1


def _from_json(message: str, start: int) -> str:
    end = max(message.rfind("}"), message.rfind("]")) + 1
    inner = message[start:end]
    for text in (inner, inner.replace('\\"', '"')):
        try:
            parts = list(_parts(msgspec.json.decode(text), "", 0))
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            continue
        before, after = message[:start].strip(" \"'b"), message[end:].strip(" \"'")
        return " | ".join(part for part in (before, *parts[:_MOST_PARTS], after) if part)
    return _loosened(message)


def _parts(value: object, key: str, depth: int) -> Iterator[str]:
    """What speaks in a decoded value: words under telling keys, and of `details` keys as well as values."""
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            lowered = str(name).lower()
            if key == "details" and not isinstance(inner, dict | list):
                yield f"details {name}: {inner}"
            elif key == "details":
                yield f"details {name}"
            elif isinstance(inner, dict | list) or lowered in _LOUD or lowered in _NUMBERED:
                yield from _parts(inner, lowered, depth + 1)
    elif isinstance(value, list):
        for inner in value[:_MOST_PARTS]:
            yield from _parts(inner, key, depth + 1)
    elif isinstance(value, str):
        if value[:1] in "{[" and depth < _DEEPEST and _json_start(value) == 0:
            yield unwrap(value) if depth < 2 else _loosened(value)
        elif value:
            yield f"{key}: {value}" if key in _NUMBERED else value
    elif isinstance(value, int) and not isinstance(value, bool) and key in _NUMBERED:
        yield f"{key}: {value}"


def _loosened(message: str) -> str:
    """Truncated JSON or a Python repr: the punctuation goes, the words stay."""
    message = message.replace("\\u0027", "'")
    if "\\u" in message:
        message = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), message)
    text = message.translate(_PUNCTUATION)
    return text.replace(" '", " ").replace("' ", " ").replace("':", ":").replace("',", ",")


def _from_markup(message: str) -> str:
    for _ in range(8):
        opening = _SILENT.search(message)
        if not opening:
            break
        closing = message.lower().find(f"</{opening[1].lower()}", opening.end())
        message = message[: opening.start()] + (message[closing:] if closing >= 0 else "")
    text = _TAG.sub(_tag_words, message)
    return " ".join(html.unescape(text).split())


def _tag_words(tag: re.Match[str]) -> str:
    found = _TAG_CODE.search(tag[0])
    return f" code: {found[1]} " if found else " "
