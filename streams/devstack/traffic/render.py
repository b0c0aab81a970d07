"""How parts of an event are written: ids, times, errors, payloads.

The plain parts of an event are strings put together, for speed; errors and payloads, which few events have, are built
as objects and written by orjson. Both give what `orjson.dumps` of the whole event would give.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import orjson

from streams.devstack.traffic import names
from streams.devstack.traffic.faults import Fault
from streams.devstack.traffic.tenants import NAMES_BY_KIND, RecordSet

_DAY_MS = 86_400_000
_MINUTES = tuple(f"T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(24 * 60))
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_IDS_AT_ONCE = 512


def event_ids(rng: random.Random) -> Iterator[str]:
    """Version 4 UUIDs for ever, from `rng` alone: 122 random bits each."""
    while True:
        digits = rng.randbytes(16 * _IDS_AT_ONCE).hex()
        for at in range(0, len(digits), 32):
            h = digits[at : at + 32]
            yield f"{h[:8]}-{h[8:12]}-4{h[13:16]}-{_VARIANT[h[16]]}{h[17:20]}-{h[20:]}"


@lru_cache(maxsize=512)
def _day(number: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=number)).strftime("%Y-%m-%d")


def rfc3339(ms: int) -> str:
    """Milliseconds since 1970 as UTC with three decimals."""
    day, rest = divmod(ms, _DAY_MS)
    minute, rest = divmod(rest, 60_000)
    return f"{_day(day)}{_MINUTES[minute]}{rest // 1000:02d}.{rest % 1000:03d}Z"


def errors_json(faults: tuple[Fault, ...], rng: random.Random, records: RecordSet, serial: int) -> str:
    """The event's `errors` for one record: each text with its variable parts filled in."""
    fill: dict[str, object] = {
        "name": orjson.loads(records.json_name(serial)),
        "field": records.kind.capitalize(),
        "number": rng.randrange(100, 1_000),
        "seconds": rng.randrange(5, 120),
        "other_id": records.target_base + rng.randrange(10**6),
        "tax": ("GST18", "VAT20", "EXEMPT", "OUTPUT2")[rng.randrange(4)],
        "currency": names.CURRENCIES[rng.randrange(len(names.CURRENCIES))],
        "person": orjson.loads(NAMES_BY_KIND["person"][rng.randrange(len(NAMES_BY_KIND["person"]))]),
    }
    errors = [
        {"code": fault.code.format_map(fill), "message": fault.message.format_map(fill), "field": fault.field}
        for fault in faults
    ]
    return orjson.dumps(errors).decode()


def payload_json(records: RecordSet, serial: int, faults: tuple[Fault, ...] = ()) -> str:
    """The source record as the sync engine would attach it; a field that a fault calls empty is empty."""
    payload = _PAYLOADS[records.kind](orjson.loads(records.json_name(serial)), serial)
    for fault in faults:
        if fault.reason == "mandatory_field_missing" and fault.field in payload:
            payload[fault.field] = ""
    return orjson.dumps({"id": str(records.source_id(serial)), **payload}).decode()


def _email(name: str, serial: int) -> str:
    letters = "".join(character for character in name.lower() if "a" <= character <= "z")
    return f"{letters[:24] or 'contact'}{serial}@noemail.com"


def _person(name: str, serial: int) -> dict[str, object]:
    first, _, last = name.partition(" ")
    return {
        "first_name": first,
        "last_name": last,
        "email": "james@noemail.com" if name == "James Bilkin" else _email(name, serial),
        "phone": f"+1 555 01{serial % 100:02d}",
        "company": "Acme Inc." if name == "James Bilkin" else f"Company {serial // 2}",
    }


def _company(name: str, serial: int) -> dict[str, object]:
    first, _, last = name.partition(" ")
    city = names.CITIES[serial % len(names.CITIES)]
    return {
        "contact_name": name,
        "company_name": name,
        "customer_sub_type": "individual" if serial % 3 == 0 else "business",
        "first_name": first,
        "last_name": last,
        "email": _email(name, serial),
        "phone": f"+1 555 01{serial % 100:02d}",
        "currency_code": names.CURRENCIES[serial % len(names.CURRENCIES)],
        "payment_terms": (0, 15, 30, 45)[serial % 4],
        "billing_address": {"street": f"{serial % 240 + 1} Main Street", "city": city, "zip": f"{serial % 90_000:05d}"},
    }


def _item(name: str, serial: int) -> dict[str, object]:
    return {
        "name": name,
        "sku": f"SKU-{serial:05d}",
        "product_type": "service" if serial % 5 == 0 else "goods",
        "rate": (serial * 37 % 90_000) / 100,
        "unit": "pcs",
        "description": f"{name}, supplied and fitted",
    }


def _invoice(name: str, serial: int) -> dict[str, object]:
    return {
        "invoice_number": name,
        "customer_name": orjson.loads(NAMES_BY_KIND["company"][serial % len(NAMES_BY_KIND["company"])]),
        "currency_code": names.CURRENCIES[serial % len(names.CURRENCIES)],
        "total": (serial * 7_477 % 900_000) / 100,
        "status": ("draft", "sent", "paid", "overdue")[serial % 4],
        "line_items": [{"name": "First hour of labour", "quantity": serial % 6 + 1, "rate": 85.0}],
    }


_PAYLOADS = {"person": _person, "company": _company, "item": _item, "invoice": _invoice}
