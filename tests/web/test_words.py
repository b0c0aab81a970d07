"""Words and links: what is said of a moment or a reason, and addresses that survive any Sync ID."""

import datetime as dt
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from schemas.reasons import CATALOGUE
from streams import clock
from streams.web import words


def test_a_moment_says_utc_and_carries_the_exact_time() -> None:
    at = dt.datetime(2026, 11, 3, 4, 5, 6, 789_000, clock.UTC)
    expected = '<time datetime="2026-11-03T04:05:06.789Z">3 Nov 2026, 04:05 UTC</time>'
    assert str(words.moment(at)) == str(words.moment(clock.to_ms(at))) == expected
    assert "–" in words.moment(None)


@pytest.mark.parametrize(
    "sync_id", ["plain", "a/b", "a?b#c", "100%", "ü 😀", '"><script>', "..x", "a&b=c", "failed.csv"]
)
def test_a_sync_id_comes_back_out_of_its_address(sync_id: str) -> None:
    path = urlsplit(words.csv_path("books_to_fsm", 7, sync_id, "duplicate_record"))
    assert unquote(path.path) == f"/sync-logs/books_to_fsm/syncs/{sync_id}/failed.csv"
    assert path.path.isascii() and not set(path.path) & set("\"<> '")
    assert parse_qs(path.query) == {"reason": ["duplicate_record"], "snapshot": ["7"]}


def test_the_present_page_of_a_file_an_api_address_and_a_page() -> None:
    assert words.present_page("/sync-logs/books_to_fsm/syncs/a b/failed.csv") == "/sync-logs/books_to_fsm/syncs/a%20b"
    assert words.present_page("/sync-logs/books_to_fsm/failed.csv") == "/sync-logs/books_to_fsm"
    assert words.present_page("/api/v1/fsm_to_books/syncs/x") == "/sync-logs/fsm_to_books"
    assert words.present_page("/sync-logs/fsm_to_books") == "/sync-logs/fsm_to_books"


def test_a_reason_that_left_the_catalogue_keeps_its_code() -> None:
    gone = words.reason("long_gone")
    assert (gone.code, gone.title) == ("long_gone", "long_gone")
    assert gone.owner == CATALOGUE.by_code["unclassified"].owner


def test_every_reason_shows_an_example_that_a_person_can_read() -> None:
    for reason in CATALOGUE.reasons:
        shown = words.examples(reason)
        assert len(shown) <= 3
        assert shown or not reason.positive, reason.code
