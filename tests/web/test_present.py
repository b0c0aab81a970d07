"""What is made of rows before it is shown: days without gaps, sums, bars."""

import datetime as dt

from streams import clock
from streams.web import present

CUT = dt.datetime(2026, 11, 23, tzinfo=clock.UTC)
SINCE = clock.to_ms(CUT - dt.timedelta(days=3))


def test_days_without_results_are_there_with_zeros() -> None:
    items = present.day_items([{"date": "2026-11-21", "ok": 3, "bad": 2, "left_out": 1}], SINCE, CUT)
    assert [item["day"] for item in items] == ["2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"]
    assert items[1] == {"day": "2026-11-21", "total": 6, "succeeded": 3, "failed": 2, "skipped": 1}
    assert items[2]["total"] == 0


def test_a_result_ahead_of_the_cut_is_shown_and_counted() -> None:
    """Clocks of tenants run ahead by a day at most: a period has no upper bound."""
    items = present.day_items([{"date": "2026-11-24", "ok": 1, "bad": 0, "left_out": 0}], SINCE, CUT)
    assert items[-1]["day"] == "2026-11-24"
    assert present.totals(items) == {"total": 1, "succeeded": 1, "failed": 0, "skipped": 0}


def test_a_single_failure_among_thousands_is_visible() -> None:
    items = present.day_items([{"date": "2026-11-21", "ok": 50_000, "bad": 1, "left_out": 0}], SINCE, CUT)
    bars = present.bars(items)
    assert [bar.x for bar in bars] == [0, 1, 2, 3]
    assert bars[0].parts == ()
    (_, _, succeeded), (status, top, failed) = bars[1].parts
    assert (status, failed, succeeded > 100, top >= 0) == ("failed", 1.0, True, True)
    assert bars[1].title == "Sat 21 Nov: 50000 succeeded, 1 failed, 0 skipped"


def test_no_results_at_all_make_no_bars_and_no_error() -> None:
    assert all(bar.parts == () for bar in present.bars(present.day_items([], SINCE, CUT)))
