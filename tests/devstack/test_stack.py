"""The main job, end to end: everything that `synclogs dev` promises, with processes that die while traffic flows."""

import json
import signal
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from schemas import topics
from streams import clock, config
from streams.ingest.emitter import Emitter
from tests.devstack.stacks import DevStack, alive, listens, until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400)]
ROLES = ("store", "count", "clickhouse", "web", "publish", "simulate", "kafka")
BACK_SECONDS = 20  # on a busy machine; what is promised of an idle one is 5


@pytest.fixture
def stack(kafka_jars: list[Path], tmp_path: Path) -> Iterator[DevStack]:
    stack = DevStack(tmp_path / "data", "--rate", "100", "--history", "2000").wait_ready()
    yield stack
    stack.end(signal.SIGKILL)


def told(metrics: str) -> bool:
    try:
        with urllib.request.urlopen(metrics, timeout=5) as answer:
            return b"synclogs_build_info" in answer.read()
    except OSError:
        return False


def event(tenant: str, number: int, **changes: object) -> tuple[str, bytes, bytes]:
    """An event's id, key and value; what was sent is known by the id."""
    name = str(uuid.uuid4())
    value = {
        "event_id": name, "tenant_id": tenant, "sync_id": "SYNC-LEDGER", "direction": "books_to_fsm",
        "module": "customers", "record_id": str(number), "operation": "create", "status": "success",
        "occurred_at": clock.rfc3339(clock.now()), **changes,
    }  # fmt: skip
    return name, topics.record_key(tenant, str(number)), orjson.dumps(value)


async def send(stack: DevStack, first: int, bad_every: int = 50) -> tuple[set[str], int]:
    """500 events, some of them bad: the ids of the good ones that Kafka accepted, and the number of bad ones."""
    good, bad = set(), 0
    async with Emitter(config.load(kafka=stack.file["kafka"])) as emitter:
        for number in range(first, first + 500):
            broken = number % bad_every == 0
            name, key, value = event("ledger", number, **({"status": "unheard"} if broken else {}))
            await emitter.send(key, value)
            bad += broken
            if not broken:
                good.add(name)
    assert emitter.accepted == emitter.sent == 500, emitter.errors
    return good, bad


async def test_processes_killed_under_traffic_come_back_and_nothing_is_lost_or_doubled(stack: DevStack) -> None:
    good, bad = await send(stack, 0)
    for turn, role in enumerate(ROLES, 1):
        killed = stack.pids()[role, 1]
        subprocess.run(["kill", "-9", str(killed)], check=True)
        until(f"{role} is dead", lambda pid=killed: not alive(pid))  # type: ignore[misc]
        back = until(
            f"{role} is back",
            lambda role=role, was=killed: stack.pids().get((role, 1)) not in (None, was),  # type: ignore[misc]
            BACK_SECONDS,
        )
        assert back
        until("Kafka listens", lambda: listens(stack.file["kafka"]))
        more, wrong = await send(stack, turn * 500)
        good, bad = good | more, bad + wrong
    simulate = until("the traffic is back", lambda: stack.pids().get(("simulate", 1)))
    subprocess.run(["kill", "-STOP", str(simulate)], check=True)
    until("store has taken everything", lambda: "snapshot" in stack.run("publish", "--now"), 120)
    stored = stack.sql("SELECT event_id FROM sync_records WHERE tenant_id = 'ledger'")
    assert len(stored) == len(set(stored)), "a row twice"
    assert set(stored) == good
    assert stack.sql("SELECT count() FROM dead_letters WHERE tenant_id = 'ledger'") == [str(bad)]
    assert stack.sql("SELECT count() = uniqExact(event_id) FROM sync_records") == ["1"]
    assert stack.sql("SELECT reconciliation FROM snapshots ORDER BY number DESC LIMIT 1") == ["exact"]


def test_its_file_names_live_processes_only_and_every_address_answers(stack: DevStack) -> None:
    file = stack.file
    assert {p["role"] for p in file["processes"]} == {*ROLES}
    assert all(alive(p["pid"]) and Path(p["log"]).exists() for p in file["processes"])
    for process in file["processes"]:
        if process["metrics"]:
            until(f"{process['role']} tells of itself", lambda address=process["metrics"]: told(address))  # type: ignore[misc]
    assert b"Sync" in stack.get("/sync-logs/books_to_fsm").read()
    assert json.loads(stack.get("/api/v1/books_to_fsm/summary").read())["snapshot"]["number"] == 1


def test_ctrl_c_leaves_no_process_and_a_second_start_has_the_same_data(kafka_jars: list[Path], tmp_path: Path) -> None:
    first = DevStack(tmp_path / "data", "--rate", "20", "--history", "1000").wait_ready()
    pids = first.pids().values()
    assert first.end(signal.SIGINT) == 0
    assert not [pid for pid in pids if alive(pid)]
    assert first.file["processes"] == []
    second = DevStack(tmp_path / "data", "--no-traffic").wait_ready()
    try:
        assert int(second.sql("SELECT count() FROM sync_records")[0]) >= 1000
        pids = second.pids().values()
        second.end(signal.SIGKILL)
        until("its children end with it", lambda: not [pid for pid in pids if alive(pid)], 10)
    finally:
        second.end(signal.SIGKILL)


def test_a_directory_in_use_is_refused_plainly(stack: DevStack) -> None:
    command = [sys.executable, "-m", "streams.cli", "dev", "--data", str(stack.data), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "in use" in done.stderr and "Traceback" not in done.stderr


def test_once_compares_everything_and_ends(kafka_jars: list[Path], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "streams.cli", "dev", "--once", "--history", "3000", "--data", str(tmp_path / "d")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "everything agrees" in done.stdout


def test_no_traffic_has_a_tenant_whose_events_reach_the_page(kafka_jars: list[Path], tmp_path: Path) -> None:
    stack = DevStack(tmp_path / "data", "--no-traffic").wait_ready()
    try:
        tenant = stack.file["tenant"]
        lines = [event(tenant, n, status="failed" if n % 3 == 0 else "success")[2] for n in range(30)]
        (tmp_path / "events.ndjson").write_bytes(b"\n".join(lines))
        assert "accepted 30" in stack.run("emit", str(tmp_path / "events.ndjson"))
        stack.run("publish", "--now")
        answer = stack.get("/sync-logs/books_to_fsm/syncs/SYNC-LEDGER/failed.csv")
        assert answer.headers["X-Row-Count"] == "10"
        assert len(answer.read().splitlines()) == 11
    finally:
        stack.end(signal.SIGKILL)

