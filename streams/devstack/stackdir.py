"""The data directory of a whole dev stack: its logs, its secret, and what it must remember across restarts."""

import json
import os
import secrets
from pathlib import Path
from typing import Any

from streams.devstack.datadir import DataDirRefused, claim
from streams.errors import StackError

LAYOUT = "1.0"


class StackDir:
    """Holds the directory for this process until it ends, however it ends. StackError if another stack holds it, or
    another version wrote it."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        try:
            self._lock = claim(self.path, "devstack", LAYOUT)
            (self.path / "logs").mkdir(exist_ok=True)
        except DataDirRefused as error:
            raise StackError(str(error).replace("--data", "directory with --data DIR")) from None

    def log(self, name: str) -> Path:
        return self.path / "logs" / f"{name}.log"

    def secret(self) -> str:
        """What signs this stack's tokens; made at the first start, readable by its owner only."""
        file = self.path / "secret"
        if not file.exists():
            _write(file, secrets.token_urlsafe(48))
        return file.read_text()

    def remembered(self, name: str) -> Any:
        """What `remember` last wrote under this name, None at the first start."""
        file = self.path / f"{name}.json"
        return json.loads(file.read_text()) if file.exists() else None

    def remember(self, name: str, value: Any) -> None:
        """Written whole or not at all: a reader never sees half a file. For the owner only: some hold tokens."""
        _write(self.path / f"{name}.json", json.dumps(value, indent=1) + "\n")


def _write(file: Path, text: str) -> None:
    half = file.with_suffix(".new")
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)
    half.replace(file)


def read_secret(path: Path) -> str:
    """The secret of a stack that has run in `path`. StackError if none has."""
    try:
        return (path / "secret").read_text()
    except OSError:
        raise StackError(
            "no secret to sign with: set SYNCLOGS_SECRET, or name the data directory of a dev stack with --data "
            f"(there is none in {path})"
        ) from None
