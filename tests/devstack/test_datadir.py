import json
import os
from pathlib import Path

import pytest

from streams.devstack.datadir import DataDirRefused, claim


def test_second_claim_is_refused_until_the_first_is_closed(tmp_path: Path) -> None:
    first = claim(tmp_path / "new", "kafka", "4.3.1")
    with pytest.raises(DataDirRefused, match=f"in use by process {os.getpid()}"):
        claim(tmp_path / "new", "kafka", "4.3.1")
    first.close()
    claim(tmp_path / "new", "kafka", "4.3.1").close()


def test_later_version_takes_the_directory_over_and_the_earlier_one_is_refused_then(tmp_path: Path) -> None:
    claim(tmp_path, "kafka", "4.3.1").close()
    claim(tmp_path, "kafka", "4.10.0").close()
    with pytest.raises(DataDirRefused, match=r"written by kafka 4\.10\.0, newer than 4\.9\.2 here"):
        claim(tmp_path, "kafka", "4.9.2")
    claim(tmp_path, "kafka", "4.10.7").close()


@pytest.mark.parametrize("layout, age", [(0, "an older"), (2, "a newer")])
def test_other_layout_is_refused(tmp_path: Path, layout: int, age: str) -> None:
    (tmp_path / "kafka.json").write_text(json.dumps({"layout": layout, "version": "4.3.1"}))
    with pytest.raises(DataDirRefused, match=f"has layout {layout}, of {age} version"):
        claim(tmp_path, "kafka", "4.3.1")


@pytest.mark.parametrize("text", ["", "[]", '{"layout": 1}', '{"layout": 1, "version": "four"}'])
def test_unreadable_stamp_is_refused_left_as_it_is_and_not_held(tmp_path: Path, text: str) -> None:
    (tmp_path / "kafka.json").write_text(text)
    with pytest.raises(DataDirRefused, match="cannot be read"):
        claim(tmp_path, "kafka", "4.3.1")
    assert (tmp_path / "kafka.json").read_text() == text
    (tmp_path / "kafka.json").write_text('{"layout": 1, "version": "4.3.1"}')
    claim(tmp_path, "kafka", "4.3.1").close()


def test_directory_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(DataDirRefused, match="is not empty"):
        claim(tmp_path, "kafka", "4.3.1")


def test_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataDirRefused, match="cannot be used"):
        claim(tmp_path / "file", "kafka", "4.3.1")
