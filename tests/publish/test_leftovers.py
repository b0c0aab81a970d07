"""Which attempts were replaced long enough ago that their rows may go."""

import datetime as dt

from streams.clickhouse.queries.leftovers import KEPT, replaced
from streams.clickhouse.queries.published import GRACE
from tests.publish.world import MONDAY

DAY = dt.timedelta(days=1)
LISTS = [(["a"], MONDAY), (["a", "b"], MONDAY + DAY), (["c"], MONDAY + 2 * DAY), (["c", "d"], MONDAY + 5 * DAY)]


def test_what_a_list_left_out_goes_a_day_after_that_list() -> None:
    assert replaced(LISTS, MONDAY + 3 * DAY - dt.timedelta(milliseconds=1)) == []
    assert replaced(LISTS, MONDAY + 3 * DAY) == ["a", "b"]
    assert replaced(LISTS, MONDAY + 90 * DAY) == ["a", "b"]


def test_what_only_grew_stays() -> None:
    assert replaced(LISTS[:2], MONDAY + 90 * DAY) == replaced([], MONDAY) == []


def test_links_end_before_the_rows_go() -> None:
    assert GRACE < KEPT
