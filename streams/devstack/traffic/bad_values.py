"""Messages that no consumer accepts, by the dead-letter code that they earn: so that the dev stack has dead letters.

A seed goes in, pairs of kind and value come out for ever. Each value is one valid event with one thing wrong. A
message that is too large is not among them: Kafka itself refuses it.
"""

import random
from collections.abc import Callable, Iterator

import orjson

from schemas.refusal import Code
from streams.devstack.traffic.render import event_ids

_Event = dict[str, object]
_REQUIRED = (
    "event_id",
    "tenant_id",
    "sync_id",
    "direction",
    "module",
    "record_id",
    "operation",
    "status",
    "occurred_at",
)
_ENUMS = ("direction", "status", "operation", "type")
_WRONG_LENGTHS: _Event = {"tenant_id": "", "sync_id": "S" * 65, "module": "", "record_id": "9" * 129}
_WRONG_TYPES: _Event = {"record_name": 12, "attempt": "first", "errors": "none", "payload": [1, 2], "sync_id": None}


def bad_values(seed: int) -> Iterator[tuple[str, bytes]]:
    """(kind, value) for ever; a kind is a `Code`'s text; all of `KINDS` equally often. Same seed, same bytes."""
    rng = random.Random(f"bad values/{seed}")
    ids = event_ids(random.Random(f"bad ids/{seed}"))
    kinds = list(KINDS)
    while True:
        kind = rng.choice(kinds)
        yield kind.value, KINDS[kind](_valid(next(ids), rng), rng)


def _valid(event_id: str, rng: random.Random) -> _Event:
    return {
        "event_id": event_id,
        "type": "record",
        "tenant_id": "broken-emitter-1",
        "sync_id": f"SYNC-BROKEN-{rng.randrange(1_000):03d}",
        "direction": rng.choice(("books_to_fsm", "fsm_to_books")),
        "module": "contacts",
        "record_id": str(rng.randrange(10**17, 10**18)),
        "record_name": "James Bilkin",
        "operation": "update",
        "status": "success",
        "errors": [],
        "occurred_at": "2025-01-01T00:00:00.000Z",
        "attempt": 1,
    }


def _cut_off(event: _Event, rng: random.Random) -> bytes:
    value = orjson.dumps(event)
    return value[: rng.randrange(1, len(value) - 1)]


def _wrong_type(event: _Event, rng: random.Random) -> bytes:
    field = rng.choice(list(_WRONG_TYPES))
    return rng.choice(
        (b"null", b"[]", b"42", orjson.dumps([event]), orjson.dumps({**event, field: _WRONG_TYPES[field]}))
    )


def _missing_field(event: _Event, rng: random.Random) -> bytes:
    del event[rng.choice(_REQUIRED)]
    return orjson.dumps(event)


def _unknown_value(event: _Event, rng: random.Random) -> bytes:
    return orjson.dumps({**event, rng.choice(_ENUMS): rng.choice(("", "unknown", "SUCCESS "))})


def _invalid_id(event: _Event, rng: random.Random) -> bytes:
    return orjson.dumps({**event, "event_id": rng.choice(("", "not-a-uuid", "{" + str(event["event_id"]) + "}"))})


def _length_out_of_range(event: _Event, rng: random.Random) -> bytes:
    field = rng.choice(list(_WRONG_LENGTHS))
    return orjson.dumps({**event, field: _WRONG_LENGTHS[field]})


def _number_out_of_range(event: _Event, rng: random.Random) -> bytes:
    return orjson.dumps({**event, "attempt": rng.choice((-1, 0, 65_536))})


def _invalid_utf8(event: _Event, rng: random.Random) -> bytes:
    return orjson.dumps(event).replace(b"James", rng.choice((b"J\xe4mes", b"\xff\xfe", b"\xc3(", b"\xed\xa0\x80")))


def _invalid_time(event: _Event, rng: random.Random) -> bytes:
    return orjson.dumps(
        {**event, "occurred_at": rng.choice(("", "yesterday", "01/02/2025 10:00", "2025-01-01T00:00:00"))}
    )


def _time_out_of_range(event: _Event, rng: random.Random) -> bytes:
    return orjson.dumps({**event, "occurred_at": f"{rng.choice((1971, 2001, 2199))}-06-01T12:00:00.000Z"})


def _too_deep(event: _Event, rng: random.Random) -> bytes:
    levels = rng.randrange(600, 1_000)
    return orjson.dumps(event).replace(b'"errors":[]', b'"payload":{"x":' + b"[" * levels + b"]" * levels + b"}")


KINDS: dict[Code, Callable[[_Event, random.Random], bytes]] = {
    Code.EMPTY_VALUE: lambda _event, _rng: b"",
    Code.INVALID_JSON: _cut_off,
    Code.INVALID_UTF8: _invalid_utf8,
    Code.TOO_DEEP: _too_deep,
    Code.WRONG_TYPE: _wrong_type,
    Code.MISSING_FIELD: _missing_field,
    Code.UNKNOWN_VALUE: _unknown_value,
    Code.INVALID_ID: _invalid_id,
    Code.LENGTH_OUT_OF_RANGE: _length_out_of_range,
    Code.NUMBER_OUT_OF_RANGE: _number_out_of_range,
    Code.INVALID_TIME: _invalid_time,
    Code.TIME_OUT_OF_RANGE: _time_out_of_range,
}
