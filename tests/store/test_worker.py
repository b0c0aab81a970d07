"""The worker on real Kafka and the real engine: an event is one row, a bad message one dead letter, whatever fails."""

import asyncio
import collections
import datetime as dt
import json
import signal
import urllib.request
from pathlib import Path

import pytest

from streams.kafka.partition import Position
from tests.delivery.proxy import Direction, Fault, FaultProxy
from tests.schemas.examples import invalid, valid
from tests.store.records import at, event, mark
from tests.store.stack import Stack, eventually, eventually_true, metric

pytestmark = pytest.mark.stack

TODAY = dt.datetime.now(dt.UTC).date()


def now() -> str:
    return at(dt.datetime.now(dt.UTC))


def some(number: int) -> list[bytes]:
    return [event(occurred_at=now()) for _ in range(number)]


def ids_of(values: list[bytes]) -> list[str]:
    return sorted(json.loads(value)["event_id"] for value in values)


async def is_announced(stack: Stack) -> bool:
    left = await stack.position()
    return left is not None and ":" in left.note


async def is_closed(stack: Stack) -> bool:
    left = await stack.position()
    return left is not None and ":" not in left.note


async def test_every_example_is_one_row_or_one_dead_letter_with_the_original_bytes(stack: Stack) -> None:
    accepted, refused = [e.value for e in valid(TODAY)], [e.value for e in invalid(TODAY)]
    neighbours = some(len(refused))
    before = metric("synclogs_records_consumed_total", worker="store")
    for good, bad in zip(neighbours, refused, strict=True):
        await stack.send(good, bad, headers=[("traceparent", b"00-ab")])
    await stack.send(*accepted)
    await stack.send(None)
    async with stack.worker() as worker:
        await stack.settled(0)
        assert worker.why_not_ready() == ""
    marks = [value for value in accepted if b'"sync_started"' in value or b'"sync_finished"' in value]
    assert stack.ids() == ids_of([*neighbours, *(value for value in accepted if value not in marks)])
    assert stack.ids("sync_marks") == ids_of(marks)
    letters = await stack.letters()
    assert collections.Counter(letter.value for letter in letters) == collections.Counter([*refused, None])
    wanted = collections.Counter([*(e.code for e in invalid(TODAY)), "empty_value"])
    codes = [dict(letter.headers)["__connect.errors.exception.class.name"].decode() for letter in letters]
    assert collections.Counter(codes) == wanted
    assert dict(stack.rows("SELECT code, count() FROM dead_letters GROUP BY code")) == wanted
    for letter in letters:
        headers = dict(letter.headers)
        offset = int(headers["__connect.errors.offset"])
        original = await stack.record(offset)
        assert (letter.value, letter.key, letter.timestamp) == (original.value, original.key, original.timestamp)
        assert letter.headers[: len(original.headers)] == original.headers
    total = len(neighbours) + len(refused) + len(accepted) + 1
    assert metric("synclogs_records_consumed_total", worker="store") - before == total


async def test_what_is_stored_is_what_was_sent(stack: Stack) -> None:
    sent = event(
        occurred_at=now(), status="failed", record_name="Ünïcode \x00 🙂", payload={"a": "\x00", "b": [1, 2.5, None]},
        errors=[{"code": "c", "message": "Contact with this email-id is already associated with this company"}, {}],
    )  # fmt: skip
    await stack.send(sent)
    async with stack.worker():
        await stack.settled(0)
    ((name, payload, codes, messages, reasons, reason, kafka_offset),) = stack.rows(
        "SELECT record_name, payload, error_codes, error_messages, error_reasons, reason, kafka_offset "
        "FROM sync_records"
    )
    assert name == "Ünïcode \x00 🙂"
    assert json.loads(payload) == {"a": "\x00", "b": [1, 2.5, None]}
    assert (codes, messages[1]) == (["c", ""], "")
    assert reason == reasons[0] != "unclassified"
    assert kafka_offset == 0


async def test_every_partition_has_an_epoch_that_outlives_its_owners(stack: Stack) -> None:
    for partition in (0, 1):
        await stack.send(*some(3), partition=partition)
    async with stack.worker():
        await stack.settled(0, 1)
    epochs = [(await stack.position(partition) or Position(0)).note for partition in (0, 1)]
    assert len(set(epochs)) == 2
    await stack.send(*some(3))
    async with stack.worker():
        await stack.settled(0)
    await stack.left_at(Position(6, epochs[0]))


