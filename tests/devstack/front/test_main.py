"""The front as a process: what it refuses, how it ends, and what it keeps."""

import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from streams.devstack.orphan import bound_to_parent

pytestmark = pytest.mark.stack

PROFILES = """<clickhouse>
  <profiles><default/></profiles>
  <users><default>
    <password/><profile>default</profile><quota>default</quota><networks><ip>::/0</ip></networks>
    <grants><query>GRANT SELECT ON d.*</query></grants>
    <databases><d><t><filter>id = 2</filter></t></d></databases>
  </default></users>
  <quotas><default/></quotas>
</clickhouse>"""


def command(data: Path, *options: str) -> list[str]:
    return bound_to_parent([sys.executable, "-m", "streams.devstack.front", "--data", str(data), *options])


@contextmanager
def front(data: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with subprocess.Popen(
        command(data, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def refused(data: Path, *options: str) -> str:
    """What a start that must fail says: one line."""
    run = subprocess.run(command(data, *options), capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (2, "", 1), run
    return run.stderr


def execute(address: str, statement: str) -> str:
    connection = http.client.HTTPConnection(urlsplit(address).netloc)
    try:
        connection.request("POST", f"/?query={quote(statement)}")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def make_table(address: str) -> None:
    for statement in (
        "CREATE DATABASE d",
        "CREATE TABLE d.t (id UInt8) ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 10",
        "INSERT INTO d.t SETTINGS insert_deduplication_token = 'a' VALUES (1), (2)",
    ):
        assert execute(address, statement) == ""


def test_sigterm_ends_it_with_code_0_and_keeps_its_data(tmp_path: Path) -> None:
    with front(tmp_path / "data") as (process, address):
        make_table(address)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stderr is not None and process.stderr.read() == ""
    with front(tmp_path / "data") as (_, address):
        assert execute(address, "SELECT count() FROM d.t") == "2\n"


def test_kill_9_loses_neither_rows_nor_tokens(tmp_path: Path) -> None:
    with front(tmp_path / "data") as (process, address):
        make_table(address)
        process.kill()
        process.wait(10)
    with front(tmp_path / "data") as (_, address):
        assert execute(address, "INSERT INTO d.t SETTINGS insert_deduplication_token = 'a' VALUES (1), (2)") == ""
        assert execute(address, "SELECT count() FROM d.t") == "2\n"


def test_restart_takes_the_same_port(tmp_path: Path) -> None:
    with front(tmp_path / "data") as (process, address):
        execute(address, "SELECT 1")
        process.kill()
        process.wait(10)
    with front(tmp_path / "data", "--port", str(urlsplit(address).port)) as (_, again):
        assert again == address


def test_running_request_is_answered_before_the_end(tmp_path: Path) -> None:
    slow = "SELECT number, sleepEachRow(0.1) FROM numbers(8) SETTINGS max_block_size = 1 FORMAT CSV"
    with front(tmp_path / "data") as (process, address):
        connection = http.client.HTTPConnection(urlsplit(address).netloc)
        connection.request("GET", f"/?query={quote(slow)}")
        answer = connection.getresponse()
        process.send_signal(signal.SIGTERM)
        assert answer.read().count(b"\n") == 8
        connection.close()
        assert process.wait(30) == 0


def test_data_directory_in_use_is_refused_with_its_holder(tmp_path: Path) -> None:
    with front(tmp_path / "data") as (process, address):
        assert f"data directory {tmp_path / 'data'} is in use by process {process.pid}" in refused(tmp_path / "data")
        assert execute(address, "SELECT 1") == "1\n"


def test_taken_port_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in refused(
            tmp_path / "data", "--port", str(port)
        )


@pytest.mark.parametrize(
    "stamp, why",
    [
        ({"layout": 1, "version": "99.1.2.3"}, "was written by clickhouse 99.1.2.3, newer than"),
        ({"layout": 0, "version": "26.9.1.1"}, "has layout 0, of an older version"),
        ({"layout": 2, "version": "26.9.1.1"}, "has layout 2, of a newer version"),
    ],
)
def test_data_directory_of_another_version_is_refused(tmp_path: Path, stamp: dict[str, object], why: str) -> None:
    (tmp_path / "clickhouse.json").write_text(json.dumps(stamp))
    assert why in refused(tmp_path)


def test_directory_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    assert f"{tmp_path} is not empty" in refused(tmp_path)


def test_missing_configuration_is_refused(tmp_path: Path) -> None:
    assert "--config nowhere.xml is no file" in refused(tmp_path, "--config", "nowhere.xml")


def test_rights_of_a_configuration_hold(tmp_path: Path) -> None:
    with front(tmp_path / "data") as (process, address):
        make_table(address)
        process.terminate()
        process.wait(10)
    users = tmp_path / "users.xml"
    users.write_text(PROFILES)
    (tmp_path / "config.xml").write_text(f"<clickhouse><users_config>{users}</users_config></clickhouse>")
    with front(tmp_path / "data", "--config", str(tmp_path / "config.xml")) as (_, address):
        assert execute(address, "SELECT id FROM d.t") == "2\n"
        assert "ACCESS_DENIED" in execute(address, "DROP TABLE d.t")
