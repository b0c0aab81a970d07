"""`synclogs reasons`: the catalogue, the reason of messages, unknown failures and drafts of rules."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from schemas.reasons import CATALOGUE
from streams import config
from streams.cli import main
from streams.clickhouse.client import Database
from streams.clickhouse.migrate import migrate
from tests.clickhouse.failed_rows import CUT, DAY, NOW, failed, pointer, published, put

DUPLICATE = "Contact with this email-id is already associated with this company"


def run(*arguments: str, input: str | bytes | None = None, **environment: str) -> Result:
    clean = {name: None for name in os.environ if name.startswith("SYNCLOGS_")}
    return CliRunner().invoke(
        main, ["reasons", *arguments], input=input, env={**clean, **environment}, catch_exceptions=False
    )  # fmt: skip


def test_the_list_has_every_reason_in_order_with_who_fixes_it() -> None:
    lines = run("list").output.splitlines()[1:]
    assert [line.split()[0] for line in lines] == [reason.code for reason in CATALOGUE.reasons]
    assert all(
        r.title in line and r.owner in line and r.retry in line
        for r, line in zip(CATALOGUE.reasons, lines, strict=True)
    )


def test_the_list_as_json_has_all_that_a_page_needs() -> None:
    entries = json.loads(run("list", "--json").output)
    assert [entry["code"] for entry in entries] == [reason.code for reason in CATALOGUE.reasons]
    assert entries[0].keys() >= {"code", "title", "meaning", "owner", "remedy", "retry", "retryable"}


@pytest.mark.parametrize("reason", CATALOGUE.reasons, ids=lambda reason: reason.code)
def test_a_reason_is_shown_whole(reason: object) -> None:
    entry = CATALOGUE.by_code[reason.code]  # type: ignore[attr-defined]
    told = run("show", entry.code).output
    for text in (entry.title, entry.meaning, entry.owner, entry.remedy, entry.retry, *entry.codes,
                 *(p.match for p in entry.patterns), *(e.message for e in entry.positive)):  # fmt: skip
        assert text in told


def test_an_unknown_reason_is_named_with_those_near_to_it() -> None:
    done = run("show", "duplicate_records")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("synclogs reasons: there is no reason 'duplicate_records'; there is duplicate_record")


def test_lines_come_with_and_without_a_direction_and_hold_tabs_themselves() -> None:
    told = run("classify", input=f"{DUPLICATE}\nbooks_to_fsm\t{DUPLICATE}\r\n\nfailed to\t{DUPLICATE}\nwhatever")
    assert told.output.splitlines() == ["duplicate_record"] * 2 + ["unclassified", "duplicate_record", "unclassified"]
    assert told.exit_code == 0


def test_a_wrong_direction_is_named_with_its_line_and_no_other_line_is_lost() -> None:
    done = run("classify", input=f"{DUPLICATE}\nsideways\t{DUPLICATE}\nbooks_to_fsm\t{DUPLICATE}\n")
    assert (done.exit_code, done.stdout) == (2, "duplicate_record\n\nduplicate_record\n")
    assert done.stderr.startswith("line 2: direction is 'sideways': write books_to_fsm, ")
    many = run("classify", input=f"sideways\t{DUPLICATE}\n" * 500)
    assert (many.stdout, many.stderr.count("\n")) == ("\n" * 500, 21)
    assert many.stderr.endswith("and 480 lines more whose direction is none\n")


def test_any_bytes_are_messages() -> None:
    done = run("classify", input=b"\xff\xfe\0\n\xc3\n" + b"x" * 3_000_000)
    assert (done.exit_code, done.stdout) == (0, "unclassified\n" * 3)
    assert run("classify", input="").stdout == ""


def test_messages_can_be_given_instead_of_lines() -> None:
    done = run("classify", DUPLICATE, f"books_to_fsm\t{DUPLICATE}", "", input="not read")
    assert done.stdout.splitlines() == ["duplicate_record", "duplicate_record", "unclassified"]
    assert json.loads(run("classify", "--explain", "no \udcff bytes").stdout)["template"] == "no \ufffd bytes"
    refused = run("classify", DUPLICATE, f"sideways\t{DUPLICATE}")
    assert (refused.exit_code, refused.stdout) == (2, "duplicate_record\n\n")
    assert "line 2: direction is 'sideways'" in refused.stderr


def test_what_spoke_for_a_reason_is_explained() -> None:
    done = run("classify", "--explain", input=f"books_to_fsm\t{DUPLICATE}\nnobody knows 17\n")
    known, unknown = map(json.loads, done.stdout.splitlines())
    assert known["reason"] == "duplicate_record" and known["by"].startswith("pattern ")
    assert (unknown["reason"], unknown["by"], unknown["template"]) == ("unclassified", "", "nobody knows #")


def test_an_answer_comes_for_each_line_as_it_comes() -> None:
    """A person or a program that waits for each answer before it writes the next line."""
    with subprocess.Popen(
        [sys.executable, "-m", "streams.cli", "reasons", "classify"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
    ) as process:  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        for _ in range(3):
            process.stdin.write(f"{DUPLICATE}\n")
            process.stdin.flush()
            assert process.stdout.readline() == "duplicate_record\n"
        process.stdin.close()
        assert process.wait(30) == 0


@pytest.fixture
def history(clickhouse: str, database: str) -> Iterator[dict[str, str]]:
    """Ten records: four published and one fresh of a humming gearbox, of two tenants; others."""
    settings = config.load(clickhouse=clickhouse, database=database)
    migrate(settings)
    tables = Database(settings)
    humming = [(f'Gearbox "L{n}" hums behind the curtain', "unclassified") for n in range(5)]
    rows = [failed("s-1", n, error, offset=n, tenant="acme" if n < 3 else "b") for n, error in enumerate(humming)]
    rows[0] |= {"occurred_at": NOW - 100 * DAY}
    put(tables, "published_failures", *map(published, rows[:4]))
    put(tables, "published_failures", published(failed("s-1", 7, ("too many requests", "rate_limited"), offset=7)))
    # Stored by an older catalogue: the present one knows it.
    put(tables, "published_failures", published(failed("s-2", 8, (DUPLICATE, "unclassified"), offset=8)))
    put(tables, "sync_records", rows[4] | {"kafka_offset": CUT + 4})
    hostile = ("\x1b[31mred\nwords \u202e", "unclassified")
    put(tables, "sync_records", failed("s-3", 9, hostile, humming[0], offset=CUT + 9))
    pointer(tables)
    yield {"SYNCLOGS_CLICKHOUSE": clickhouse, "SYNCLOGS_DATABASE": database}


@pytest.mark.stack
def test_unknown_failures_are_listed_by_template(history: dict[str, str]) -> None:
    found = json.loads(run("unknown", "--json", **history).stdout)
    assert (found["failed_records"], found["unrecognised_records"], found["recognised_now_errors"]) == (8, 7, 1)
    humming, red = found["templates"]
    assert (humming["number"], humming["template"]) == (1, "gearbox <value> hums behind the curtain")
    counts = ("records", "errors", "tenants", "syncs")
    assert [humming[name] for name in counts] == [5, 6, 2, 3] and [red[name] for name in counts] == [1, 1, 1, 1]
    assert humming["samples"][0].startswith('Gearbox "L') and humming["first_seen"] < humming["last_seen"]
    assert found["grouped_records"] == sum(t["records"] for t in found["templates"])


@pytest.mark.stack
def test_unknown_failures_are_told_in_words_that_a_terminal_can_show(history: dict[str, str]) -> None:
    done = run("unknown", **history)
    assert done.exit_code == 0
    assert done.stdout.startswith("8 failed records since ")
    assert "7 of them (87.5 %) have errors that were not recognised" in done.stdout
    assert "1 of these errors the present catalogue does recognise" in done.stdout
    assert (
        "5 records, 6 errors, 2 tenants, 3 syncs" in done.stdout
        and "1 record, 1 error, 1 tenant, 1 sync" in done.stdout
    )
    assert "\x1b" not in done.stdout and "\u202e" not in done.stdout and "\\x1b[31mred\\nwords" in done.stdout
    short = run("unknown", "--limit", "1", "--since", "50d", "--tenant", "b", **history).stdout
    assert "2 failed records of tenant b since " in short and "red" not in short
    assert "and 1 templates more, of 1 records: --limit shows them" in run("unknown", "--limit", "1", **history).stdout


@pytest.mark.stack
def test_a_draft_is_made_by_number_and_by_text_and_written_once(history: dict[str, str], tmp_path: Path) -> None:
    by_number = run("draft", "1", **history).stdout
    (rule,) = tomllib.loads(by_number)["reason"]
    assert "hums" in rule["patterns"][0] and len(rule["positive"]) > 1
    assert run("draft", "gearbox <value> hums behind the curtain", **history).stdout == by_number
    given = run("draft", 'Gearbox "Zz" hums behind the curtain', "--reason", "record_state_conflict", **history).stdout
    assert tomllib.loads(given)["reason"][0]["code"] == "record_state_conflict"
    file = tmp_path / "rule.toml"
    assert run("draft", "1", "--output", str(file), **history).exit_code == 0
    assert file.read_text() == by_number
    again = run("draft", "1", "--output", str(file), **history)
    assert (again.exit_code, "is there already" in again.stderr) == (2, True)


@pytest.mark.stack
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["draft", "99"], "template 99 is not there: `synclogs reasons unknown` has 1 to 2"),
        (["draft", "no such template"], "no unrecognised failure since 26w has the template 'no such template'"),
        (["draft", "1", "--reason", "nonsense"], "there is no reason 'nonsense'"),
        (["unknown", "--since", "yesterday"], "'yesterday' is no beginning: write a date like 2026-06-01"),
    ],
)
def test_what_can_not_be_done_is_said_in_a_sentence(history: dict[str, str], arguments: list[str], words: str) -> None:
    done = run(*arguments, **history)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("synclogs reasons: ") and words in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.stack
def test_a_database_without_failures_has_none(clickhouse: str, database: str) -> None:
    migrate(config.load(clickhouse=clickhouse, database=database))
    done = run("unknown", SYNCLOGS_CLICKHOUSE=clickhouse, SYNCLOGS_DATABASE=database)
    assert (done.exit_code, done.stdout.count("\n")) == (0, 1) and done.stdout.startswith("0 failed records")
