"""Connecting and asking: plain words where ClickHouse does not answer."""

import socket
import time

import pytest

from streams import config
from streams.clickhouse.client import Database, connect, wait_for
from streams.errors import StoreRefused, StoreUnavailable


def nobody() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_an_unreachable_clickhouse_is_one_sentence_with_its_address_and_what_to_do() -> None:
    address = nobody()
    with pytest.raises(StoreUnavailable) as raised:
        connect(config.load(clickhouse=address))
    assert str(raised.value).startswith(f"ClickHouse at {address} does not answer (")
    assert "SYNCLOGS_CLICKHOUSE" in str(raised.value)


def test_waiting_for_one_that_does_not_come_ends_in_time() -> None:
    started = time.monotonic()
    with pytest.raises(StoreUnavailable):
        wait_for(config.load(clickhouse=nobody()), 0.5)
    assert 0.4 < time.monotonic() - started < 10


@pytest.mark.stack
def test_rows_come_as_dictionaries_with_parameters_bound(tables: Database) -> None:
    text = "a 'quoted' name; DROP TABLE sync_records"
    assert tables.rows("SELECT {name:String} AS name, 1 AS one", name=text) == [{"name": text, "one": 1}]
    assert tables.value("SELECT count() FROM sync_records") == 0
    assert tables.value("SELECT 1 WHERE 0") is None


@pytest.mark.stack
def test_a_stream_gives_all_rows_in_blocks_without_holding_them(tables: Database) -> None:
    blocks = list(tables.stream("SELECT number FROM numbers(200000)", {"max_block_size": 10_000}))
    assert len(blocks) > 1
    assert sum(len(block) for block in blocks) == 200_000


@pytest.mark.stack
def test_a_stream_that_breaks_half_way_never_ends_as_if_it_were_complete(tables: Database) -> None:
    with pytest.raises((StoreRefused, StoreUnavailable)):
        for _ in tables.stream("SELECT throwIf(number = 190000) FROM numbers(200000)", {"max_block_size": 10_000}):
            pass


@pytest.mark.stack
def test_a_question_that_is_wrong_is_refused_with_the_code(tables: Database) -> None:
    with pytest.raises(StoreRefused, match="code 60 .*run `synclogs migrate`"):
        tables.rows("SELECT * FROM nowhere")


@pytest.mark.stack
def test_a_database_that_is_not_there_is_refused_with_what_to_do(tables: Database) -> None:
    gone = tables.settings.model_copy(update={"database": "nowhere"})
    with pytest.raises(StoreRefused, match="code 81 .*run `synclogs migrate`"):
        Database(gone).value("SELECT 1")
