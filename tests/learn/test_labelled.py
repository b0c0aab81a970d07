"""The labelled messages: each has a reason of the catalogue, and a mistake in a file is named by its line."""

from collections import Counter

import pytest

from schemas.reasons import CATALOGUE, CatalogueError
from tests.learn.labelled import labelled, load


def test_every_reason_has_messages_to_learn_from_and_none_has_two_reasons() -> None:
    found = labelled(CATALOGUE)
    seen = Counter(one.reason for one in found)
    assert set(seen) == set(CATALOGUE.by_code)
    assert min(seen.values()) >= 500
    assert len({one.message.lower() for one in found}) == len(found)


def test_empty_lines_are_passed_over_and_tabs_belong_to_the_message() -> None:
    assert load("a.tsv", "\nrate_limited\tToo\tmany\n", CATALOGUE) == [("rate_limited", "Too\tmany")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rate_limited", "a.tsv, line 1: must be a reason, a tab and a message, is 'rate_limited'"),
        ("\nrate_limited\t ", "a.tsv, line 2: must be a reason, a tab and a message"),
        ("rate_limit\tToo many", "a.tsv, line 1: 'rate_limit' is no reason of reasons.toml"),
    ],
)
def test_a_broken_line_is_refused_by_its_file_and_number(text: str, message: str) -> None:
    with pytest.raises(CatalogueError, match=message):
        load("a.tsv", text, CATALOGUE)
