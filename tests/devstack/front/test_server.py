"""The front as the workers meet it: through unmodified clickhouse-connect, and by bare HTTP where that hides things."""

import http.client
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import clickhouse_connect
import pytest
from clickhouse_connect.driver import AsyncClient
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError

pytestmark = pytest.mark.stack

TABLE = """CREATE TABLE t (id UInt64, name LowCardinality(String), at DateTime64(3, 'UTC'))
    ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100"""
NAMES = ["id", "name", "at"]
TYPES = ["UInt64", "LowCardinality(String)", "DateTime64(3, 'UTC')"]


def connect(address: str, database: str, compress: str | bool) -> Client:
    url = urlsplit(address)
    return clickhouse_connect.get_client(
        host=url.hostname or "", port=url.port or 0, database=database, compress=compress, autogenerate_session_id=False
    )


@pytest.fixture
def client(clickhouse: str, database: str) -> Iterator[Client]:
    with closing(connect(clickhouse, database, compress=False)) as client:
        client.command(TABLE)
        yield client


@pytest.fixture
async def async_client(clickhouse: str, database: str, client: Client) -> AsyncIterator[AsyncClient]:
    url = urlsplit(clickhouse)
    client_ = await clickhouse_connect.get_async_client(
        host=url.hostname or "", port=url.port or 0, database=database, autogenerate_session_id=False
    )
    yield client_
    await client_.close()


def columns(rows: int) -> list[list[Any]]:
    at = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
    return [list(range(rows)), [f"name\n'{n % 7}" for n in range(rows)], [at] * rows]


def insert(client: Client, rows: int, token: str) -> int:
    settings = {"insert_deduplication_token": token, "async_insert": 0}
    done = client.insert("t", columns(rows), NAMES, column_type_names=TYPES, column_oriented=True, settings=settings)
    return done.written_rows


def count(client: Client) -> int:
    return int(client.query("SELECT count() FROM t").result_rows[0][0])


