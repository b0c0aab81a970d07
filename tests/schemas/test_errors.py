"""The labelled messages: each has a reason of the catalogue, and a mistake in the file is named by its line."""

from collections import Counter
from hashlib import sha256
from importlib.resources import files

import pytest

from schemas.errors import LABELLED, load
from schemas.reasons import CATALOGUE, CatalogueError

SINCE = 6
DIGEST = "c7bb76bd518d0b0aadf95bb26588da68f1c91efff47ae47c6e9d7d907cb6f586"


def test_every_reason_has_messages_to_learn_from_and_none_has_two_reasons() -> None:
    seen = Counter(one.reason for one in LABELLED)
    assert set(seen) == set(CATALOGUE.by_code)
    assert min(seen.values()) >= 50
    assert len({one.message for one in LABELLED}) == len(LABELLED)


def test_other_messages_need_another_catalogue_version() -> None:
    text = files("schemas").joinpath("examples", "errors.tsv").read_bytes()
    assert sha256(text).hexdigest() == DIGEST, "raise the version in reasons.toml, then write it and the digest here"
    assert CATALOGUE.version >= SINCE


def test_notes_and_empty_lines_are_passed_over_and_tabs_belong_to_the_message() -> None:
    assert load("# note\n\nrate_limited\tToo\tmany\n", CATALOGUE) == (("rate_limited", "Too\tmany"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rate_limited", "line 1: must be a reason, a tab and a message, is 'rate_limited'"),
        ("# note\nrate_limited\t ", "line 2: must be a reason, a tab and a message"),
        ("rate_limit\tToo many", "line 1: 'rate_limit' is no reason of reasons.toml"),
    ],
)
def test_a_broken_line_is_refused_by_its_number(text: str, message: str) -> None:
    with pytest.raises(CatalogueError, match=message):
        load(text, CATALOGUE)
