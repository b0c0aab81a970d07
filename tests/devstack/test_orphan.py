"""Children that end with their parent. Each test stands a parent up as a process of its own, and kills it."""

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from streams.devstack.orphan import bound_to_parent

SLEEP = [sys.executable, "-c", "import signal; print(flush=True); signal.pause()"]

# Starts a bound child, prints the child's pid once the child is up, and waits to be killed.
PARENT = f"""
import signal, subprocess
from streams.devstack.orphan import bound_to_parent
child = subprocess.Popen(bound_to_parent({SLEEP!r}), stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
signal.pause()
"""


def wait_gone(pid: int) -> None:
    """Returns when the process has ended; the test's own timeout fails it otherwise."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([handle], [], [], 10)[0], f"process {pid} still lives"
    finally:
        os.close(handle)


def test_command_runs_in_the_launcher_s_place() -> None:
    run = subprocess.Popen(
        bound_to_parent([sys.executable, "-c", "import os; print(os.getpid())"]), stdout=subprocess.PIPE
    )
    assert int(run.communicate()[0]) == run.pid


def test_child_ends_when_its_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.kill()
        parent.wait()
        wait_gone(child)


def test_child_whose_parent_has_gone_already_does_not_run(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    started = tmp_path / "started"
    command = bound_to_parent([sys.executable, "-c", f"open({str(started)!r}, 'w')"])
    command[command.index(str(os.getpid()))] = str(gone.pid)
    assert subprocess.run(command).returncode == -9
    assert not started.exists()


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_missing_command_is_named(platform: str) -> None:
    command = on(platform, bound_to_parent(["/no/such/program"]))
    run = subprocess.run(command, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (127, "/no/such/program cannot be started: No such file or directory\n")


# Elsewhere than on Linux the launcher stays beside its command; Linux can play that, too.


def on(platform: str, command: list[str]) -> list[str]:
    """The launcher's command line as it would run on another platform."""
    script = (
        f"import sys; sys.platform = {platform!r}\n"
        "from streams.devstack.orphan import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    return [sys.executable, "-c", script, *command[3:]]


def test_elsewhere_the_launcher_passes_sigterm_on_and_tells_how_the_command_ended() -> None:
    with subprocess.Popen(on("darwin", bound_to_parent(SLEEP)), stdout=subprocess.PIPE) as launcher:
        assert launcher.stdout is not None
        launcher.stdout.readline()
        launcher.terminate()
        assert launcher.wait(10) == 128 + 15


def test_elsewhere_the_launcher_kills_the_command_when_the_parent_is_killed() -> None:
    pid = [sys.executable, "-c", "import os, signal; print(os.getpid(), flush=True); signal.pause()"]
    parent_code = f"""
import os, signal, subprocess, sys
from streams.devstack.orphan import bound_to_parent
command = {on("darwin", bound_to_parent(pid))!r}
command[command.index({str(os.getpid())!r})] = str(os.getpid())
child = subprocess.Popen(command)
signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", parent_code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        command = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        wait_gone(command)
