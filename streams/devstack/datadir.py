"""Who may open a data directory. A lock keeps a second process out, and a stamp tells which layout and version wrote
it, so that a directory of another version is refused before the server touches it. Used by Kafka's node and the front.
"""

import fcntl
import json
import os
from pathlib import Path
from typing import IO

from streams.errors import StackError

LAYOUT = 1


class DataDirRefused(StackError):
    """The directory cannot be opened; the text says why and what to do."""


def claim(data: Path, part: str, version: str) -> IO[str]:
    """Locks and stamps `data` for one part, made if missing; the lock holds until it is closed or the process ends.

    `version` is the part's own, such as '4.3.1': data moves on to a later major or minor number, never back.
    Raises DataDirRefused where another process has it, another version wrote it, or it holds something else.
    """
    lock_name, stamp = f"{part}.lock", data / f"{part}.json"
    try:
        data.mkdir(parents=True, exist_ok=True)
        if not stamp.exists() and {path.name for path in data.iterdir()} - {lock_name, stamp.with_suffix(".tmp").name}:
            raise DataDirRefused(f"{data} is not empty and no data directory of {part}: choose another --data")
        lock = _lock(data, data / lock_name)
        try:
            _check(stamp, part, version)
            _write(stamp, version)
        except BaseException:
            lock.close()
            raise
    except OSError as error:
        raise DataDirRefused(f"data directory {data} cannot be used: {error.strerror or error}") from None
    return lock


def _lock(data: Path, path: Path) -> IO[str]:
    lock = path.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise DataDirRefused(
            f"data directory {data} is in use by process {holder}: stop it or choose another --data"
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _check(stamp: Path, part: str, version: str) -> None:
    if not stamp.exists():
        return
    try:
        found = json.loads(stamp.read_text())
        layout, written_by = int(found["layout"]), str(found["version"])
        newer = _release(written_by) > _release(version)
    except (ValueError, KeyError, TypeError):
        raise DataDirRefused(f"{stamp} cannot be read: restore it or choose another --data") from None
    if layout != LAYOUT:
        age = "an older" if layout < LAYOUT else "a newer"
        raise DataDirRefused(
            f"data directory {stamp.parent} has layout {layout}, of {age} version of this program, "
            f"which reads layout {LAYOUT}: use that version or choose another --data"
        )
    if newer:
        raise DataDirRefused(
            f"data directory {stamp.parent} was written by {part} {written_by}, newer than {version} here: "
            "use that version or choose another --data"
        )


def _write(stamp: Path, version: str) -> None:
    fresh = stamp.with_suffix(".tmp")
    fresh.write_text(json.dumps({"layout": LAYOUT, "version": version}))
    os.replace(fresh, stamp)


def _release(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)
