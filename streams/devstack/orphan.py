"""Ends a process when its parent ends, also when the parent is killed with SIGKILL and can clean up nothing.

`bound_to_parent` turns a command into one that is bound to the calling process. On Linux this module then runs for an
instant, asks the kernel for SIGKILL at the parent's end and becomes the command (exec keeps both the pid and the
request). Elsewhere it stays, starts the command and watches the parent.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.2


def bound_to_parent(command: Sequence[str]) -> list[str]:
    """The command line that runs `command` until it ends or the calling process does.

    Start it from a thread that lives as long as the process, such as the main thread: Linux takes the end of the
    thread that started a child for the end of the parent.
    """
    return [sys.executable, "-m", "streams.devstack.orphan", str(os.getpid()), "--", *command]


def die_with_parent(parent: int) -> None:
    """Linux: has the kernel kill this process when process `parent`, which started it, ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # The parent may have ended before the request: the kernel would then never speak up.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def run_watched(command: Sequence[str], parent: int) -> int:
    """Runs `command` as a child, passes SIGTERM and SIGINT on, kills it when `parent` ends; returns its exit code."""
    child = subprocess.Popen(command)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: child.send_signal(received))

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        child.kill()

    threading.Thread(target=watch, daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


def main(arguments: Sequence[str]) -> int:
    """Runs `PARENT_PID -- COMMAND...`; returns only where it stays, or 127 where there is no such command."""
    parent, command = int(arguments[0]), list(arguments[2:])
    try:
        if sys.platform != "linux":
            return run_watched(command, parent)
        die_with_parent(parent)
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]} cannot be started: {error.strerror}", file=sys.stderr)
        return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
