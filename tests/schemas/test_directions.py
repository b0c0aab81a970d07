"""The directions: two for each pair of systems, with the words that the page shows."""

import pytest

from schemas.directions import CODES, DIRECTIONS, tabs


def test_the_codes_are_those_of_the_contract() -> None:
    assert {"books_to_fsm", "fsm_to_books", "crm_to_fsm", "fsm_to_crm"} == CODES


def test_a_direction_is_titled_by_its_systems() -> None:
    assert DIRECTIONS["books_to_fsm"].title == "Zoho Books/Invoice to Zoho FSM"
    assert DIRECTIONS["fsm_to_books"].title == "Zoho FSM to Zoho Books/Invoice"


@pytest.mark.parametrize("code", sorted(CODES))
def test_the_tabs_of_a_direction_are_both_ways_of_its_pair(code: str) -> None:
    one, other = tabs(code)
    assert code in (one.code, other.code)
    assert (one.source, one.target) == (other.target, other.source)
    assert one.modules and other.modules


def test_an_unknown_direction_has_no_tabs() -> None:
    with pytest.raises(KeyError):
        tabs("sideways")
