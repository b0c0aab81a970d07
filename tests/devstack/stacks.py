"""A dev stack under test: started as a user would, and looked at through what it tells of itself."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
import urllib.response
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from streams.devstack.orphan import bound_to_parent

T = TypeVar("T")
START_SECONDS = 120


def until(what: str, look: Callable[[], T | None], seconds: float = 60) -> T:
    """The first true answer of `look`; fails with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


class DevStack:
    """`synclogs dev` as a process; `file` is its stack.json."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data = data
        command = [sys.executable, "-m", "streams.cli", "dev", "--data", str(data), "--port", "0", *options]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SYNCLOGS_")}
        self.output = (data.parent / f"{data.name}.out").open("w+b")
        self.process = subprocess.Popen(
            bound_to_parent(command), stdout=self.output, stderr=subprocess.STDOUT, env=environment
        )

    def text(self) -> str:
        return Path(self.output.name).read_text(errors="replace")

    @property
    def file(self) -> dict[str, Any]:
        return dict(json.loads((self.data / "stack.json").read_text()))

    def pids(self) -> dict[tuple[str, int], int]:
        return {(p["role"], p["number"]): p["pid"] for p in self.file["processes"]}

    def wait_ready(self) -> "DevStack":
        def look() -> bool:
            assert self.process.poll() is None, self.text()
            return "Ctrl-C ends it" in self.text()

        until("the stack is up", look, START_SECONDS)
        return self

    def environment(self) -> dict[str, str]:
        file = self.file
        return {**os.environ, "SYNCLOGS_KAFKA": file["kafka"], "SYNCLOGS_CLICKHOUSE": file["clickhouse"]}

    def run(self, *arguments: str) -> str:
        """A command of ours against this stack; its output. Fails with that where the exit code is not 0."""
        command = [sys.executable, "-m", "streams.cli", *arguments]
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def sql(self, query: str) -> list[str]:
        """The lines of a query's answer, as an analyst's browser gets them."""
        address = f"{self.file['clickhouse']}/?{urllib.parse.urlencode({'database': 'synclogs', 'query': query})}"
        with urllib.request.urlopen(address, timeout=30) as answer:
            return str(answer.read().decode()).splitlines()

    def get(self, path: str) -> urllib.response.addinfourl:
        file = self.file
        request = urllib.request.Request(file["web"] + path, headers={"Authorization": f"Bearer {file['token']}"})
        answer: urllib.response.addinfourl = urllib.request.urlopen(request, timeout=30)
        return answer

    def end(self, number: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(60)
        self.output.close()
        return code
