"""What a run adds to the live counts.

hours        |   10   |   11   |   12   |   13   |
occurred          a b    c          d
entries      {10: 2}  {11: 1}  {12: 1}
"""

from itertools import islice

import pytest

from schemas.event import DAY_MS, HOUR_MS
from schemas.live import LIVE_HORIZON_MS
from streams.count.tally import Tally, split
from streams.devstack.traffic import Traffic, bad_values
from streams.store.columns import Rows
from tests.count.messages import NOON, Arrived, arrived, event, recount
from tests.store.records import Record

HOUR = NOON // 1000


def tally(*values: bytes, at: int = NOON) -> Tally:
    found = Tally()
    found.add(arrived(*values, at=at))
    return found


def test_results_are_counted_in_the_hour_they_occurred_in() -> None:
    #   11:00        12:00                    13:00
    #     |          a          b             c
    found = tally(event(NOON), event(NOON + HOUR_MS - 1), event(NOON + HOUR_MS))
    assert found.entries() == {
        (HOUR, "acme", "books_to_fsm", "s1"): {"success": 2},
        (HOUR + 3600, "acme", "books_to_fsm", "s1"): {"success": 1},
    }


def test_every_status_and_reason_has_a_number_of_its_own() -> None:
    unknown = [{"code": "X", "message": "zorp blick quux"}]
    found = tally(
        event(NOON), event(NOON, "skipped"), event(NOON, "failed"), event(NOON, "failed"),
        event(NOON, "failed", errors=[]), event(NOON, "failed", errors=unknown),
    )  # fmt: skip
    (shared,) = found.entries().values()
    counts = dict(shared)
    assert counts.pop("failed:unclassified") == 2
    assert counts.pop("success") == counts.pop("skipped") == 1
    ((label, number),) = counts.items()
    assert split(label) == ("failed", "mandatory_field_missing") and number == 2


UNKNOWN = "zorp blick quux "
KNOWN = "Contact with this email-id is already associated with this company"


@pytest.mark.parametrize(
    ("errors", "known"),
    [
        ([{"message": UNKNOWN * 800 + KNOWN}], False),
        ([{"message": KNOWN + ": " + UNKNOWN * 800}], None),
        ([{"message": "ü" * 4097 + KNOWN}], False),
        ([{"code": "c" * 200 + KNOWN, "message": UNKNOWN}], None),
        ([{"message": UNKNOWN}] * 20 + [{"message": KNOWN}], False),
        ([{"message": UNKNOWN}] * 19 + [{"message": KNOWN}], True),
        ([{"code": None, "message": None}], False),
        ([], False),
        (None, False),
    ],
)
def test_count_gives_the_reason_that_store_gives(errors: object, known: bool | None) -> None:
    value = event(NOON, "failed", errors=errors)
    rows = Rows("records", 0, lambda _, columns: columns)
    rows.add([Record(value, 0, NOON)])
    (insert,) = rows.inserts()
    ((reason,),) = [block[insert.table.names.index("reason")] for block in insert.blocks]
    (counts,) = tally(value).entries().values()
    assert counts == {f"failed:{reason}": 1}
    if known is not None:
        assert (reason != "unclassified") is known


def test_tenant_direction_and_sync_are_kept_apart() -> None:
    found = tally(
        event(NOON), event(NOON, tenant_id="b"), event(NOON, sync_id="s2"), event(NOON, direction="fsm_to_books")
    )
    assert len(found.entries()) == 4
    assert found.totals() == {("books_to_fsm", "success"): 3, ("fsm_to_books", "success"): 1}


def test_what_is_no_event_and_what_is_a_mark_is_not_counted() -> None:
    mark = (
        b'{"event_id":"11111111-1111-1111-1111-111111111111","type":"sync_started","tenant_id":"acme","sync_id":"s1",'
    )
    mark += b'"direction":"books_to_fsm","occurred_at":"2026-11-18T12:00:00Z"}'
    found = tally(b"{", b"", mark, event(NOON, status="unheard"), event(NOON))
    assert found.entries() == {(HOUR, "acme", "books_to_fsm", "s1"): {"success": 1}}
    assert found.messages == 5
    assert found.late == 0


@pytest.mark.parametrize(
    ("received", "late"),
    [(NOON + LIVE_HORIZON_MS, 0), (NOON + LIVE_HORIZON_MS + 1, 1), (NOON + LIVE_HORIZON_MS + 10 * DAY_MS, 1)],
)
def test_a_result_is_late_when_its_hour_began_more_than_15_days_before_its_arrival(received: int, late: int) -> None:
    #     hour                15 days              received
    #   |--------|-------------------------------->|          counted
    #   |--------|-------------------------------->.|         late
    found = tally(event(NOON + HOUR_MS - 1), at=received)
    assert found.late == late
    assert len(found.entries()) == 1 - late


def test_late_results_among_others_do_not_touch_them() -> None:
    old, new = event(NOON - 16 * DAY_MS, "failed"), event(NOON, "failed")
    found = tally(old, new, old, new, event(NOON))
    assert found.late == 2
    assert found.entries() == recount(arrived(new, new, event(NOON)))


def test_realistic_traffic_is_counted_as_one_by_one_however_it_is_cut() -> None:
    sent = list(Traffic(3).history(NOON - 20 * DAY_MS, NOON, 3_000))
    values = [message.value for message in sent] + [value for _, value in islice(bad_values(3), 50)]
    messages = [Arrived(value, number, NOON) for number, value in enumerate(values)]
    whole, cut = Tally(), Tally()
    whole.add(messages)
    for start in range(0, len(messages), 7):
        cut.add(messages[start : start + 7])
    assert whole.entries() == cut.entries() == recount(messages)
    assert whole.late == cut.late > 0


def test_the_tally_knows_the_times_of_what_it_holds() -> None:
    found = Tally()
    found.add(arrived(event(NOON), at=NOON + 5))
    found.add(arrived(event(NOON), at=NOON + 9))
    assert (found.oldest, found.latest, found.messages) == (NOON + 5, NOON + 9, 2)
