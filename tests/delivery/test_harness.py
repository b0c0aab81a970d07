"""The harness keeps its promises: the same seed is the same schedule, a fault that never happened is told, the ledger
knows the fate of each message, and the parts do what scenarios rely on."""

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.decode import decode
from schemas.topics import TopicSpec
from streams import clock
from streams.kafka import clients, topics
from tests.delivery import schedule
from tests.delivery.ledger import Ledger, Outcome
from tests.delivery.mix import Mix, unsent
from tests.delivery.parts import Kafka, fake_clock, shifted
from tests.delivery.processes import Blow, Child, Found, until
from tests.delivery.rest import problems_at_rest
from tests.delivery.schedule import Choice, Step
from tests.delivery.stack import Stack
from tests.store.records import Record

MENU = [
    Choice("kill", "store 1", weight=3),
    Choice("freeze", "count 1", ranges={"seconds": (1, 3)}),
    Choice("hold", "kafka way", ranges={"seconds": (0.5, 2)}, arguments={"direction": "answers"}),
]


# Schedules


class Striker:
    """A target on which only some faults have an effect."""

    def __init__(self, *works: str) -> None:
        self.happened: Counter[str] = Counter()
        self.asked: list[tuple[float, str, dict[str, Any]]] = []
        self._works, self._began = works, time.monotonic()

    async def inject(self, fault: str, **arguments: Any) -> None:
        self.asked.append((time.monotonic() - self._began, fault, arguments))
        self.happened[fault] += fault in self._works


def test_the_same_seed_gives_the_same_schedule_and_another_seed_another() -> None:
    first = schedule.draw(7, 60, MENU, every=2)
    assert first == schedule.draw(7, 60, MENU, every=2)
    assert first != schedule.draw(8, 60, MENU, every=2)
    assert len(first) == 30
    assert first == sorted(first, key=lambda step: step.at)
    assert {step.fault for step in first} == {"kill", "freeze", "hold"}
    freeze = next(step for step in first if step.fault == "freeze")
    assert 1 <= freeze.arguments["seconds"] <= 3


def test_a_schedule_is_printed_with_the_command_that_repeats_it(capsys: pytest.CaptureFixture[str]) -> None:
    schedule.announce(7, [Step(1.5, "hold", "kafka way", {"seconds": 0.5})], "python -m tests.delivery --seed 7")
    assert capsys.readouterr().out == (
        "seed 7; again with: python -m tests.delivery --seed 7\n     1.500 s  kafka way        hold       seconds=0.5\n"
    )


async def test_steps_happen_at_their_times_with_their_arguments() -> None:
    target = Striker("kill", "freeze")
    steps = [Step(0.1, "freeze", "one", {"seconds": 2}), Step(0.02, "kill", "one")]
    assert await schedule.run(steps, {"one": target}) == []
    (first, kill, none), (second, freeze, arguments) = target.asked
    assert (kill, none, freeze, arguments) == ("kill", {}, "freeze", {"seconds": 2})
    assert 0.02 <= first < 0.1 <= second < 1


async def test_a_fault_that_never_happened_is_a_problem_even_if_it_happened_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(schedule, "TRY_SECONDS", 0.3)
    target = Striker("kill")
    target.happened["freeze"] = 5
    steps = [Step(0, "kill", "one"), Step(0, "freeze", "one")]
    assert await schedule.run(steps, {"one": target}) == ["freeze of one was in the schedule and never happened"]
    assert [fault for _, fault, _ in target.asked].count("freeze") > 1  # it might have met somebody later


# What is sent


def test_good_messages_are_events_and_bad_ones_are_refused_and_carry_their_marker() -> None:
    mix = list(islice(unsent(3, Mix(bad=0.2, again=0.1)), 4000))
    now = clock.now_ms()
    for message in mix:
        found = decode([Record(value=message.value, timestamp=now)])
        assert bool(found.refused) != message.good, message
        if message.good:
            assert orjson.loads(message.value)["event_id"] == message.event_id
        else:
            assert message.event_id.encode() in message.value
    markers = [m.event_id for m in mix if not m.good]
    assert 600 < len(markers) == len(set(markers)) < 1000
    ids = [m.event_id for m in mix if m.good]
    assert 300 < len(ids) - len(set(ids)) < 500


