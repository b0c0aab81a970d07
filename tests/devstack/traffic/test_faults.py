"""The error texts of simulated traffic against the catalogue of reasons."""

import random

import orjson
import pytest

from schemas.reasons import CATALOGUE, UNCLASSIFIED
from streams.classify import classify
from streams.devstack.traffic.faults import BY_DIRECTION, OUTAGES, SKIPS, Fault
from streams.devstack.traffic.render import errors_json
from streams.devstack.traffic.tenants import make_tenants

EVERY = [
    (direction, fault) for direction, faults in BY_DIRECTION.items() for fault in (*faults, *OUTAGES)
]  # fmt: skip


def test_traffic_has_failures_of_every_reason() -> None:
    assert {fault.reason for _, fault in EVERY} == {reason.code for reason in CATALOGUE.reasons} | {UNCLASSIFIED}


@pytest.mark.parametrize(("direction", "fault"), EVERY)
def test_a_reader_and_the_classifier_give_a_text_the_same_reason(direction: str, fault: Fault) -> None:
    rng = random.Random(1)
    for records in make_tenants(1, 1)[0].records[direction]:
        for serial in range(0, records.size, records.size // 40):
            [error] = orjson.loads(errors_json((fault,), rng, records, serial))
            assert classify(direction, [(error["code"], error["message"], error["field"])]).reason == fault.reason


def test_skips_have_no_reason() -> None:
    assert {fault.reason for fault in SKIPS} == {""}