class Raw:
    """Bare HTTP on one connection that is kept alive."""

    def __init__(self, address: str, database: str) -> None:
        url = urlsplit(address)
        self.connection = http.client.HTTPConnection(url.hostname or "", url.port)
        self.database = database

    def __call__(
        self, method: str, body: Any = None, headers: dict[str, str] | None = None, **params: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        path = "/?" + urlencode({"database": self.database, **params})
        self.connection.request(method, path, body, headers or {})
        answer = self.connection.getresponse()
        return answer, answer.read()


@pytest.fixture
def raw(clickhouse: str, database: str, client: Client) -> Iterator[Raw]:
    raw = Raw(clickhouse, database)
    yield raw
    raw.connection.close()


@pytest.mark.parametrize("compress", [False, "lz4", "zstd", "gzip"])
def test_rows_inserted_by_columns_come_back_unchanged(clickhouse: str, client: Client, compress: str | bool) -> None:
    with closing(connect(clickhouse, client.database or "", compress)) as writer:
        assert insert(writer, 30_000, "a") == 30_000
        back = writer.query("SELECT * FROM t ORDER BY id", column_oriented=True, tz_mode="aware").result_columns
    assert [list(column) for column in back] == columns(30_000)


def test_insert_under_a_known_token_adds_nothing(client: Client) -> None:
    insert(client, 10, "same")
    insert(client, 10, "same")
    assert count(client) == 10
    insert(client, 10, "other")
    assert count(client) == 20


async def test_async_client_inserts_and_reads(async_client: AsyncClient) -> None:
    await async_client.insert("t", columns(5), NAMES, column_type_names=TYPES, column_oriented=True)
    assert (await async_client.query("SELECT count() FROM t")).result_rows == [(5,)]


@pytest.mark.parametrize("value", ["a\tb", "a\nb", "a\\b", "a'b", "\\N", "", "é☃", "a\0b"])
def test_bound_parameters_arrive_as_they_were_sent(client: Client, value: str) -> None:
    sent = {"one": value, "many": [value, "x"]}
    assert client.query("SELECT {one:String}, {many:Array(String)}", parameters=sent).result_rows == [
        (value, [value, "x"])
    ]


def test_insert_select_and_values_are_commands(client: Client) -> None:
    client.command("INSERT INTO t SELECT number, 'x', now64() FROM numbers(100)")
    client.command("INSERT INTO t VALUES (1, ' FORMAT CSV ', now64())")
    assert count(client) == 101


def test_streamed_csv_has_its_header_once(client: Client) -> None:
    with client.raw_stream("SELECT number, 'a,b' AS name FROM numbers(200000)", fmt="CSVWithNames") as stream:
        lines = stream.read().splitlines()
    assert len(lines) == 200_001
    assert lines[0] == b'"number","name"'
    assert lines[-1] == b'199999,"a,b"'


def test_result_without_rows_still_names_its_columns(client: Client) -> None:
    empty = client.query("SELECT id, name FROM t WHERE id = {n:UInt64} SETTINGS max_threads = 1", parameters={"n": 1})
    assert (empty.column_names, empty.result_rows) == (("id", "name"), [])
    with client.raw_stream("SELECT id, name FROM t", fmt="CSVWithNames") as stream:
        assert stream.read() == b'"id","name"\n'


def test_error_has_its_status_number_and_text(client: Client, raw: Raw) -> None:
    with pytest.raises(DatabaseError, match="Unknown expression identifier `nope`"):
        client.query("SELECT nope FROM t")
    answer, text = raw("POST", "SELEC 1")
    assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (400, "62")
    assert text.startswith(b"Code: 62. DB::Exception: Syntax error")
    answer, _ = raw("GET", query="SELECT 1", nonsense="1")
    assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (404, "115")
    assert raw("GET", query="SELECT 1")[1] == b"1\n", "the connection goes on after an error"


FAILS_LATE = "SELECT throwIf(number = 500000) FROM numbers(1000000) SETTINGS max_threads = 1"


def test_failure_in_the_middle_of_a_stream_reaches_the_client(client: Client) -> None:
    with pytest.raises(StreamFailureError, match="Code: 395"), client.query_row_block_stream(FAILS_LATE) as blocks:
        for _ in blocks:
            pass


def test_failure_in_the_middle_of_a_stream_leaves_the_answer_unfinished(raw: Raw) -> None:
    with pytest.raises(http.client.IncompleteRead) as broken:
        raw("GET", query=FAILS_LATE + " FORMAT CSV")
    assert b"__exception__" in broken.value.partial
    assert broken.value.partial.count(b"0\n") > 1000, "rows had been sent before it"


def test_failure_in_the_first_chunk_has_a_status(raw: Raw) -> None:
    answer, _ = raw("GET", query="SELECT throwIf(number = 5) FROM numbers(10) FORMAT CSV")
    assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (500, "395")


def test_get_reads_without_password_and_cannot_write(raw: Raw, client: Client) -> None:
    insert(client, 3, "a")
    assert raw("GET", query="SELECT count() FROM t")[1] == b"3\n"
    for statement in ("DROP TABLE t", "INSERT INTO t VALUES (1, 'x', 0)", "INSERT INTO t SELECT * FROM t"):
        answer, _ = raw("GET", query=statement)
        assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (403, "164"), statement
    assert count(client) == 3


def test_requests_of_web_pages_and_of_other_names_are_refused(raw: Raw) -> None:
    answer, _ = raw("POST", "SELECT 1", {"Origin": "http://example.org"})
    assert answer.status == 403
    answer, _ = raw("POST", "SELECT 1", {"Host": "example.org"})
    assert answer.status == 403


def test_insert_may_come_in_chunks_with_its_statement_in_the_body(raw: Raw, client: Client) -> None:
    pieces = [b"INSERT IN", b"TO t FORM", b"AT CSV\r", b"\n1,a,2026-01-01\n2", b",b,2026-01-01\n"]
    answer, _ = raw("POST", iter(pieces))
    assert answer.status == 200
    assert client.query("SELECT id, name FROM t ORDER BY id").result_rows == [(1, "a"), (2, "b")]


def test_settings_of_the_address_hold_for_their_request_alone(raw: Raw) -> None:
    assert raw("GET", query="SELECT getSetting('max_threads')", max_threads="7")[1] == b"7\n"
    assert raw("GET", query="SELECT getSetting('max_threads') = 7")[1] == b"0\n"


def test_insert_whose_body_breaks_off_stores_nothing(clickhouse: str, client: Client) -> None:
    url = urlsplit(clickhouse)
    path = f"/?database={client.database}&query={quote('INSERT INTO t FORMAT CSV')}"
    with socket.create_connection((url.hostname or "", url.port or 0)) as connection:
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n1,a,1\n2,b,2\n".encode()
        )
    insert(client, 1, "later")
    assert client.query("SELECT id FROM t").result_rows == [(0,)]


def test_bad_rows_are_refused_and_store_nothing(raw: Raw, client: Client) -> None:
    answer, text = raw("POST", b"1,a,1\nx,b,1\n", query="INSERT INTO t FORMAT CSV")
    assert answer.status == 400
    assert b"Cannot parse" in text
    assert count(client) == 0


@pytest.mark.parametrize(
    ("table", "code", "stored"),
    [
        ("(x UInt8, CONSTRAINT small CHECK x < 5) ENGINE = MergeTree ORDER BY x", 469, 0),
        (
            "(x UInt8) ENGINE = MergeTree ORDER BY x SETTINGS parts_to_throw_insert = 1, parts_to_delay_insert = 1",
            252,
            1,
        ),
    ],
)
def test_rows_that_a_table_refuses_are_never_told_as_written(
    clickhouse: str, client: Client, table: str, code: int, stored: int
) -> None:
    """chDB's streaming insert reports them as written."""
    client.command("DROP TABLE IF EXISTS refusing")
    client.command(f"CREATE TABLE refusing {table}")
    for _ in range(stored):
        client.insert("refusing", [[9]], column_names=["x"])
    for _ in range(3):
        with pytest.raises(DatabaseError) as raised:
            client.insert("refusing", [[9]], column_names=["x"])
        assert raised.value.code == code
    assert client.command("SELECT count() FROM refusing") == stored
    client.command("DROP TABLE refusing")


def test_ping_answers(clickhouse: str, client: Client) -> None:
    assert client.ping()


def test_query_above_the_memory_limit_fails_alone(client: Client) -> None:
    with pytest.raises(DatabaseError, match="(?i)memory limit"):
        client.query(
            "SELECT length(groupArray(rand64())) FROM numbers(1000000000) SETTINGS max_memory_usage = 100000000"
        )
    assert client.query("SELECT 1").result_rows == [(1,)]
