"""Simulated traffic as its receivers see it, message by message."""

import itertools
from collections import Counter

import orjson
import pytest

from schemas.decode import decode
from streams.devstack.traffic import Traffic
from streams.devstack.traffic.faults import OUTAGES
from tests.devstack.traffic.history import END_MS, START_MS, Arrived, Event, History, batches, live

# The messages


def test_the_same_arguments_give_the_same_bytes() -> None:
    first = list(Traffic(seed=3, tenants=9).history(START_MS, END_MS, 3_000))
    assert first == list(Traffic(seed=3, tenants=9).history(START_MS, END_MS, 3_000))
    assert live(Traffic(seed=3), 3_000) == live(Traffic(seed=3), 3_000)


def test_a_history_is_not_disturbed_by_another_one_between() -> None:
    traffic = Traffic(seed=3)
    alone = list(traffic.history(START_MS, END_MS, 500))
    interrupted = traffic.history(START_MS, END_MS, 500)
    start = list(itertools.islice(interrupted, 100))
    live(traffic, 500)
    assert start + list(interrupted) == alone


@pytest.mark.parametrize("events", [0, 1, 2, 999, 30_001])
def test_history_has_exactly_the_record_events_asked_for(traffic: Traffic, events: int) -> None:
    types = Counter(orjson.loads(message.value)["type"] for message in traffic.history(START_MS, END_MS, events))
    assert types["record"] == events


def test_history_is_in_order_of_time_and_within_its_bounds(history: History) -> None:
    times = [message.occurred_ms for message in history.messages]
    assert times == sorted(times)
    assert times[0] >= START_MS
    assert times[-1] < END_MS


@pytest.mark.parametrize("length_ms", [1, 1_000, 600_000, 3 * 3_600_000 + 1])
def test_a_short_history_stays_within_its_bounds(traffic: Traffic, length_ms: int) -> None:
    times = [message.occurred_ms for message in traffic.history(END_MS - length_ms, END_MS, 2_000)]
    assert times == sorted(times)
    assert END_MS - length_ms <= times[0] <= times[-1] < END_MS


def test_every_event_is_accepted_as_it_stands(history: History) -> None:
    arrived = [Arrived(value, offset, ms) for offset, (_, value, ms) in enumerate(history.messages)]
    accepted = 0
    for batch in batches(arrived, 500):
        decoded = decode(batch)
        assert decoded.refused == []
        accepted += len(decoded.events) + len(decoded.marks)
        assert decoded.occurred == decoded.received[: len(decoded.occurred)], "occurred_at says what occurred_ms says"
    assert accepted == len(history.messages)


def test_values_are_written_as_orjson_writes_them(history: History) -> None:
    assert all(
        orjson.dumps(event) == message.value for event, message in zip(history.events, history.messages, strict=True)
    )


def test_keys_spread_records_and_keep_the_marks_of_a_sync_together(history: History) -> None:
    for event, message in zip(history.events, history.messages, strict=True):
        part = event["record_id"] if event["type"] == "record" else event["sync_id"]
        assert message.key.decode() == f"{event['tenant_id']}:{part}"


def test_events_are_of_a_realistic_size(history: History) -> None:
    sizes = [
        len(message.value)
        for event, message in zip(history.events, history.messages, strict=True)
        if event["type"] == "record" and "payload" not in event
    ]
    assert 300 <= sum(sizes) / len(sizes) <= 450


def test_no_id_comes_twice_in_a_session_another_session_or_another_seed(traffic: Traffic, history: History) -> None:
    later = [orjson.loads(message.value) for message in live(traffic, 20_000)]
    restarted = [orjson.loads(message.value) for message in live(traffic, 20_000, start=1_763_000_000.5)]
    other = [orjson.loads(message.value) for message in Traffic(seed=8).history(START_MS, END_MS, 20_000)]
    sessions = (history.events, later, restarted, other)
    event_ids = [event["event_id"] for events in sessions for event in events]
    assert len(set(event_ids)) == len(event_ids)
    sync_ids = [{event["sync_id"] for event in events} for events in sessions]
    assert len(set().union(*sync_ids)) == sum(map(len, sync_ids))


# The results


