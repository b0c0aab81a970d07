"""`synclogs emit`, as a person runs it: what was accepted, which lines were not and why, and nothing lost of either."""

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from streams import clock
from streams.config import Settings
from tests.ingest.conftest import messages

pytestmark = pytest.mark.stack


def event(**changes: Any) -> bytes:
    entry = {
        "event_id": str(uuid.uuid4()), "tenant_id": "acme", "sync_id": "S-1", "direction": "books_to_fsm",
        "module": "customers", "record_id": "R-1", "operation": "create", "status": "success",
        "occurred_at": clock.rfc3339(clock.now()),
    }  # fmt: skip
    return json.dumps(entry | changes).encode()


def mark(**changes: Any) -> bytes:
    entry = {
        "event_id": str(uuid.uuid4()), "type": "sync_finished", "tenant_id": "acme", "sync_id": "S-1",
        "direction": "books_to_fsm", "occurred_at": clock.rfc3339(clock.now()), "records_total": 1,
    }  # fmt: skip
    return json.dumps(entry | changes).encode()


def emit(settings: Settings, *arguments: str, stdin: bytes = b"", cwd: Path | None = None) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", "emit", *arguments],
        input=stdin, capture_output=True, cwd=cwd, timeout=60,
        env={"SYNCLOGS_KAFKA": settings.kafka, "SYNCLOGS_RECORDS_TOPIC": settings.records_topic,
             "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    return done.returncode, done.stdout.decode(), done.stderr.decode()


async def test_events_and_marks_arrive_byte_for_byte_with_the_keys_of_the_contract(
    settings: Settings, tmp_path: Path
) -> None:
    lines = [event(record_id="R-7"), mark(), event(errors=None, unknown_field={"kept": "out"})]
    (tmp_path / "events.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    assert emit(settings, str(tmp_path / "events.ndjson")) == (0, "accepted 3, rejected 0\n", "")
    found = await messages(settings)
    assert sorted(record.value for record in found) == sorted(lines)
    assert sorted(record.key for record in found) == [b"acme:R-1", b"acme:R-7", b"acme:S-1"]
    assert [path.name for path in tmp_path.iterdir()] == ["events.ndjson"], "nothing was rejected"


async def test_rejected_lines_are_named_by_number_and_kept_with_their_bytes(settings: Settings, tmp_path: Path) -> None:
    bad = [b'{"half": ', event(direction="sideways"), b"\xff\xfe not text", event(record_id="")]
    lines = [event(), bad[0], b"", bad[1], event(record_id="last"), bad[2], bad[3]]
    (tmp_path / "events.ndjson").write_bytes(b"\r\n".join(lines))
    code, out, err = emit(settings, str(tmp_path / "events.ndjson"))
    assert (code, err) == (1, "")
    told = out.splitlines()
    assert [line.split(":")[0] for line in told[:-1]] == ["line 2", "line 4", "line 6", "line 7"]
    assert "direction" in told[1] and "record_id" in told[3]
    kept = tmp_path / "events.ndjson.rejected"
    assert told[-1] == f"accepted 2, rejected 4 (in {kept})"
    assert kept.read_bytes() == b"\n".join(bad) + b"\n"
    assert len(await messages(settings)) == 2


async def test_the_rejected_lines_can_be_mended_and_sent_again(settings: Settings, tmp_path: Path) -> None:
    good, wrong = event(), event(status="perhaps")
    (tmp_path / "a").write_bytes(good + b"\n" + wrong + b"\n")
    kept = tmp_path / "kept"
    assert emit(settings, str(tmp_path / "a"), "--rejected", str(kept))[0] == 1
    kept.write_bytes(kept.read_bytes().replace(b"perhaps", b"failed"))
    assert emit(settings, str(kept))[:2] == (0, "accepted 1, rejected 0\n")
    assert len(await messages(settings)) == 2


async def test_standard_input_is_read_and_a_last_line_without_a_line_break_counts(
    settings: Settings, tmp_path: Path
) -> None:
    code, out, _ = emit(settings, "-", stdin=event() + b"\n" + event(record_id="last"), cwd=tmp_path)
    assert (code, out) == (0, "accepted 2, rejected 0\n")
    code, out, _ = emit(settings, "-", stdin=b"nonsense", cwd=tmp_path)
    assert (code, out.splitlines()[-1]) == (1, "accepted 0, rejected 1 (in rejected.ndjson)")
    assert (tmp_path / "rejected.ndjson").read_bytes() == b"nonsense\n"
    assert len(await messages(settings)) == 2


@pytest.mark.parametrize("text", [b"", b"\n\n\r\n"])
def test_an_empty_file_is_no_mistake(settings: Settings, tmp_path: Path, text: bytes) -> None:
    (tmp_path / "empty").write_bytes(text)
    assert emit(settings, str(tmp_path / "empty")) == (0, "accepted 0, rejected 0\n", "")


async def test_more_lines_than_a_chunk_keep_their_numbers(settings: Settings, tmp_path: Path) -> None:
    lines = [event(record_id=f"R-{number}") for number in range(1, 1203)]
    lines[0] = lines[500] = lines[1199] = b"{}"
    (tmp_path / "many").write_bytes(b"\n".join(lines))
    code, out, _ = emit(settings, str(tmp_path / "many"))
    assert code == 1
    assert [line.split(":")[0] for line in out.splitlines()[:-1]] == ["line 1", "line 501", "line 1200"]
    assert len(await messages(settings)) == 1199


def test_of_many_rejected_lines_the_first_are_shown_and_the_others_counted(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"[]\n" * 1000)
    code, out, _ = emit(settings, str(tmp_path / "bad"))
    told = out.splitlines()
    assert (code, len(told)) == (1, 22)
    assert told[-2] == "and 980 more lines"
    assert (tmp_path / "bad.rejected").read_bytes() == b"[]\n" * 1000


def test_a_file_that_is_not_there_and_a_kafka_that_is_not_there_end_with_2(settings: Settings, tmp_path: Path) -> None:
    code, _, err = emit(settings, str(tmp_path / "nowhere"))
    assert code == 2 and "nowhere" in err and "Traceback" not in err
    (tmp_path / "one").write_bytes(event())
    away = settings.model_copy(update={"kafka": "127.0.0.1:1"})
    code, out, err = emit(away, str(tmp_path / "one"))
    assert (code, out) == (2, "")
    assert err.startswith("synclogs emit: Kafka at 127.0.0.1:1 does not answer") and err.count("\n") == 1


def test_a_place_for_rejected_lines_that_cannot_be_written_is_named(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"[]\n")
    for name in ("no/where", "bad"):
        code, out, err = emit(settings, str(tmp_path / "bad"), "--rejected", str(tmp_path / name))
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert err.startswith(f"synclogs emit: rejected lines can't be kept in {tmp_path / name}: ")
    assert (tmp_path / "bad").read_bytes() == b"[]\n", "what is read is never written to"
