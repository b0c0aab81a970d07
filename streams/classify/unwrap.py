"""Takes a message out of its wrapping: JSON (also inside other text or inside a string), a Python repr, XML, HTML.

In comes a message as the other side gave it; out goes one plain text with the codes, messages and detail keys that were
inside, parted by ` | `, or the message itself where nothing wraps it. Never raises: what is broken or cut off is read
as far as it goes.
"""

import html
import re

import msgspec

from streams.classify.loose import read_loosely

_DEEPEST = 8
_DEEPEST_TEXT = 4
_OPENINGS = ("{", "[", "<")
_MOST_PARTS = 40
_MOST_TAGS = 250
# fmt: off
_LOUD = frozenset(
    (
        "body", "category", "cause", "code", "debuginfo", "desc", "description", "detail", "errordetail", "elements",
        "error", "error_code", "error_description", "error_message", "error_msg", "error_number", "error_type",
        "errorcause", "errorcode", "errordescription", "errordetails", "errormessage", "errormessages", "errormsg",
        "errornumber", "errors", "errortype", "exception", "exceptionmessage", "exceptiontype", "fault", "faultcode",
        "faultstring", "full_messages", "inner", "innererror", "innerexception", "innermessage", "internalmessage",
        "localizedmessage", "message", "messages", "msg", "non_field_errors", "o:errorcode", "problem", "reason",
        "reasons", "response", "responsetext", "result", "results", "shorttext", "status_code", "status_message",
        "statuscode", "statusmessage", "statustext", "summary", "text", "title", "type", "usermessage",
        "validation_errors", "validationerrors", "validationmessage", "value", "warnings",
    )
)
_FIELDED = frozenset(
    (
        "errors", "error", "fields", "fielderrors", "field_errors", "validationerrors", "validation_errors",
        "modelstate", "messages", "errormessages", "params", "message", "invalid", "invalidfields", "usererrors",
    )
)
"""Under these a key of any name is a field, and what stands under it is said of that field."""
_QUIET = frozenset(
    (
        "request", "headers", "config", "stack", "stacktrace", "stack_trace", "trace", "traceback", "input", "payload",
        "original", "submitted", "links", "_links", "help", "context", "meta", "record", "records", "attributes",
        "duplicateresult", "matchresults", "properties",
    )
)
"""What was sent or where it happened: its words would speak of the record, not of the failure."""
# fmt: on
_LOUD_ENDINGS = ("message", "error", "reason", "exception", "description")
_DETAILS = frozenset(("details", "additionalinfo", "extra_info"))
_NESTED = (dict, list)
_NUMBERED = frozenset(
    ("code", "errorcode", "error_code", "statuscode", "status_code", "errornumber", "status", "httpcode", "httpstatus")
)
_TELLING = _LOUD | _NUMBERED | _DETAILS
_NAMING = frozenset(("field", "fieldname", "field_name", "property", "propertyname", "attribute", "param", "parameter"))
# What the mask puts for a value is not a tag, so a template that is read again stays what it is. What can't be a tag is
# passed at its second character: thousands of these would take half a millisecond.
_TAG = re.compile(r"<(?=[/!?a-zA-Z-])(?!value>|email>|url>)([/!?]?)([a-zA-Z][\w:-]{0,40}|-)[^<>]{0,400}>?")
_ANY_TAG = re.compile(r"<[^<>]{0,400}>?")
_INLINE = frozenset(("b", "i", "a", "em", "strong", "span", "code", "u", "font", "small"))
_TAG_WORDS = re.compile(
    r"\b(code|errorcode|message|msg|reason|description|errormessage|statusmessage)=(?:\"([^\"<>]{1,300})\"|'([^'<>]{1,300})')",
    re.I,
)
_SILENT = re.compile(r"<(style|script)\b", re.IGNORECASE)
_CODE = re.compile(r"[A-Z][A-Z0-9]{1,30}(?:_[A-Z0-9]{1,30}){1,8}")


def unwrap(message: str) -> str:
    """The text inside the wrapping; a message without any comes back as it is."""
    return _unwrap(message, 0)


def _unwrap(message: str, depth: int) -> str:
    if "<" in message and _TAG.search(message):
        message = _from_markup(message)
    start = _start(message)
    if start >= 0:
        return _from_object(message, start, depth)
    if len(message) > 1 and message[0] == message[-1] and message[0] in "\"'":
        return message[1:-1]
    return message


def _start(message: str) -> int:
    """Where an object or a list of objects begins, -1 if nowhere."""
    for at, character in enumerate(message[:1]):
        if character == "[" and message[1:].lstrip(" b\\")[:1] in ("{", '"', "'"):
            return at
    start = message.find("{")
    if start < 0:
        return -1
    if message[:start].rstrip(" b\\\"'")[-1:] == "[":
        start = message.rindex("[", 0, start)
    # A brace with no key behind it is part of the words ("unknown field {Name}").
    return start if start == 0 or ":" in message[start:] or "=" in message[start:] else -1


