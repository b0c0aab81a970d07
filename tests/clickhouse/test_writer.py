"""Inserts, against the real engine: once however often they are sent, and an error that says what to do."""

import asyncio
import threading
import time
from typing import Any

import pytest

from schemas import rows
from schemas.rows import TableColumns
from streams import logs
from streams.clickhouse.client import Database
from streams.clickhouse.writer import Writer, in_thread
from streams.errors import StoreRefused, StoreUnavailable
from tests.clickhouse.samples import MOMENT, sample
from tests.delivery.proxy import Fault, FaultProxy

pytestmark = pytest.mark.stack


def columns(count: int = 1, **values: Any) -> list[list[Any]]:
    """Rows of sync_records that differ in event_id only."""
    ids = [f"7d444840-9dc0-11d1-b245-{number:012x}" for number in range(count)]
    constant = sample(rows.SYNC_RECORDS) | values
    return [ids if name == "event_id" else [value] * count for name, value in constant.items()]


def test_an_insert_sent_twice_with_one_token_is_one(tables: Database) -> None:
    writer = Writer(tables.settings)
    for _ in range(3):
        writer.insert(rows.SYNC_RECORDS, columns(1000), "sync_records:topic:0:epoch:0-1000:2026-11-16")
    assert tables.value("SELECT count() FROM sync_records") == 1000


def test_the_same_rows_with_another_token_are_other_rows(tables: Database) -> None:
    writer = Writer(tables.settings)
    writer.insert(rows.SYNC_RECORDS, columns(10), "one")
    writer.insert(rows.SYNC_RECORDS, columns(10), "two")
    assert tables.value("SELECT count() FROM sync_records") == 20


def test_a_token_is_remembered_by_every_writer_and_every_table_for_itself(tables: Database) -> None:
    for _ in range(2):
        Writer(tables.settings).insert(rows.SYNC_RECORDS, columns(10), "token")
        marks = [[value] for value in sample(rows.SYNC_MARKS).values()]
        Writer(tables.settings).insert(rows.SYNC_MARKS, marks, "token")
    assert tables.value("SELECT count() FROM sync_records") == 10
    assert tables.value("SELECT count() FROM sync_marks") == 1


def test_an_insert_whose_answer_is_lost_is_one(tables: Database) -> None:
    """The client sends it again by itself, whatever its settings say: token and window make that harmless."""
    with FaultProxy(tables.settings.clickhouse) as way:
        writer = Writer(tables.settings.model_copy(update={"clickhouse": way.url}))
        writer.insert(rows.SYNC_RECORDS, columns(5), "first")
        way.mute(only=b"INSERT", times=1)
        try:
            writer.insert(rows.SYNC_RECORDS, columns(1000, sync_id="lost"), "lost")
        except StoreUnavailable:
            writer.insert(rows.SYNC_RECORDS, columns(1000, sync_id="lost"), "lost")
        assert way.happened == {Fault.MUTE: 1}
    assert tables.value("SELECT count() FROM sync_records WHERE sync_id = 'lost'") == 1000


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
@pytest.mark.parametrize("table", [rows.SYNC_RECORDS, rows.SYNC_MARKS], ids=lambda table: table.table)
def test_of_two_copies_of_an_event_the_first_arrival_stays_in_whatever_order_they_were_stored(
    tables: Database, table: TableColumns, order: tuple[int, int]
) -> None:
    writer = Writer(tables.settings)
    for copy in order:
        arrived = MOMENT.replace(second=copy)
        values = sample(table) | {"received_at": arrived, "kafka_offset": 10 - copy, "kafka_partition": 10 - copy}
        writer.insert(table, [[value] for value in values.values()], f"copy:{copy}")
    tables.command(f"OPTIMIZE TABLE {table.table} FINAL")
    (found,) = tables.rows(f"SELECT received_at, kafka_offset FROM {table.table}")
    assert (found["received_at"].second, found["kafka_offset"]) == (1, 9)


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_of_two_copies_of_the_same_millisecond_the_lower_partition_and_offset_stays(
    tables: Database, order: tuple[int, int]
) -> None:
    writer = Writer(tables.settings)
    for copy in order:
        values = sample(rows.SYNC_RECORDS) | {"kafka_partition": copy, "kafka_offset": 2**40 - copy}
        writer.insert(rows.SYNC_RECORDS, [[value] for value in values.values()], f"copy:{copy}")
    tables.command("OPTIMIZE TABLE sync_records FINAL")
    assert [row["kafka_partition"] for row in tables.rows("SELECT kafka_partition FROM sync_records")] == [1]


@pytest.mark.parametrize("order", [(7, 9), (9, 7)])
def test_a_live_count_of_an_earlier_position_never_replaces_a_later_one(
    tables: Database, order: tuple[int, int]
) -> None:
    writer = Writer(tables.settings)
    for position in order:
        values = sample(rows.LIVE_COUNTS) | {"position": position, "records": position}
        writer.insert(rows.LIVE_COUNTS, [[value] for value in values.values()], f"position:{position}")
    assert tables.rows("SELECT position, records FROM live_counts FINAL") == [{"position": 9, "records": 9}]


def test_a_table_that_is_not_there_is_refused_for_good_with_what_to_do(tables: Database) -> None:
    nowhere = rows.SYNC_RECORDS._replace(table="nowhere")
    with pytest.raises(StoreRefused, match="code 60 .*run `synclogs migrate`"):
        Writer(tables.settings).insert(nowhere, columns(), "token")


@pytest.mark.parametrize("attempt", ["many of Acme", -1, 2**16, None])
def test_a_value_that_does_not_fit_is_refused_for_good_and_written_nowhere_else(
    tables: Database, attempt: object, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("info")
    with pytest.raises(StoreRefused, match="column") as raised:
        Writer(tables.settings).insert(rows.SYNC_RECORDS, columns(attempt=attempt, record_name="Acme"), "token")
    assert "Acme" not in str(raised.value) + capsys.readouterr().err
    assert raised.value.__suppress_context__
    assert tables.value("SELECT count() FROM sync_records") == 0


async def test_the_loop_goes_on_while_an_insert_waits(tables: Database) -> None:
    with FaultProxy(tables.settings.clickhouse) as way:
        writer = Writer(tables.settings.model_copy(update={"clickhouse": way.url}))
        way.hold()
        task = asyncio.create_task(in_thread(lambda: writer.insert(rows.SYNC_RECORDS, columns(), "token")))
        await asyncio.sleep(0)
        started = time.monotonic()
        for _ in range(100):
            await asyncio.sleep(0.001)
        assert time.monotonic() - started < 5
        assert not task.done()
        way.heal()
        await asyncio.wait_for(task, 30)
    assert tables.value("SELECT count() FROM sync_records") == 1


async def test_what_a_thread_raises_comes_out_where_it_was_awaited() -> None:
    def fails() -> None:
        raise StoreRefused("no")

    with pytest.raises(StoreRefused, match="no"):
        await in_thread(fails)


async def test_a_call_that_nobody_awaits_any_more_ends_quietly() -> None:
    go, ended = threading.Event(), threading.Event()

    def hangs() -> None:
        go.wait(10)
        ended.set()

    task = asyncio.create_task(in_thread(hangs))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    assert await asyncio.to_thread(ended.wait, 10)
