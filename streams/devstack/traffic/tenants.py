"""The simulated tenants: who they are, how large, and which records they keep.

A seed and a number of tenants go in; tenants in order of size come out. Nothing is stored per record: a record is a
serial number in its `RecordSet`, and everything about it follows from that, so millions of records cost no memory.
"""

import itertools
import random
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from streams.devstack.traffic import names

LARGEST_HOLDS = 40_000
SMALLEST_HOLDS = 60
# The n-th tenant is n ** -SKEW times as large as the first: the first has about two fifths of all syncs.
SKEW = 1.5


class Module(NamedTuple):
    """A module of one side. Modules of one `kind` show the same records: a customer in Books is a company in FSM."""

    name: str
    kind: str
    side: str
    per_customer: float


MODULES: dict[str, tuple[Module, ...]] = {
    "books_to_fsm": (
        Module("customers", "company", "books", 1.0),
        Module("items", "item", "books", 0.5),
        Module("invoices", "invoice", "books", 3.0),
    ),
    "fsm_to_books": (
        Module("companies", "company", "fsm", 1.0),
        Module("contacts", "person", "fsm", 1.5),
        Module("services_and_parts", "item", "fsm", 0.5),
    ),
}
# Where each kind's serial numbers begin within an organisation's ids.
_KIND_STARTS = {"company": 26_049, "person": 31_000_001, "item": 62_000_017, "invoice": 100_000_033}


def _json_names(*groups: tuple[str, ...]) -> tuple[str, ...]:
    """Names as JSON strings: quoted once here instead of once an event."""
    return tuple(orjson.dumps(name).decode() for name in itertools.chain(*groups))


def _crossed(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{left} {right}" for left in first for right in second)


_PEOPLE = _crossed(names.FIRST_NAMES, names.LAST_NAMES)
NAMES_BY_KIND = {
    "company": _json_names(
        # Individuals are customers too; they are the ones that lack a last name.
        names.NOTABLE_COMPANIES, _crossed(names.COMPANY_STEMS, names.COMPANY_FORMS), _PEOPLE[::6]
    ),
    "person": _json_names(names.NOTABLE_PEOPLE, _PEOPLE),
    "item": _json_names(names.SERVICES, _crossed(names.PARTS, names.PART_SIZES)),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class RecordSet:
    """All records of one module of one tenant; a record is a serial number from 0 up to `size`."""

    module: str
    kind: str
    size: int
    source_base: int
    target_base: int
    salt: int

    def source_id(self, serial: int) -> int:
        return self.source_base + 2 * serial

    def target_id(self, serial: int) -> int:
        return self.target_base + 2 * serial

    def json_name(self, serial: int) -> str:
        """The record's display name, already a JSON string."""
        if self.kind == "invoice":
            return f'"INV-{serial + 1:06d}"'
        pool = NAMES_BY_KIND[self.kind]
        return pool[(serial * 7_919 + self.salt) % len(pool)]


@dataclass(frozen=True, slots=True)
class Tenant:
    tenant_id: str
    share: float
    announces: bool
    """Whether it sends sync_started and sync_finished."""
    records: dict[str, tuple[RecordSet, ...]]
    """By direction."""

    def largest_sync(self, direction: str) -> int:
        """So many records any one of the direction's modules can fill."""
        return min(records.size for records in self.records[direction])


def make_tenants(seed: int, count: int) -> tuple[Tenant, ...]:
    """`count` tenants, largest first. With one seed, a larger count gives the same ones and smaller ones after them."""
    rng = random.Random(f"tenants/{seed}")
    slugs = [f"{word}-{trade}" for word in names.TENANT_WORDS for trade in names.TENANT_TRADES]
    rng.shuffle(slugs)
    weights = [rank**-SKEW for rank in range(1, count + 1)]
    total = sum(weights)
    return tuple(
        _tenant(rng, f"{slugs[index % len(slugs)]}-{rng.randrange(10, 100)}{index:03d}", index, weight, total)
        for index, weight in enumerate(weights)
    )


def _tenant(rng: random.Random, tenant_id: str, index: int, weight: float, total: float) -> Tenant:
    customers = max(SMALLEST_HOLDS, int(LARGEST_HOLDS * weight))
    organisation = {"books": rng.randrange(1_000_000, 9_999_999), "fsm": rng.randrange(1_000_000, 9_999_999)}
    salt = rng.randrange(1_000_000)
    records = {
        direction: tuple(_record_set(module, customers, organisation, salt) for module in modules)
        for direction, modules in MODULES.items()
    }
    return Tenant(tenant_id, weight / total, announces=index % 7 != 5, records=records)


def _record_set(module: Module, customers: int, organisation: dict[str, int], salt: int) -> RecordSet:
    bases = {side: number * 10**12 + _KIND_STARTS[module.kind] for side, number in organisation.items()}
    return RecordSet(
        module=module.name,
        kind=module.kind,
        size=int(customers * module.per_customer),
        source_base=bases[module.side],
        target_base=bases["fsm" if module.side == "books" else "books"],
        salt=salt,
    )