def test_the_mix_has_the_share_of_failures_asked_for_and_marks_can_be_left_out() -> None:
    some = [orjson.loads(m.value) for m in islice(unsent(3, Mix(failures=0.5, marks=False)), 2000)]
    assert 900 < sum(event["status"] == "failed" for event in some) < 1100
    assert len({event["tenant_id"] for event in some}) > 2
    assert {event["direction"] for event in some} == {"books_to_fsm", "fsm_to_books"}
    assert any(event.get("type", "record") != "record" for event in map(
        orjson.loads, (m.value for m in islice(unsent(3, Mix()), 2000)))
    )  # fmt: skip


def test_the_same_seed_sends_the_same_events_unless_told_otherwise() -> None:
    def ids(seed: int, mix: Mix) -> list[str]:
        return [m.event_id for m in islice(unsent(seed, mix), 200)]

    assert ids(5, Mix()) == ids(5, Mix()) != ids(6, Mix())
    first = ids(5, Mix(same_ids=False))
    time.sleep(0.002)
    assert not set(first) & set(ids(5, Mix(same_ids=False)))


def test_history_lies_within_the_days_asked_for() -> None:
    events = [orjson.loads(m.value) for m in islice(unsent(3, Mix(history_days=30)), 2500)]
    times = sorted(event["occurred_at"] for event in events)
    assert times[0] > clock.rfc3339(clock.from_ms(clock.now_ms() - 31 * 86_400_000 - 86_400_000))
    assert times[0][:10] != times[-1][:10]
    assert times[-1] < clock.rfc3339(clock.now())


# Processes


def sleeper(folder: Path, code: str = "import time; time.sleep(60)") -> Child:
    return Child("sleeper", [sys.executable, "-c", code], {}, folder / "sleeper.log")


async def test_a_blow_counts_only_when_somebody_was_there_to_get_it(tmp_path: Path) -> None:
    child = sleeper(tmp_path)
    assert child.kill() is None
    child.start()
    assert child.freeze() == child.pid
    child.thaw()
    child.kill()
    assert await child.ended() == -signal.SIGKILL
    assert child.terminate() is None
    assert child.happened == {Blow.FREEZE: 1, Blow.KILL: 1}


async def test_a_supervised_child_comes_back_until_it_is_ended(tmp_path: Path) -> None:
    child = sleeper(tmp_path)
    child.start()
    child.supervise()
    first = child.pid
    await child.inject("kill")

    async def back() -> bool:
        return child.pid not in (None, first)

    await until("it is back", back)
    assert child.exit_codes == [-signal.SIGKILL]
    await child.end()
    assert child.pid is None


