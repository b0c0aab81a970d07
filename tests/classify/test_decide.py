"""From errors to reasons: the known messages, precedence, and that caches neither grow nor change answers."""

import random

import pytest

from streams.classify import Classified, classify, decide, reason_of
from tests.classify.cold import forget
from tests.learn.labelled import known

KNOWN = known()


@pytest.mark.parametrize(("reason", "code", "message"), KNOWN)
def test_known_message(reason: str, code: str, message: str) -> None:
    assert reason_of("books_to_fsm", code, message) == reason


def test_a_record_counts_once_under_the_first_of_the_catalogue() -> None:
    errors = [
        ("", "Too many requests", ""),
        ("", "Contact Name cannot be empty.", "name"),
        ("", "frobnicated", ""),
        ("INVALID_TOKEN", "invalid oauth token", ""),
    ]
    assert classify("books_to_fsm", errors) == Classified(
        "authentication_failed",
        ("rate_limited", "mandatory_field_missing", "unclassified", "authentication_failed"),
    )


def test_a_record_without_errors_has_one_that_nobody_can_classify() -> None:
    assert classify("fsm_to_books", []) == Classified("unclassified", ("unclassified",))
    assert classify("fsm_to_books", [("", "", "")]) == Classified("unclassified", ("unclassified",))


def test_a_number_speaks_only_where_it_is_called_a_code_and_no_words_speak() -> None:
    assert reason_of("books_to_fsm", "", "HTTP status 429") == "rate_limited"
    assert reason_of("books_to_fsm", "", "frobnicated 429 times") == "unclassified"
    assert reason_of("books_to_fsm", "500", "The item already exists") == "duplicate_record"


def test_the_same_words_with_other_numbers_do_not_share_a_numbers_reason() -> None:
    forget()
    assert reason_of("books_to_fsm", "", "frobnicator said: code 429") == "rate_limited"
    assert reason_of("books_to_fsm", "", "frobnicator said: code 503") == "service_unavailable"
    assert reason_of("books_to_fsm", "", "frobnicator said: code 777") == "unclassified"


def test_caches_never_change_an_answer() -> None:
    order = list(range(len(KNOWN)))
    answers = []
    for seed in (1, 2):
        random.Random(seed).shuffle(order)
        forget()
        answers.append({at: reason_of("books_to_fsm", KNOWN[at][1], KNOWN[at][2]) for at in order})
    cold = {}
    for at in order:
        forget()
        cold[at] = reason_of("books_to_fsm", KNOWN[at][1], KNOWN[at][2])
    assert answers[0] == answers[1] == cold


def test_long_messages_are_not_kept_and_caches_stay_within_their_bounds() -> None:
    forget()
    reason_of("books_to_fsm", "", "Contact already exists. " + "x" * 8000)
    assert not decide._exact
    for number in range(60_000):
        reason_of("books_to_fsm", "", f"Contact {number} already exists")
    assert 0 < len(decide._exact) <= 40_000
    assert len(decide._blurred) <= 10


def test_the_cause_at_the_end_of_a_long_message_is_found() -> None:
    assert reason_of("books_to_fsm", "", "at line " * 900 + "Caused by: Contact already exists") == "duplicate_record"
