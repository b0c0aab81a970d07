"""The command, as a person meets it: help for everything, and one sentence instead of a traceback."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from streams.cli import main

NOBODY = "127.0.0.1:1"


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


ALL = list(commands(main))
IDS = [" ".join(path) for path, _ in ALL]


def run(*arguments: str, **environment: str) -> Result:
    clean = {name: None for name in os.environ if name.startswith("SYNCLOGS_")}
    return CliRunner().invoke(main, arguments, env={**clean, **environment}, catch_exceptions=False)


@pytest.mark.parametrize(("path", "command"), ALL, ids=IDS)
def test_every_command_says_what_it_does(path: tuple[str, ...], command: click.Command) -> None:
    told = run(*path, "--help")
    assert told.exit_code == 0
    assert command.help and command.help.splitlines()[0].rstrip().endswith((".", ":"))
    assert any(line.split()[:1] == [path[-1]] for line in run(*path[:-1], "--help").output.splitlines())


@pytest.mark.parametrize(("path", "command"), ALL, ids=IDS)
def test_every_option_says_what_it_does_or_shows_its_default(path: tuple[str, ...], command: click.Command) -> None:
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help or parameter.show_default, f"{' '.join(path)} {parameter.opts[0]}"


def test_the_commands_are_those_of_the_product() -> None:
    assert {"dev", "emit", "simulate", "count", "store", "web", "publish", "migrate", "check"} <= set(main.commands)


@pytest.mark.parametrize(
    "arguments",
    [["migrate"], ["check"], ["emit", "-"], ["simulate", "--events", "1"], ["count"], ["store"], ["publish"],
     ["publish", "--serve"], ["web"], ["token", "--tenant", "acme"], ["dev", "--once"]],
    ids=" ".join,
)  # fmt: skip
def test_a_wrong_setting_ends_every_command_with_2_and_one_sentence(arguments: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", *arguments], capture_output=True, text=True, timeout=60, cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        env={"SYNCLOGS_PARTITIONS": "many", "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"synclogs {arguments[0]}: SYNCLOGS_PARTITIONS is 'many': ")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == [], "nothing was begun"


@pytest.mark.parametrize("arguments", [["migrate", "--no-tables"], ["simulate", "--events", "1"]], ids=" ".join)
def test_an_unreachable_kafka_ends_a_command_with_2_and_one_sentence(arguments: list[str]) -> None:
    done = run(*arguments, SYNCLOGS_KAFKA=NOBODY)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"synclogs {arguments[0]}: Kafka at {NOBODY} does not answer")
    assert done.stderr.count("\n") == 1


def test_an_unreachable_clickhouse_ends_migrate_with_2_and_one_sentence() -> None:
    done = run("migrate", "--no-topics", SYNCLOGS_CLICKHOUSE=f"http://{NOBODY}")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"synclogs migrate: ClickHouse at http://{NOBODY} does not answer")
    assert done.stderr.count("\n") == 1


def test_check_names_everything_that_is_wrong_at_once_and_ends_with_1() -> None:
    done = run("check", SYNCLOGS_KAFKA=NOBODY, SYNCLOGS_CLICKHOUSE=f"http://{NOBODY}", SYNCLOGS_SECRET="short",
               SYNCLOGS_KAFKKA="x")  # fmt: skip
    told = done.stdout.splitlines()
    assert (done.exit_code, done.stderr, len(told)) == (1, "", 5)
    for word in ("SYNCLOGS_KAFKKA", f"Kafka at {NOBODY}", f"ClickHouse at http://{NOBODY}", "SYNCLOGS_SECRET"):
        assert any(line.startswith("- ") and word in line for line in told), word
    assert told[-1] == "something is to be done"


@pytest.mark.stack
def test_migrate_and_check_on_real_servers_are_repeatable_and_find_nothing(kafka: str, clickhouse: str) -> None:
    name = f"check_{os.getpid()}"
    servers = {
        "SYNCLOGS_KAFKA": kafka, "SYNCLOGS_CLICKHOUSE": clickhouse, "SYNCLOGS_DATABASE": name,
        "SYNCLOGS_RECORDS_TOPIC": f"records-{name}", "SYNCLOGS_DEAD_LETTERS_TOPIC": f"dead-{name}",
        "SYNCLOGS_COUNT_GROUP": name,
    }  # fmt: skip
    missing = run("check", **servers)
    assert missing.exit_code == 1 and missing.stdout.count("run `synclogs migrate`") == 4
    first, again = run("migrate", **servers), run("migrate", **servers)
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert f"records-{name}" in first.stdout and "0001_records" in first.stdout
    assert again.stdout.count("none, all are there") == 2
    check = run("check", **servers)
    assert (check.exit_code, check.stdout) == (0, "all is well\n")


def test_options_that_exclude_each_other_are_refused() -> None:
    done = run("publish", "--now", "--serve")
    assert done.exit_code == 2 and "exclude each other" in done.stderr
