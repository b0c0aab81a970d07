"""Messages that are no events, and events broken at random: what a bad sender, a bad disk or an attacker writes.

`corpus` has one of each kind that ever brought a parser down; `broken` damages valid events by a seed, so that some
stay valid. In each the name or place it came from can be found again.
"""

import random
from collections.abc import Iterator

import orjson

from tests.delivery.sending import Plain, bad, event

DEEP = 600


def corpus() -> list[Plain]:
    """Every one must become a dead letter."""
    plain = orjson.loads(event().value or b"")

    def with_raw(field: str, raw: bytes) -> bytes:
        """A valid event but for one field, whose value is these bytes."""
        rest = orjson.dumps({name: value for name, value in plain.items() if name != field})
        return b'{"%s":%s,' % (field.encode(), raw) + rest[1:]

    values: dict[str, bytes | None] = {
        "none": None,
        "empty": b"",
        "blank": b"  \n",
        "no-json": b"poison-no-json",
        "cut-off": orjson.dumps(plain)[:-20],
        "two-in-one": orjson.dumps(plain) * 2,
        "array": b"[" + orjson.dumps(plain) + b"]",
        "text": b'"poison"',
        "number": b"17",
        "bom": b"\xef\xbb\xbf" + orjson.dumps(plain),
        "utf-16": orjson.dumps(plain).decode().encode("utf-16"),
        "nul-bytes": b"\x00" * 200,
        "nul-in-text": with_raw("record_name", b'"a\x00b"'),
        "latin-1": with_raw("record_name", b'"M\xfcller"'),
        "cut-utf-8": with_raw("record_name", b'"M\xc3"'),
        "overlong-utf-8": with_raw("record_name", b'"\xc0\xaf"'),
        "bad-utf-8-in-payload": with_raw("payload", b'{"a": "\xff\xfe"}'),
        "lone-surrogate": with_raw("record_name", rb'"\ud800"'),
        "surrogate-as-bytes": with_raw("record_name", b'"\xed\xa0\x80"'),
        "nan": with_raw("attempt", b"NaN"),
        "infinity": with_raw("attempt", b"-Infinity"),
        "1e999": with_raw("attempt", b"1e999"),
        "huge-int": with_raw("attempt", b"9" * 5_000),
        "int-beyond-64": with_raw("attempt", b"18446744073709551616"),
        "negative": with_raw("attempt", b"-1"),
        "fraction": with_raw("attempt", b"1.5"),
        "deep": with_raw("payload", b'{"a":' + b"[" * DEEP + b"]" * DEEP + b"}"),
        "deep-without-end": b"[" * 100_000,
        "deep-objects": b'{"a":' * 50_000,
        "wrong-type": with_raw("tenant_id", b"7"),
        "null-identity": with_raw("sync_id", b"null"),
        "object-for-text": with_raw("module", b'{"$gt": ""}'),
        "errors-as-text": with_raw("errors", b'"none"'),
        "errors-of-numbers": with_raw("errors", b"[1, 2]"),
        "payload-as-text": with_raw("payload", b'"text"'),
        "no-uuid": with_raw("event_id", b'"7"'),
        "unknown-direction": with_raw("direction", b'"sideways"'),
        "unknown-status": with_raw("status", b'"SUCCESS"'),
        "unknown-type": with_raw("type", b'"sync_paused"'),
        "no-time": with_raw("occurred_at", b'"yesterday"'),
        "time-without-zone": with_raw("occurred_at", b'"2026-11-23T12:00:00"'),
        "year-0": with_raw("occurred_at", b'"0000-01-01T00:00:00Z"'),
        "year-9999": with_raw("occurred_at", b'"9999-12-31T23:59:59Z"'),
        "february-30": with_raw("occurred_at", b'"2026-02-30T00:00:00Z"'),
        "long-tenant": with_raw("tenant_id", b'"%s"' % (b"t" * 65)),
        "empty-tenant": with_raw("tenant_id", b'""'),
        "only-braces": b"{}",
        "mark-without-total": orjson.dumps({**_mark(plain), "type": "sync_finished"}),
        "mark-with-negative-total": orjson.dumps({**_mark(plain), "type": "sync_finished", "records_total": -1}),
    }
    return [bad(name, value) for name, value in values.items()]


def _mark(plain: dict[str, object]) -> dict[str, object]:
    return {name: plain[name] for name in ("event_id", "tenant_id", "sync_id", "direction", "occurred_at")}


def broken(seed: int) -> Iterator[bytes]:
    """Valid events with some bytes changed, lost, doubled or exchanged; a few of them are valid still."""
    chance = random.Random(f"broken/{seed}")
    while True:
        value = bytearray(event(status=chance.choice(("success", "failed", "skipped"))).value or b"")
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            at = chance.randrange(len(value))
            to = min(len(value), at + chance.choice((1, 1, 2, 10)))
            match chance.randrange(5):
                case 0:
                    value[at] = chance.randrange(256)
                case 1:
                    del value[at:to]
                case 2:
                    value[at:at] = value[at:to]
                case 3:
                    value[at:to] = chance.choice(
                        (b"null", b'"', b"\\", b"{", b"]", b"\\ud83d", b"\x00", b"1e999", b",")
                    )
                case _:
                    value[at:to] = value[at:to][::-1]
        yield bytes(value)