async def test_a_process_that_dies_in_the_middle_of_its_answer_has_not_answered(tmp_path: Path) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        writer.close()

    async with await asyncio.start_server(half, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        file = tmp_path / "stack.json"
        file.write_text(json.dumps({"processes": [
            {"role": "count", "number": 1, "pid": os.getpid(), "metrics": f"http://127.0.0.1:{port}/metrics"}
        ]}))  # fmt: skip
        assert await Found(file, "count", 1).get("/metrics") == (0, "")


async def test_a_child_knows_nothing_of_our_settings_but_what_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNCLOGS_KAFKA", "elsewhere:1")
    code = "import os; print(sorted(n for n in os.environ if n.startswith('SYNCLOGS')))"
    child = Child("one", [sys.executable, "-c", code], {"SYNCLOGS_DATABASE": "x"}, tmp_path / "log")
    child.start()
    assert await child.ended() == 0
    assert child.log.read_text() == "['SYNCLOGS_DATABASE']\n"


@pytest.mark.skipif(fake_clock() is None, reason="missing: package faketime")
async def test_a_shifted_clock_is_seen_by_that_process_alone_and_never_by_its_timers(tmp_path: Path) -> None:
    code = "import time; a = time.monotonic(); time.sleep(0.2); print(time.time(), time.monotonic() - a)"
    child = Child("one", [sys.executable, "-c", code], shifted("-1d"), tmp_path / "log")
    child.start()
    assert await child.ended() == 0
    then, slept = map(float, child.log.read_text().split())
    assert abs(time.time() - 86_400 - then) < 20
    assert 0.2 <= slept < 5


async def test_processes_of_a_stack_that_is_up_are_found_by_role_under_their_present_pid(tmp_path: Path) -> None:
    child = sleeper(tmp_path)
    child.start()
    file = tmp_path / "stack.json"
    about: dict[str, Any] = {
        "kafka": "127.0.0.1:9", "clickhouse": "http://127.0.0.1:9", "database": "d",
        "topics": {"records": "r", "dead_letters": "l"}, "groups": {"count": "c", "store": "s"},
        "processes": [{"role": "store", "number": 1, "pid": child.pid, "metrics": "http://127.0.0.1:7/metrics"}],
    }  # fmt: skip
    file.write_text(json.dumps(about))
    stack = Stack.from_file(file)
    assert (stack.settings.records_topic, stack.settings.store_group, stack.settings.database) == ("r", "s", "d")
    found = stack.processes["store 1"]
    assert isinstance(found, Found)
    assert found.metrics_address == "http://127.0.0.1:7"
    assert found.kill() == child.pid
    assert await child.ended() == -signal.SIGKILL
    file.write_text(json.dumps({**about, "processes": []}))
    assert found.kill() is None
    assert found.happened == {"kill": 1}


# On real servers


@pytest.mark.stack
async def test_a_way_is_passed_by_all_traffic_of_a_client_that_was_given_it(stack: Stack, node: Kafka) -> None:
    way = node.ways[1]
    settings = stack.settings.model_copy(update={"kafka": way.address})
    producer = await clients.started(lambda: clients.idempotent_producer(settings), settings)
    try:
        for _ in range(2):
            before = way.passed.total()
            await producer.send_and_wait(settings.records_topic, os.urandom(10_000), partition=0)
            assert way.passed.total() > before + 10_000
            way.reset()
    finally:
        await producer.stop()
    assert way.happened["reset"] >= 1


@pytest.mark.stack
async def test_the_ledger_knows_what_kafka_has_through_resets_of_its_way_and_a_kill_of_the_broker(
    stack: Stack, node: Kafka, seed: int
) -> None:
    settings = stack.settings.model_copy(update={"kafka": node.ways[0].address})
    async with Ledger(settings, seed, Mix(bad=0.05)) as ledger, ledger.feeding(800):
        await asyncio.sleep(0.5)
        node.ways[0].reset()
        await asyncio.sleep(0.3)
        node.kill()
        node.start()
        await node.up()
        await asyncio.sleep(0.5)
    assert node.happened["kill"] >= 1
    log = (await stack.look()).messages
    there = Counter(message.value for message in log)
    acknowledged = ledger.having(Outcome.ACKNOWLEDGED)
    assert len(acknowledged) > 300
    assert [sent.event_id for sent in acknowledged if there[sent.value] != 1] == []
    assert set(there) <= {sent.value for sent in ledger.entries}


@pytest.mark.stack
async def test_the_ledger_tells_a_refusal_from_a_fate_that_nobody_knows(stack: Stack, node: Kafka, seed: int) -> None:
    small = TopicSpec(f"{stack.settings.records_topic}-small", 2, {"max.message.bytes": "70"})
    admin = await clients.started(lambda: clients.admin(stack.settings), stack.settings)
    await topics.create(admin, [small], 1)
    await admin.close()
    async with Ledger(stack.settings.model_copy(update={"records_topic": small.name}), seed) as ledger:
        await ledger.send(3)
        assert {sent.outcome for sent in ledger.entries} == {Outcome.REFUSED}
    through = stack.settings.model_copy(update={"kafka": node.ways[0].address})
    async with Ledger(through, seed, answer_seconds=2) as ledger:
        await ledger.send(10)
        node.ways[0].hang()
        await ledger.send(5)
        node.ways[0].heal()
        await ledger.send(10)
        outcomes = [sent.outcome for sent in ledger.entries]
    assert outcomes == [*[Outcome.ACKNOWLEDGED] * 10, *[Outcome.UNKNOWN] * 5, *[Outcome.ACKNOWLEDGED] * 10]
    assert ledger.renewed == 1


@pytest.mark.stack
async def test_without_a_fault_the_checkers_find_nothing(stack: Stack, seed: int) -> None:
    stack.worker("store")
    stack.worker("count")
    async with Ledger(stack.settings, seed, Mix(bad=0.02, again=0.05)) as ledger:
        await ledger.send(2000)
    assert await problems_at_rest(stack, ledger) == []
