"""Cursors: they come back from outside, so none is believed."""

import pytest

from streams.config import load
from streams.web.cursors import Cursors
from streams.web.problems import Problem

CURSORS = Cursors(load(secret="c" * 40))
LISTING: list[str | None] = ["syncs", "books_to_fsm", "26w"]


def test_a_cursor_brings_back_the_snapshot_and_the_place() -> None:
    cursor = CURSORS.make(7, "acme", LISTING, [5, "s-1"])
    assert CURSORS.snapshot(cursor) == 7
    assert CURSORS.after(cursor, "acme", LISTING) == [5, "s-1"]


def test_no_cursor_is_the_beginning() -> None:
    assert CURSORS.after(None, "acme", LISTING) is None
    assert CURSORS.after("", "acme", LISTING) is None


@pytest.mark.parametrize(("tenant", "listing"), [("globex", LISTING), ("acme", ["syncs", "books_to_fsm", "62d"])])
def test_a_cursor_of_another_tenant_or_list_is_refused(tenant: str, listing: list[str | None]) -> None:
    cursor = CURSORS.make(7, "acme", LISTING, [5, "s-1"])
    with pytest.raises(Problem, match="400"):
        CURSORS.after(cursor, tenant, listing)


@pytest.mark.parametrize(
    "change", [lambda c: c[:-1], lambda c: "x" + c, lambda c: "x", lambda c: "ü.ü", lambda c: c + c]
)
def test_a_changed_cursor_is_refused(change: object) -> None:
    assert callable(change)
    with pytest.raises(Problem, match="400"):
        CURSORS.snapshot(change(CURSORS.make(7, "acme", LISTING, [5, "s-1"])))


def test_a_cursor_signed_with_another_secret_is_refused() -> None:
    foreign = Cursors(load(secret="d" * 40)).make(7, "acme", LISTING, [5, "s-1"])
    with pytest.raises(Problem, match="400"):
        CURSORS.snapshot(foreign)