def _from_object(message: str, start: int, depth: int) -> str:
    end = max(message.rfind("}"), message.rfind("]")) + 1
    before, after = message[:start].strip(" \"'b"), message[end:].strip(" \"'") if end > start else ""
    value, rest = _decoded(message, start, end)
    parts = [before]
    _speak(value, "", depth, parts)
    if len(parts) == 1:
        _say_all(value, "", 0, parts)
    parts = parts[: _MOST_PARTS + 1]
    return " | ".join([part for part in (*parts, after if rest else "") if part])


def _decoded(message: str, start: int, end: int) -> tuple[object, bool]:
    """The value that begins at `start`, and whether text stands behind it."""
    if end > start:
        inner = message[start:end]
        for text in (inner, inner.replace('\\"', '"')) if "\\" in inner else (inner,):
            try:
                return msgspec.json.decode(text), True
            except (msgspec.DecodeError, RecursionError, UnicodeError):
                continue
    return read_loosely(message, start), False


def _speak(value: object, key: str, depth: int, parts: list[str]) -> None:
    """Add what speaks in a decoded value: words under telling keys, codes, and of `details` keys as well as values."""
    if depth > _DEEPEST or len(parts) > _MOST_PARTS:
        return
    if isinstance(value, str):
        if value[:1] in _OPENINGS and depth < _DEEPEST_TEXT:
            parts.append(_unwrap(value, depth + 2))
        elif value or depth < _DEEPEST_TEXT:  # an empty text has been said, too: no other key speaks in its place
            parts.append(f"{key}: {value}" if key in _NUMBERED and value else value)
    elif isinstance(value, dict):
        _speak_of_fields(value, key, depth, parts)
    elif isinstance(value, list):
        for inner in value[:_MOST_PARTS]:
            _speak(inner, key, depth + 1, parts)
    elif key in _NUMBERED and isinstance(value, int) and not isinstance(value, bool):
        parts.append(f"{key}: {value}")


def _speak_of_fields(fields: dict[object, object], key: str, depth: int, parts: list[str]) -> None:
    for name, inner in fields.items():
        lowered = str(name).lower()
        if ":" in lowered:
            lowered = lowered.rpartition(":")[2]
        if lowered in _QUIET:
            continue
        nested = isinstance(inner, _NESTED)
        if key in _DETAILS and not nested:
            parts.append(f"details {name}: {inner}")
        elif key in _DETAILS and lowered not in _LOUD:
            parts.append(f"details {name}")
            _speak(inner, key if isinstance(inner, dict) else "errors", depth + 1, parts)
        elif lowered in _TELLING or lowered.endswith(_LOUD_ENDINGS):
            _speak(inner, lowered, depth + 1, parts)
        elif key in _FIELDED and (texts := _texts(inner)):
            parts += [text if lowered in _NAMING else f"{name} {text}" for text in texts]
        elif nested:
            _speak(inner, key if key in _FIELDED else lowered, depth + 1, parts)
        elif isinstance(inner, str) and _CODE.fullmatch(inner):
            parts.append(inner)


def _texts(value: object) -> list[str]:
    """A text, or a list of nothing but texts."""
    if isinstance(value, list) and len(value) <= _MOST_PARTS:
        texts = [one for one in value if isinstance(one, str)]
        return texts if len(texts) == len(value) else []
    return [value] if isinstance(value, str) else []


def _say_all(value: object, before: str, depth: int, parts: list[str]) -> None:
    """Add every key and text of a value in which no key is a telling one."""
    if depth > _DEEPEST or len(parts) > _MOST_PARTS:
        return
    if isinstance(value, dict):
        for name, inner in list(value.items())[:_MOST_PARTS]:
            if isinstance(inner, _NESTED):
                _say_all(inner, f"{before}{name} ", depth + 1, parts)
            elif str(name).lower() not in _QUIET:
                parts.append(f"{before}{name}: {inner}")
    elif isinstance(value, list):
        for inner in value[:_MOST_PARTS]:
            _say_all(inner, before, depth + 1, parts)
    elif value is not None:
        parts.append(f"{before}{value}")


def _from_markup(message: str) -> str:
    for _ in range(8):
        opening = _SILENT.search(message)
        if not opening:
            break
        closing = message.lower().find(f"</{opening[1].lower()}", opening.end())
        message = message[: opening.start()] + (message[closing:] if closing >= 0 else "")
    text = message.replace("<![CDATA[", " ").replace("]]>", " ")
    text = html.unescape(_without_tags(text))
    if "<" in text:
        text = _without_tags(text)
    # Of thousands of tags most have nothing between them.
    return " | ".join([" ".join(part.split()) for part in text.split("|") if part and not part.isspace()])


def _without_tags(text: str) -> str:
    """The first tags may speak; of more than a page has, none is asked."""
    text, found = _TAG.subn(_tag_words, text, _MOST_TAGS)
    return text if found < _MOST_TAGS else _ANY_TAG.sub(" | ", text)


def _tag_words(tag: re.Match[str]) -> str:
    if "=" not in tag[0] and tag[0].count(" ") > 2:
        return (
            " " + tag[0][1:].strip(">'\"").replace(" '", " ").replace(' "', " ") + " "
        )  # a Python repr such as <Fault 3: 'the words'>
    if "=" in tag[0]:
        said = " | ".join(found[2] or found[3] for found in _TAG_WORDS.finditer(tag[0]))
        if said:
            return f" | {said} | "
    return " " if tag[2].lower() in _INLINE else " | "