@pytest.mark.parametrize(("seed", "events"), [(1, 5_000), (2, 5_000), (3, 5_000), (4, 10_000), (5, 30_000)])
def test_about_eight_per_cent_fail_and_two_are_skipped(seed: int, events: int) -> None:
    statuses = Counter(
        orjson.loads(message.value).get("status") for message in Traffic(seed).history(START_MS, END_MS, events)
    )
    assert 0.07 <= statuses["failed"] / events <= 0.09
    assert 0.01 <= statuses["skipped"] / events <= 0.03


def test_the_share_of_failures_holds_in_live_traffic(traffic: Traffic) -> None:
    statuses = Counter(orjson.loads(message.value).get("status") for message in live(traffic, 60_000))
    assert 0.07 <= statuses["failed"] / (statuses.total() - statuses[None]) <= 0.09


def test_failed_records_carry_one_to_five_errors_and_their_payload(history: History) -> None:
    failed = [event for event in history.records if event["status"] == "failed"]
    assert {len(event["errors"]) for event in failed} == {1, 2, 3, 4, 5}
    assert all(event["payload"]["id"] == event["record_id"] for event in failed)
    assert all(error["message"] and "{" not in error["code"] for event in failed for error in event["errors"])


def test_skipped_records_say_why_and_successes_have_no_errors(history: History) -> None:
    for event in history.records:
        if event["status"] == "skipped":
            assert event["errors"][0]["message"]
        elif event["status"] == "success":
            assert "errors" not in event
    successes = [event for event in history.records if event["status"] == "success"]
    assert sum("target_id" in event for event in successes) > 0.9 * len(successes)
    assert 0.01 < sum("payload" in event for event in successes) / len(successes) < 0.06
    assert {event["operation"] for event in history.records} == {"create", "update", "delete", "link"}


def test_the_documented_errors_are_the_most_frequent_of_the_pull_direction(history: History) -> None:
    first = Counter(
        event["errors"][0]["message"]
        for event in history.records
        if event["status"] == "failed" and event["direction"] == "books_to_fsm"
    )
    assert {message for message, _ in first.most_common(2)} == {
        "The following mandatory field(s) were left empty: Last Name",
        "Contact with this email-id is already associated with this company",
    }


def test_a_missing_last_name_is_missing_in_the_payload_too(history: History) -> None:
    empty = [
        event["payload"]["last_name"]
        for event in history.records
        if event["status"] == "failed" and event["module"] == "customers" and event["errors"][0]["field"] == "last_name"
    ]
    assert empty
    assert set(empty) == {""}


def test_what_fails_fits_the_kind_of_record(history: History) -> None:
    outages = {fault.message for fault in OUTAGES}
    messages = {
        error["message"]
        for event in history.records
        if event["status"] == "failed" and event["module"] in ("items", "services_and_parts")
        for error in event["errors"]
    }
    assert len(messages - outages) > 20
    assert not any(word in message for message in messages for word in ("Last Name", "email-id", "The customer"))


def test_failed_records_are_fixed_or_fail_again_in_a_later_sync(history: History) -> None:
    last: dict[tuple[str, str, str], Event] = {}
    fixed = failed_again = 0
    for event in history.records:
        record = (event["tenant_id"], event["module"], event["record_id"])
        if event["attempt"] > 1:
            assert last[record]["sync_id"] != event["sync_id"]
            fixed += event["status"] == "success"
            failed_again += event["status"] == "failed"
        last[record] = event
    assert fixed > 1_000
    assert failed_again > 1_000


def test_names_are_a_trial_for_a_csv(history: History) -> None:
    names = {event["record_name"] for event in history.records}
    assert {name[0] for name in names} >= set("=+-@\t")
    assert any('"' in name for name in names)
    assert any("," in name for name in names)
    assert any(not name.isascii() for name in names)
    assert "James Bilkin" in names


# Wrong arguments


@pytest.mark.parametrize(
    ("start", "end", "events", "words"),
    [(5, 5, 1, "end_ms 5 isn't after start_ms 5"), (0, 9, -1, "events is -1")],
)
def test_impossible_arguments_are_refused_at_once(
    traffic: Traffic, start: int, end: int, events: int, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        traffic.history(start, end, events)


def test_no_tenants_are_refused() -> None:
    with pytest.raises(ValueError, match="tenants is 0"):
        Traffic(1, tenants=0)
