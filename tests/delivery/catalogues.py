"""A store worker of another version: its catalogue is newer, and two reasons are exchanged in it."""

import re
import shutil
import sys
from pathlib import Path

import schemas
from schemas.reasons import CATALOGUE
from streams.classify.likeness import FILE
from tests.delivery.parts import WorkerProcess

ONE, OTHER = "mandatory_field_missing", "duplicate_record"
_PROGRAM = """
import pathlib, sys
sys.path.insert(0, {folder!r})
from schemas.reasons import CATALOGUE
from streams.classify import decide
weights = pathlib.Path({folder!r}, "likeness.tsv").read_text(encoding="utf-8")
other = decide.Likeness(weights, CATALOGUE)
decide.likeness = lambda: other
from streams.cli import main
main(["store"])
"""


def give_other(store: WorkerProcess, folder: Path) -> None:
    """From its next start on the worker has the other catalogue, which is written below `folder`."""
    copy = folder / "newer" / "schemas"
    shutil.copytree(Path(schemas.__file__).parent, copy)
    file = copy / "reasons.toml"
    text = _exchanged(file.read_text(), f'code = "{ONE}"', f'code = "{OTHER}"')
    file.write_text(text.replace(f"version = {CATALOGUE.version}\n", f"version = {CATALOGUE.version + 1}\n"))
    weights = _exchanged(FILE.read_text(encoding="utf-8"), ONE, OTHER)  # the names stand in its head alone
    (copy.parent / "likeness.tsv").write_text(weights, encoding="utf-8")
    store.command = [sys.executable, "-c", _PROGRAM.format(folder=str(copy.parent))]


def _exchanged(text: str, one: str, other: str) -> str:
    assert one in text and other in text
    return re.sub(f"{re.escape(one)}|{re.escape(other)}", lambda found: other if found[0] == one else one, text)
