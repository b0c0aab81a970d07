"""From messages to events, many at a time: pure, so the same bytes are accepted or refused alike wherever and whenever.

Count and store must agree on every message: what one of them refused and the other counted would be a difference that
nothing heals. Times are judged by the message's own Kafka timestamp, never by a clock. Call it with a few hundred
records at a time: their objects then stay in the processor's cache, which halves the cost of what is done with them.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from schemas.directions import CODES
from schemas.event import (
    AHEAD_MS,
    HISTORY_MS,
    MARKS,
    MAX_DEPTH,
    MAX_MESSAGE,
    MarkEvent,
    RecordEvent,
    are_uuids,
    is_uuid,
)
from schemas.refusal import Code, Refusal, explain


class Message(Protocol):
    """What is needed of a Kafka record: its value, offset, and timestamp in ms (set by the broker)."""

    @property
    def value(self) -> bytes | None: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...


class Mark(NamedTuple):
    """A `MarkEvent` with where it came from; times in ms since 1970."""

    event: MarkEvent
    offset: int
    occurred: int
    received: int


class Decoded:
    """Columns of equal length in the order of the messages: `events[i]` came at `offsets[i]`, occurred at
    `occurred[i]` and was received at `received[i]` (ms since 1970). Apart from them the marks and the refused."""

    __slots__ = ("events", "marks", "occurred", "offsets", "received", "refused")

    def __init__(self) -> None:
        self.events: list[RecordEvent] = []
        self.offsets: list[int] = []
        self.occurred: list[int] = []
        self.received: list[int] = []
        self.marks: list[Mark] = []
        self.refused: list[tuple[Message, Refusal]] = []


_decode_record = msgspec.json.Decoder(RecordEvent).decode
_decode_mark = msgspec.json.Decoder(MarkEvent).decode


class _Kind(msgspec.Struct):
    type: str = "record"


_decode_kind = msgspec.json.Decoder(_Kind).decode


def decode(messages: Sequence[Message]) -> Decoded:
    """Decode messages, with every check that a table needs. Nothing raises: what is refused is in `.refused`."""
    decoded = Decoded()
    events, offsets, received = decoded.events, decoded.offsets, decoded.received
    for message in messages:
        value = message.value
        try:
            if value is None or not value.isascii() or len(value) > 2 * MAX_DEPTH:
                _check_bytes(value)
            event = _decode_record(value)  # type: ignore[arg-type]  # None was refused a line above
        except (_Refused, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            _decode_other(message, error, decoded)
        else:
            events.append(event)
            offsets.append(message.offset)
            received.append(message.timestamp)
    # `timestamp()` is off by less than 0.00025 ms for times of this century; half of what is added here.
    decoded.occurred = [int(event.occurred_at.timestamp() * 1000 + 0.0005) for event in events]
    if not _all_sound(decoded):
        _drop_unsound(messages, decoded)
    return decoded


_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"


class _Refused(Exception):
    def __init__(self, code: Code, detail: str) -> None:
        self.refusal = Refusal(code, "", detail)


def _check_bytes(value: bytes | None) -> None:
    if not value:
        raise _Refused(Code.EMPTY_VALUE, "a message without a value")
    if len(value) > MAX_MESSAGE:
        raise _Refused(Code.TOO_LARGE, f"{len(value)} bytes, at most {MAX_MESSAGE}")
    if not value.isascii():
        value.decode()  # msgspec looks at the texts it keeps only: a payload would carry broken bytes into the table
    if _too_deep(value):
        raise _Refused(Code.TOO_DEEP, _TOO_DEEP)


def _too_deep(value: bytes) -> bool:
    return value.count(b"[") + value.count(b"{") > MAX_DEPTH and _depth(value) > MAX_DEPTH


def _depth(value: bytes) -> int:
    """The deepest nesting of brackets outside of strings."""
    depth = deepest = 0
    in_string = escaped = False
    for byte in value:
        if in_string:
            in_string = escaped or byte != 0x22
            escaped = not escaped and byte == 0x5C
        elif byte == 0x22:
            in_string = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


def _decode_other(message: Message, error: Exception, decoded: Decoded) -> None:
    """A mark, which the fast decoder takes for a bad record, or really a bad message."""
    value = message.value or b""
    if isinstance(error, msgspec.ValidationError):
        try:
            if _decode_kind(value).type in MARKS:
                _take_mark(message, _decode_mark(value), decoded)
                return
        except msgspec.DecodeError as other:
            error = other
    if isinstance(error, _Refused):
        refusal = error.refusal
    elif not value:
        refusal = Refusal(Code.EMPTY_VALUE, "", "a message without a value")
    elif _too_deep(value):
        # A broken value of few bytes, so that nobody looked: whether the decoder gives up at its depth or at its end
        # would depend on how deep the caller's stack is.
        refusal = Refusal(Code.TOO_DEEP, "", _TOO_DEEP)
    else:
        refusal = explain(error)
    decoded.refused.append((message, refusal))


def _take_mark(message: Message, mark: MarkEvent, decoded: Decoded) -> None:
    occurred = int(mark.occurred_at.timestamp() * 1000 + 0.0005)
    if mark.type == "sync_finished" and mark.records_total is None:
        missing = Refusal(Code.MISSING_FIELD, "records_total", "required of sync_finished and not there")
        decoded.refused.append((message, missing))
    elif refusal := _unsound(mark, occurred, message.timestamp):
        decoded.refused.append((message, refusal))
    else:
        decoded.marks.append(Mark(mark, message.offset, occurred, message.timestamp))


def _unsound(event: RecordEvent | MarkEvent, occurred: int, received: int) -> Refusal | None:
    """What only looks at one event can tell, of the checks made for many at once by `_all_sound`."""
    if not is_uuid(event.event_id):
        return Refusal(Code.INVALID_ID, "event_id", "not a UUID")
    if event.direction not in CODES:
        return Refusal(Code.UNKNOWN_VALUE, "direction", "not one of the allowed values")
    if not received - HISTORY_MS <= occurred <= received + AHEAD_MS:
        return Refusal(Code.TIME_OUT_OF_RANGE, "occurred_at", "not within 26 weeks before and a day after its arrival")
    if isinstance(event, RecordEvent) and not _payload_is_object(event):
        return Refusal(Code.WRONG_TYPE, "payload", "Expected `object`")
    return None


def _payload_is_object(event: RecordEvent) -> bool:
    payload = bytes(event.payload)
    return payload[:1] == b"{" or payload in (b"", b"null")


def _all_sound(decoded: Decoded) -> bool:
    """The checks of `_unsound` over all events at once, at a fraction of the cost."""
    events = decoded.events
    ages = [received - occurred for received, occurred in zip(decoded.received, decoded.occurred, strict=True)]
    return not events or (
        are_uuids([event.event_id for event in events])
        and {event.direction for event in events} <= CODES
        and max(ages) <= HISTORY_MS
        and min(ages) >= -AHEAD_MS
        and all(_payload_is_object(event) for event in events if event.payload)
    )


def _drop_unsound(messages: Sequence[Message], decoded: Decoded) -> None:
    by_offset = {message.offset: message for message in messages}
    kept: list[tuple[RecordEvent, int, int, int]] = []
    for row in zip(decoded.events, decoded.offsets, decoded.occurred, decoded.received, strict=True):
        event, offset, occurred, received = row
        if refusal := _unsound(event, occurred, received):
            decoded.refused.append((by_offset[offset], refusal))
        else:
            kept.append(row)
    decoded.refused.sort(key=lambda refused: refused[0].offset)
    decoded.events, decoded.offsets, decoded.occurred, decoded.received = (
        [[row[i] for row in kept] for i in range(4)]  # type: ignore[assignment]
    )