async def test_events_of_two_weeks_are_stored_once_each(stack: Stack) -> None:
    weeks = [dt.datetime.now(dt.UTC) - dt.timedelta(weeks=n) for n in (0, 1, 20)]
    sent = [event(occurred_at=at(week)) for week in weeks for _ in range(20)]
    await stack.send(*sent, mark(occurred_at=at(weeks[1])))
    async with stack.worker():
        await stack.settled(0)
    assert stack.ids() == ids_of(sent)
    assert len(stack.rows("SELECT DISTINCT toMonday(occurred_at) FROM sync_records")) == 3


async def test_while_clickhouse_is_away_everything_waits_and_then_goes_on(stack: Stack) -> None:
    with FaultProxy(stack.settings.clickhouse) as way:
        first, second = some(50), some(50)
        await stack.send(*first)
        async with stack.worker(clickhouse=way.url) as worker:
            await stack.settled(0)
            way.down()
            await stack.send(*second)
            await eventually_true(lambda: "does not answer" in worker.why_not_ready())
            assert stack.ids() == ids_of(first)
            way.heal()
            await stack.settled(0)
            await eventually_true(lambda: worker.why_not_ready() == "")
    assert stack.ids() == ids_of([*first, *second])


async def test_killed_after_the_insert_its_run_is_formed_again_and_no_row_is_doubled(
    stack: Stack, tmp_path: Path
) -> None:
    sent, bad = some(300), [b"broken %d" % number for number in range(20)]
    with FaultProxy(stack.settings.clickhouse) as way:
        async with stack.process(tmp_path / "a.log", clickhouse=way.url) as victim:
            await stack.send(*some(1))
            await stack.settled(0)
            already = stack.ids()
            way.hang(Direction.ANSWERS)
            await stack.send(*sent[:150], *bad, *sent[150:])
            # Stored by the server, and the worker does not know: the last moment before the close.
            await eventually_true(lambda: way.happened[Fault.HANG] > 0 and len(stack.ids()) > 1)
            victim.kill()
            victim.wait()
        await eventually(lambda: is_announced(stack))
        reformed = metric("synclogs_batches_reformed_total")
        # Behind the announced run, in time for whoever formed it carelessly.
        await stack.send(*(more := some(200)))
        async with stack.worker():
            await stack.settled(0)
    assert metric("synclogs_batches_reformed_total") == reformed + 1
    assert stack.ids() == sorted([*already, *ids_of([*sent, *more])])
    assert sorted(letter.value for letter in await stack.letters()) == sorted(bad)


async def test_answers_that_are_lost_double_nothing(stack: Stack) -> None:
    with FaultProxy(stack.settings.clickhouse) as way:
        sent = some(100)
        async with stack.worker(clickhouse=way.url):
            await stack.send(*some(1))
            await stack.settled(0)
            already = stack.ids()
            way.hang(Direction.ANSWERS)
            await stack.send(*sent, b"broken")
            await eventually_true(lambda: len(stack.ids()) > 1)
            way.heal()  # what hangs is reset now; what was taken will be sent again
            await stack.settled(0)
    assert stack.ids() == sorted([*already, *ids_of(sent)])
    assert [letter.value for letter in await stack.letters()] == [b"broken"]


async def test_sigterm_finishes_what_is_announced_and_exits_with_zero(stack: Stack, tmp_path: Path) -> None:
    async with stack.process(tmp_path / "a.log") as process:
        await stack.send(*(sent := some(500)))
        await eventually_true(lambda: len(stack.ids()) > 0)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 10) == 0
    await eventually(lambda: is_closed(stack))
    async with stack.worker():
        await stack.settled(0)
    assert stack.ids() == ids_of(sent)


async def test_a_second_worker_takes_over_a_partition_and_nothing_is_lost_or_doubled(stack: Stack) -> None:
    sent: list[bytes] = []
    async with stack.worker() as first:

        async def feed() -> None:
            while True:
                sent.extend(more := some(20))
                await stack.send(*more[:10], partition=0)
                await stack.send(*more[10:], partition=1)
                await asyncio.sleep(0.02)

        feeding = asyncio.create_task(feed())
        await eventually_true(lambda: len(stack.ids()) > 0)
        async with stack.worker() as second:
            await eventually_true(lambda: len(first.lanes.owned) == len(second.lanes.owned) == 1)
            seen = len(stack.ids())
            await eventually_true(lambda: len(stack.ids()) > seen + 100)
        await eventually_true(lambda: len(first.lanes.owned) == 2)
        feeding.cancel()
        await asyncio.wait({feeding})
        await stack.settled(0, 1)
    assert set(stack.ids()) >= set(ids_of(sent)[:-20])
    assert len(stack.ids()) == len(set(stack.ids()))


