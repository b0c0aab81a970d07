"""The syncs and tenants that simulated traffic tells of, and when."""

import itertools
from collections import Counter, defaultdict

import orjson
import pytest

from schemas.directions import DIRECTIONS
from streams.devstack.traffic import Traffic
from tests.devstack.traffic.history import EVENTS, Event, History, live

# The syncs


def test_a_sync_belongs_to_one_tenant_and_direction_and_carries_no_record_twice(syncs: dict[str, list[Event]]) -> None:
    for events in syncs.values():
        assert len({(event["tenant_id"], event["direction"]) for event in events}) == 1
        records = [(event["module"], event["record_id"]) for event in events if event["type"] == "record"]
        assert len(set(records)) == len(records)


def test_modules_are_those_of_the_direction_and_a_sync_may_carry_several(syncs: dict[str, list[Event]]) -> None:
    carried: Counter[int] = Counter()
    seen: dict[str, set[str]] = defaultdict(set)
    for events in syncs.values():
        modules = {event["module"] for event in events if event["type"] == "record"}
        carried[len(modules)] += 1
        seen[events[0]["direction"]] |= modules
    assert {code: set(DIRECTIONS[code].modules) for code in seen} == seen
    assert set(seen) == {"books_to_fsm", "fsm_to_books"}
    assert carried[1] > carried[2] > 0
    assert carried[3] > 0


def test_most_syncs_are_small_and_a_few_very_large(syncs: dict[str, list[Event]]) -> None:
    sizes = sorted(sum(event["type"] == "record" for event in events) for events in syncs.values())
    assert sizes[0] == 1
    assert sizes[len(sizes) // 2] < 10
    assert 3_000 < sizes[-1] <= 10_000


def test_several_syncs_run_at_the_same_time(history: History, traffic: Traffic) -> None:
    switches = sum(one["sync_id"] != two["sync_id"] for one, two in itertools.pairwise(history.events))
    assert switches > 1.5 * len({event["sync_id"] for event in history.events})
    assert len({orjson.loads(message.value)["sync_id"] for message in live(traffic, 100)}) > 5


def test_a_finished_sync_says_its_total_unless_it_is_meant_to_be_incomplete(syncs: dict[str, list[Event]]) -> None:
    verdicts: Counter[str] = Counter()
    for events in syncs.values():
        if len({event["type"] for event in events}) == 1:
            verdicts["never announced"] += 1
            continue
        assert events[0]["type"] == "sync_started"
        logged = sum(event["type"] == "record" for event in events)
        if events[-1]["type"] != "sync_finished":
            verdicts["not finished"] += 1
        else:
            assert events[-1]["records_total"] >= logged
            verdicts["complete" if events[-1]["records_total"] == logged else "lost some"] += 1
    announced = verdicts.total() - verdicts["never announced"]
    assert 0.92 < verdicts["complete"] / announced < 0.99
    assert min(verdicts["not finished"], verdicts["lost some"], verdicts["never announced"]) > 0


def test_syncs_end_in_every_way(syncs: dict[str, list[Event]]) -> None:
    ends: Counter[str] = Counter()
    for events in syncs.values():
        statuses = Counter(event["status"] for event in events if event["type"] == "record")
        if statuses["failed"] == statuses.total():
            ends["failed"] += 1
        else:
            ends["partly failed" if statuses["failed"] else "completed"] += 1
    assert min(ends["failed"], ends["partly failed"], ends["completed"]) > 50


# The tenants


def test_one_tenant_is_much_larger_and_there_is_a_long_tail(history: History, traffic: Traffic) -> None:
    shares = Counter(event["tenant_id"] for event in history.records)
    assert shares.most_common(1)[0][0] == traffic.largest == traffic.tenants[0]
    assert shares[traffic.largest] > 0.3 * EVENTS
    assert sum(shares[tenant] < EVENTS / 100 for tenant in traffic.tenants) > len(traffic.tenants) / 2


def test_tenants_stay_the_same_for_a_seed_and_a_larger_number_only_adds_to_them() -> None:
    assert Traffic(1, tenants=600).tenants[:40] == Traffic(1).tenants
    assert len(set(Traffic(1, tenants=600).tenants)) == 600
    assert Traffic(2).largest != Traffic(1).largest


def test_each_tenant_syncs_in_both_directions(history: History, traffic: Traffic) -> None:
    directions = {event["direction"] for event in history.events if event["tenant_id"] == traffic.largest}
    assert directions == {"books_to_fsm", "fsm_to_books"}


def test_history_is_busier_on_working_days(history: History) -> None:
    # 1970-01-01 was a Thursday.
    started = [m.occurred_ms for m, e in zip(history.messages, history.events, strict=True) if e["type"] != "record"]
    days = Counter((ms // 86_400_000 + 3) % 7 for ms in started)
    assert min(days[day] for day in range(5)) > 2 * max(days[5], days[6])


# Live


def test_live_events_occur_when_they_are_taken(traffic: Traffic) -> None:
    clock = [1_763_000_000.25]
    messages = traffic.live(lambda: clock[0])
    assert next(messages).occurred_ms == 1_763_000_000_250
    clock[0] += 3_600
    message = next(messages)
    assert message.occurred_ms == 1_763_003_600_250
    assert orjson.loads(message.value)["occurred_at"] == "2025-11-13T03:13:20.250Z"


def test_live_time_does_not_follow_a_clock_that_steps_back(traffic: Traffic) -> None:
    clock = [1_763_000_000.0]
    messages = traffic.live(lambda: clock[0])
    first = next(messages)
    clock[0] -= 60
    assert next(messages).occurred_ms == first.occurred_ms


@pytest.mark.parametrize("seed", range(3))
def test_large_syncs_leave_room_for_small_ones_in_live_traffic(seed: int) -> None:
    sync_ids = [orjson.loads(message.value)["sync_id"] for message in live(Traffic(seed), 60_000)]
    last = {sync_id: at for at, sync_id in enumerate(sync_ids)}
    first = {sync_id: at for at, sync_id in reversed(list(enumerate(sync_ids)))}
    large = [sync_id for sync_id, count in Counter(sync_ids).items() if count > 502]
    at_once = [sum(first[other] <= first[sync_id] <= last[other] for other in large) for sync_id in large]
    assert 2 <= max(at_once) <= 4
