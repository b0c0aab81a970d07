"""Structured logs: one JSON line an incident, from the chosen level on, and libraries' own lines do not flood."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from streams import logs


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def test_an_incident_is_one_json_line_with_time_level_room_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    logs.log("store").warning("insert_retried", table="sync_records", partition=3)
    entry = json.loads(capsys.readouterr().err)
    assert entry.pop("timestamp").endswith("Z")
    wanted = {"event": "insert_retried", "level": "warning", "room": "store", "table": "sync_records", "partition": 3}
    assert entry == wanted


def test_what_is_below_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("warning")
    logs.log("store").info("started")
    logs.log("store").error("ended")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["ended"]


def test_an_error_keeps_its_traceback_within_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    try:
        raise ValueError("boom")
    except ValueError:
        logs.log("web").exception("request_failed")
    (line,) = capsys.readouterr().err.splitlines()
    assert "ValueError: boom" in json.loads(line)["exception"]


@pytest.mark.parametrize("level", ["debug", "info"])
def test_libraries_come_through_from_warning_on_as_json(capsys: pytest.CaptureFixture[str], level: str) -> None:
    logs.configure(level)
    logging.getLogger("aiokafka.conn").info("connected")
    logging.getLogger("aiokafka.conn").error("Unable connect to %s", "node 1")
    (entry,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert (entry["event"], entry["logger"], entry["level"]) == ("Unable connect to node 1", "aiokafka.conn", "error")


def test_a_command_shows_no_log_of_a_library_only_its_own_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("critical")
    logging.getLogger("aiokafka").error("Unable connect to node with id 1")
    logging.getLogger("clickhouse_connect").warning("retry")
    logs.log("kafka").warning("waiting")
    assert capsys.readouterr().err == ""


def test_a_logger_made_before_the_configuration_obeys_it(capsys: pytest.CaptureFixture[str]) -> None:
    early = logs.log("kafka")
    logs.configure("error")
    early.warning("waiting")
    assert capsys.readouterr().err == ""


def test_a_library_that_repeats_itself_is_heard_once(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    library = logging.getLogger("aiokafka")
    for number in range(1000):
        library.error("Unable connect to node with id %s", number)
    library.error("Another line")
    for _ in range(3):
        logs.log("count").error("ended")
    told = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert told == ["Unable connect to node with id 0", "Another line", "ended", "ended", "ended"]