@pytest.mark.parametrize("position", [Position(5, "0a1b2c3d"), Position(2, "0a1b2c3d:9"), Position(3, "not ours")])
async def test_a_position_that_is_not_in_the_log_stops_its_partition_alone(stack: Stack, position: Position) -> None:
    await stack.send(*some(3), partition=0)
    await stack.commit(position)
    async with stack.worker() as worker:
        await stack.send(*(sent := some(3)), partition=1)
        await stack.settled(1)
        await eventually_true(lambda: metric("synclogs_partitions_halted", worker="store") == 1)
        await stack.send(*(more := some(3)), partition=1)
        await stack.settled(1)
        assert f"{stack.settings.records_topic}[0]" in worker.why_not_ready()
    assert stack.ids() == ids_of([*sent, *more])
    assert await stack.position() == position
    assert worker.exit_code == 0  # type: ignore[attr-defined]


async def test_records_that_were_deleted_before_they_were_read_stop_the_partition(stack: Stack) -> None:
    await stack.send(*some(5))
    await stack.commit(Position(1, "0a1b2c3d"))
    await stack.delete_before(3)
    async with stack.worker() as worker:
        await eventually_true(lambda: "begins at 3" in worker.why_not_ready())
    assert stack.ids() == []
    assert await stack.position() == Position(1, "0a1b2c3d")


async def test_too_many_dead_letters_in_a_row_stop_the_worker_before_they_are_settled(stack: Stack) -> None:
    good = some(5)
    await stack.send(*good, *[b"broken"] * 30)
    async with stack.worker(dead_letters_in_a_row=30) as worker:
        await eventually_true(lambda: worker.fault is not None)
    assert worker.exit_code == 1  # type: ignore[attr-defined]
    assert "30 messages in a row up to offset 34" in str(worker.fault)
    assert await stack.letters() == []
    assert stack.ids() == []
    async with stack.worker(dead_letters_in_a_row=31):
        await stack.settled(0)
    assert stack.ids() == ids_of(good)
    assert len(await stack.letters()) == 30


async def test_it_says_what_it_waits_for_and_goes_on_when_that_is_there(
    kafka: str, clickhouse: str, database: str
) -> None:
    stack = Stack(kafka, clickhouse, database, "waiting")
    async with stack.worker() as worker:
        await eventually_true(lambda: "topic records-waiting" in worker.why_not_ready())
        await stack.start()
        await stack.send(*(sent := some(3)))
        await stack.settled(0)
        assert worker.why_not_ready() == ""
    assert stack.ids() == ids_of(sent)
    await stack.stop()


async def test_without_kafka_it_waits_and_names_the_address(stack: Stack) -> None:
    async with stack.worker(kafka="127.0.0.1:1") as worker:
        await eventually_true(lambda: worker.why_not_ready() == "waits for Kafka at 127.0.0.1:1")
    assert worker.exit_code == 0  # type: ignore[attr-defined]


async def test_the_log_tells_where_metrics_are_and_they_tell_lag_and_position(stack: Stack, tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    async with stack.process(log):
        await stack.send(*some(7), b"broken")
        await stack.settled(0)
        started = json.loads(next(line for line in log.read_text().splitlines() if '"started"' in line))

        def answer(path: str) -> str:
            return str(urllib.request.urlopen(started["metrics"] + path, timeout=5).read().decode())

        labels = f'{{partition="0",topic="{stack.settings.records_topic}",worker="store"}}'

        async def told() -> bool:
            text = await asyncio.to_thread(answer, "/metrics")
            lines = set(text.splitlines())
            return lines >= {
                f"synclogs_position{labels} 8.0",
                f"synclogs_lag_records{labels} 0.0",
                f"synclogs_lag_seconds{labels} 0.0",
                'synclogs_records_consumed_total{worker="store"} 8.0',
                'synclogs_rows_stored_total{table="sync_records"} 7.0',
                'synclogs_records_dead_lettered_total{code="invalid_json"} 1.0',
            }

        await eventually(told)
        assert await asyncio.to_thread(answer, "/readyz") == "ready\n"
