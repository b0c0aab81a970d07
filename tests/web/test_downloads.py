"""The CSV files: every row that the count promised, or a connection that breaks."""

import csv
import io
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import quote, urlsplit

import httpx
import pytest

from streams.clickhouse.client import Database
from streams.config import load
from streams.web.app import create_app
from streams.web.downloads import BrokenOff, Download
from streams.web.failures import COLUMNS
from tests.web.conftest import SECRET, Web, running
from tests.web.seeded import CUT, DAY, DIRECTION, HOSTILE, NASTY, OTHER, SECOND, TENANT

BASE = f"/sync-logs/{DIRECTION}"


def rows_of(answer: httpx.Response) -> list[dict[str, str]]:
    """The rows of a good file, whose number its header told before."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    lines = list(csv.reader(io.StringIO(answer.content.decode(), newline="")))
    assert tuple(lines[0]) == COLUMNS
    assert all(len(line) == len(COLUMNS) for line in lines)
    assert answer.headers["x-row-count"] == str(len(lines) - 1)
    return [dict(zip(COLUMNS, line, strict=True)) for line in lines[1:]]


@pytest.mark.stack
def test_a_syncs_file_holds_its_failed_records(client: httpx.Client, web: Web) -> None:
    answer = client.get(f"{BASE}/syncs/big/failed.csv")
    rows = rows_of(answer)
    failed = {r.event_id for r in web.seed.of() if r.sync_id == "big" and r.status == "failed"}
    assert {row["event_id"] for row in rows} == failed
    assert len(rows) == len(failed)
    assert answer.headers["content-disposition"] == f'attachment; filename="failed-{DIRECTION}-big-snapshot-2.csv"'


@pytest.mark.stack
def test_a_reasons_file_holds_the_period_s_records_of_that_reason(client: httpx.Client, web: Web) -> None:
    for period, days in (("62d", 62), ("26w", 182)):
        for reason, records in web.seed.reasons(days).items():
            rows = rows_of(client.get(f"{BASE}/failed.csv", params={"reason": reason, "period": period}))
            assert (len(rows), {row["reason"] for row in rows}) == (records, {reason})
    assert len(rows_of(client.get(f"{BASE}/failed.csv"))) == web.seed.reasons(62).total()
    one = client.get(f"{BASE}/syncs/big/failed.csv", params={"reason": "duplicate_record"})
    assert 0 < len(rows_of(one)) < web.seed.sync("big")["failed"]


@pytest.mark.stack
def test_nothing_in_a_file_runs_when_it_is_opened(client: httpx.Client) -> None:
    answer = client.get(f"{BASE}/syncs/{quote(HOSTILE, safe='')}/failed.csv")
    rows = {row["record_id"]: row for row in rows_of(answer)}
    assert len(rows) == len(NASTY)
    for number, text in enumerate(NASTY):
        row = rows[f"r{number}"]
        guarded = "'" + text if text[0] in "=+-@\t" and text != "-5" else text.replace("\0", "\ufffd")
        assert (row["record_name"], row["error_2_message"], row["sync_id"]) == (guarded, guarded, HOSTILE)
    assert rows["r0"]["error_20_code"] == "'" + NASTY[0]
    assert b"\0" not in answer.content
    assert '"' not in answer.headers["content-disposition"].partition('filename="')[2].rstrip('"')


@pytest.mark.stack
def test_a_link_keeps_to_its_snapshot(client: httpx.Client) -> None:
    assert len(rows_of(client.get(f"{BASE}/failed.csv?snapshot=2&period=26w"))) > len(
        rows_of(client.get(f"{BASE}/failed.csv?snapshot=1&period=26w"))
    )


@pytest.mark.stack
def test_a_snapshot_that_is_gone_leads_to_the_present_page(client: httpx.Client) -> None:
    path = f"{BASE}/syncs/big/failed.csv?snapshot=77"
    assert (client.get(path).status_code, client.get(path).json()["link"]) == (410, f"{BASE}/syncs/big")
    in_browser = client.get(path, headers={"Accept": "text/html,*/*"})
    assert in_browser.status_code == 410
    assert f'href="{BASE}/syncs/big"' in in_browser.text


@pytest.mark.stack
def test_unknown_syncs_and_reasons_have_no_file(client: httpx.Client, web: Web) -> None:
    for path in ("syncs/never-was/failed.csv", "syncs/only-theirs/failed.csv", "failed.csv?reason=nonsense"):
        assert client.get(f"{BASE}/{path}").status_code == 404
    assert client.get(f"{BASE}/failed.csv?period=1y").status_code == 400
    with web.client(OTHER) as other:
        assert len(rows_of(other.get(f"{BASE}/syncs/sync-000/failed.csv"))) == 3
        assert other.get(f"{BASE}/syncs/big/failed.csv").status_code == 404


@pytest.mark.stack
def test_a_catalogue_reason_without_failures_is_a_file_without_rows(client: httpx.Client) -> None:
    assert rows_of(client.get(f"{BASE}/failed.csv?reason=plan_limit_reached")) == []
    assert rows_of(client.get(f"{BASE}/syncs/sync-001/failed.csv")) == []


@pytest.mark.stack
def test_before_the_first_publication_a_file_has_no_rows(empty: tuple[Database, Callable[[], httpx.Client]]) -> None:
    with empty[1]() as client:
        assert rows_of(client.get(f"{BASE}/failed.csv?reason=duplicate_record")) == []
        assert client.get(f"{BASE}/syncs/big/failed.csv").status_code == 404


async def test_a_file_with_fewer_rows_than_promised_is_broken_off() -> None:
    row: tuple[object, ...] = ("e", "s", "m", "r", "n", "create", 0, "unclassified", [], [], [], 1, "", [], "")
    closed: list[bool] = []

    def blocks() -> Iterator[list[tuple[object, ...]]]:
        try:
            yield [row, row]
        finally:
            closed.append(True)

    sent: list[dict[str, object]] = []

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        sent.append(message)

    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    scope = {"type": "http", "asgi": {"spec_version": "2.4"}}
    with pytest.raises(BrokenOff, match="2 rows were there of 3"):
        await Download(3, blocks(), "x.csv")(scope, receive, send)
    assert closed == [True]
    assert all(message.get("more_body", True) for message in sent), "the last piece must never be sent"


@contextmanager
def cut_after(address: str, most: int) -> Iterator[str]:
    """A way to `address` on which an answer of more than `most` bytes is cut off there."""
    target = urlsplit(address)
    listening = socket.create_server(("127.0.0.1", 0))

    def carry(client: socket.socket) -> None:
        with client, socket.create_connection((target.hostname, target.port)) as server:
            back = threading.Thread(target=answer, args=(server, client), daemon=True)
            back.start()
            with suppress(OSError):
                while data := client.recv(65_536):
                    server.sendall(data)
            back.join()

    def answer(server: socket.socket, client: socket.socket) -> None:
        carried = 0
        with suppress(OSError):
            while (data := server.recv(65_536)) and carried < most:
                client.sendall(data)
                carried += len(data)
        for end in (client, server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=carry, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.close()


_MANY = """INSERT INTO published_failures (attempt_id, snapshot, event_id, tenant_id, direction, sync_id, reason,
    occurred_at, record_name, payload)
