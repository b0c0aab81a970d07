"""Each checker is proved: a planted defect is caught by it, and by no checker that has no part in it."""

import datetime as dt
from collections.abc import Sequence

import pytest

from tests.delivery.checkers import everything
from tests.delivery.checkers_counts import resent_copies
from tests.delivery.checkers_signs import expires
from tests.delivery.defects import DEFECTS, RIGHT, SNAPSHOT, Defect, entry
from tests.delivery.ledger import Outcome, Sent
from tests.delivery.rightworld import MINUTE, PASSWORD, D, right_entries, right_samples
from tests.delivery.sampler import Sample
from tests.delivery.world import World


def problems(world: World, entries: Sequence[Sent], samples: Sequence[Sample]) -> list[str]:
    return everything(world, entries, samples, [PASSWORD])


def test_a_right_world_has_no_problems() -> None:
    assert problems(RIGHT, right_entries(), right_samples()) == []
    assert problems(RIGHT, [], []) == []  # nor without a ledger, as far as it can be told


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.what)
def test_a_planted_defect_is_caught(defect: Defect) -> None:
    found = problems(defect.world, defect.entries, defect.samples)
    assert any(defect.words in problem for problem in found), found
    assert {problem.partition(":")[0] for problem in found} == defect.caught, found


def test_every_checker_is_proved() -> None:
    names = {"complete", "unique", "rows_faithful", "latest_state", "letters_faithful", "commit_safety", "live_counts",
             "published", "one_snapshot", "tenancy", "liveness", "metric_identity", "secrets", "retention"}  # fmt: skip
    assert names == set().union(*(defect.caught for defect in DEFECTS))


def test_what_is_not_known_may_be_there_or_not() -> None:
    unknown = entry(0, outcome=Outcome.UNKNOWN)
    assert problems(RIGHT, unknown, []) == []
    absent = [*right_entries(), right_entries()[0]._replace(event_id=D[::-1], outcome=Outcome.UNKNOWN)]
    assert problems(RIGHT, absent, []) == []


def test_the_copies_are_the_difference_that_the_reconciliation_has_to_show() -> None:
    assert resent_copies(RIGHT, right_entries()) == SNAPSHOT.difference


@pytest.mark.parametrize(
    ("occurred", "end"), [("2026-11-23", "2027-06-13"), ("2026-08-31", "2027-03-21"), ("2027-09-02", "2028-03-21")]
)
def test_rows_expire_when_the_tables_say(occurred: str, end: str) -> None:
    assert expires(_noon(occurred)) == _noon(end) - 12 * 60 * MINUTE


def _noon(date: str) -> int:
    return int(dt.datetime.fromisoformat(f"{date}T12:00:00+00:00").timestamp() * 1000)
