"""The data directory of a stack: one stack at a time, a secret of its own, and what it remembers."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.devstack.stackdir import StackDir, read_secret
from streams.errors import StackError


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[StackDir]:
    made = StackDir(tmp_path)
    yield made
    made._lock.close()  # the end of the process does it otherwise


def test_a_second_stack_is_refused_while_the_first_holds_the_directory(folder: StackDir, tmp_path: Path) -> None:
    with pytest.raises(StackError, match=f"{tmp_path} is in use by process .*--data DIR"):
        StackDir(tmp_path)
    assert folder.log("kafka").parent.is_dir()


def test_a_directory_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(StackError, match=f"{tmp_path} is not empty"):
        StackDir(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_the_secret_stays_is_long_and_is_readable_by_its_owner_only(folder: StackDir, tmp_path: Path) -> None:
    secret = folder.secret()
    assert len(secret) >= 32
    assert folder.secret() == read_secret(tmp_path) == secret
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_a_directory_without_a_secret_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=f"SYNCLOGS_SECRET.*--data .*{tmp_path}"):
        read_secret(tmp_path)


def test_what_is_remembered_is_there_whole_and_nothing_half_is_left(folder: StackDir, tmp_path: Path) -> None:
    assert folder.remembered("history") is None
    for value in ({"done": False}, {"done": True}):
        folder.remember("history", value)
        assert folder.remembered("history") == value == json.loads((tmp_path / "history.json").read_text())
    assert not list(tmp_path.glob("*.new"))


def test_what_is_remembered_is_for_the_owner_only_since_it_may_hold_tokens(folder: StackDir, tmp_path: Path) -> None:
    folder.remember("stack", {"token": "t"})
    assert folder.remembered("stack") == {"token": "t"}
    assert stat.S_IMODE((tmp_path / "stack.json").stat().st_mode) == 0o600