SELECT {attempt:UUID}, 2, generateUUIDv4(), {tenant:String}, {direction:String}, 'long', 'unclassified',
    toDateTime64({at:String}, 3, 'UTC'), repeat('n', 500), repeat('p', 1500) FROM numbers(8000)"""


@pytest.mark.stack
def test_a_database_that_fails_half_way_breaks_the_download(web: Web) -> None:
    """The client must see a broken transfer: not an error text in the file, not a file that just ends."""
    with cut_after(web.settings.clickhouse, 3_000_000) as way:
        settings = load(clickhouse=way, database=web.settings.database, secret=SECRET)
        with running(create_app(settings)) as url, _many_failures(web), Web(url, settings, web.seed).client() as client:
            with client.stream("GET", "/sync-logs/crm_to_fsm/failed.csv?period=26w") as answer:
                assert (answer.status_code, answer.headers["x-row-count"]) == (200, "8000")
                received = b""
                with pytest.raises(httpx.RemoteProtocolError):
                    for piece in answer.iter_bytes():
                        received += piece
            assert 0 < received.count(b"\r\n") < 8_000
            assert b"Exception" not in received and b"ClickHouse" not in received
            assert client.get("/healthz").status_code == 200


@contextmanager
def _many_failures(web: Web) -> Iterator[None]:
    """8,000 failures of two kilobytes each in a direction that no other test looks at."""
    database = Database(web.settings)
    at = f"{CUT - DAY:%Y-%m-%d %H:%M:%S}"
    database.command(_MANY, uuid.uuid4().hex, attempt=SECOND, tenant=TENANT, direction="crm_to_fsm", at=at)
    yield
    database.command("ALTER TABLE published_failures DELETE WHERE direction = 'crm_to_fsm' SETTINGS mutations_sync = 1")


@pytest.mark.stack
def test_a_long_file_is_whole(web: Web, client: httpx.Client) -> None:
    with _many_failures(web):
        rows = rows_of(client.get("/sync-logs/crm_to_fsm/failed.csv?period=62d"))
    assert len({row["event_id"] for row in rows}) == 8_000
