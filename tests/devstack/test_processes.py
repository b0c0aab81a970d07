import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from streams.devstack.processes import Backoff, Change, Running, Spec, Supervisor
from tests.devstack.test_orphan import wait_gone

QUICK = Backoff(first=0.01, most=0.05)
WAITS = "import signal; signal.pause()"


class Stack:
    """A supervisor and all that it told, with a way to wait for what it tells next."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.changes: list[Change] = []
        self._told = asyncio.Event()
        self.supervisor = Supervisor(self._tell, QUICK)

    def _tell(self, change: Change) -> None:
        self.changes.append(change)
        self._told.set()

    def spec(self, code: str, role: str = "web", number: int = 1, **env: str) -> Spec:
        return Spec(role, number, [sys.executable, "-c", code], self.folder / f"{role}-{number}.log", env)

    async def until(self, enough: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not enough():
                self._told.clear()
                await self._told.wait()

    @property
    def starts(self) -> list[Change]:
        return [change for change in self.changes if change.exit_code is None]

    @property
    def ends(self) -> list[Change]:
        return [change for change in self.changes if change.exit_code is not None]


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    stack = Stack(tmp_path)
    yield stack
    await stack.supervisor.stop(grace=0.1)


async def test_process_that_exits_with_0_is_started_again(stack: Stack) -> None:
    await stack.supervisor.start(stack.spec("print('here')"))
    await stack.until(lambda: len(stack.ends) >= 3)
    assert [end.exit_code for end in stack.ends[:3]] == [0, 0, 0]
    assert len({start.pid for start in stack.starts}) == len(stack.starts) >= 3
    assert (stack.folder / "web-1.log").read_text().startswith("here\nhere\n"), "output is appended"


async def test_killed_process_is_started_again_and_listed_with_its_new_pid(stack: Stack) -> None:
    spec = stack.spec(WAITS)
    first = await stack.supervisor.start(spec)
    assert stack.supervisor.running() == [Running(spec, first)]
    os.kill(first, signal.SIGKILL)
    await stack.until(lambda: len(stack.ends) == 1)
    assert str(stack.ends[0]) == (
        f"web 1 (pid {first}) ended: SIGKILL, starting again in 0.0 s; log: {stack.folder / 'web-1.log'}"
    )
    assert stack.supervisor.running() == []
    await stack.until(lambda: len(stack.starts) == 2)
    second = stack.starts[1].pid
    assert stack.supervisor.running() == [Running(spec, second)]
    assert str(stack.starts[1]) == f"web 1 started again (pid {second})"


def test_pauses_grow_to_the_longest_and_begin_anew_after_a_steady_time() -> None:
    backoff = Backoff(first=0.3, most=4.0, steady=30)
    pause: float | None = None
    pauses = [pause := backoff.after(pause, up=1) for _ in range(6)]
    assert pauses == [0.3, 0.6, 1.2, 2.4, 4.0, 4.0]
    assert backoff.after(4.0, up=31) == 0.3


def test_process_that_ends_is_back_within_five_seconds() -> None:
    assert Backoff().most < 5


async def test_stop_ends_roles_in_order_and_nothing_starts_again(stack: Stack) -> None:
    for role in ("kafka", "store", "web"):
        await stack.supervisor.start(stack.spec(WAITS, role))
    await stack.supervisor.start(stack.spec(WAITS, "store", 2))
    await stack.supervisor.stop(["store", "kafka"])
    assert [end.spec.role for end in stack.ends] == ["web", "store", "store", "kafka"]
    assert {end.again_in for end in stack.ends} == {None}
    assert stack.supervisor.running() == []


async def test_process_that_ignores_sigterm_is_killed_after_the_grace(stack: Stack) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('deaf', 'w'); signal.pause()"
    await stack.supervisor.start(stack.spec(f"import os; os.chdir({str(stack.folder)!r}); {deaf}"))
    while not (stack.folder / "deaf").exists():
        await asyncio.sleep(0.01)
    await stack.supervisor.stop(grace=0.2)
    assert [end.exit_code for end in stack.ends] == [-signal.SIGKILL]


async def test_process_that_waits_for_its_next_start_is_not_started_after_stop(tmp_path: Path) -> None:
    changes: list[Change] = []
    ended = asyncio.Event()

    def tell(change: Change) -> None:
        changes.append(change)
        if change.exit_code is not None:
            ended.set()

    supervisor = Supervisor(tell, Backoff(first=60))
    await supervisor.start(Spec("web", 1, [sys.executable, "-c", ""], tmp_path / "log"))
    await asyncio.wait_for(ended.wait(), 20)
    await asyncio.wait_for(supervisor.stop(), 5)
    assert len(changes) == 2


async def test_start_that_the_machine_refuses_is_tried_again(stack: Stack) -> None:
    log = stack.folder / "web-1.log"
    first = await stack.supervisor.start(stack.spec(WAITS))
    log.unlink()
    log.mkdir()
    os.kill(first, signal.SIGKILL)
    await stack.until(lambda: stack.ends[-1:] != [] and stack.ends[-1].exit_code == 127)
    assert stack.supervisor.running() == []
    log.rmdir()
    await stack.until(lambda: len(stack.starts) == 2)


async def test_same_role_and_number_is_refused(stack: Stack) -> None:
    await stack.supervisor.start(stack.spec(WAITS))
    with pytest.raises(ValueError, match="web 1 is already supervised"):
        await stack.supervisor.start(stack.spec(WAITS))


async def test_environment_is_ours_and_the_spec_s(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "1")
    await stack.supervisor.start(stack.spec("import os; print(os.environ['OURS'], os.environ['ITS'])", ITS="2"))
    await stack.until(lambda: len(stack.ends) >= 1)
    assert (stack.folder / "web-1.log").read_text().startswith("1 2\n")


async def test_children_do_not_hear_ctrl_c_of_the_terminal(stack: Stack) -> None:
    pid = await stack.supervisor.start(stack.spec(WAITS))
    assert os.getsid(pid) == pid != os.getsid(0)


SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from streams.devstack.processes import Spec, Supervisor

async def main():
    supervisor = Supervisor(lambda change: None)
    code = "import signal; print(flush=True); signal.pause()"
    for number in (1, 2, 3):
        log = Path(sys.argv[1]) / str(number)
        await supervisor.start(Spec("web", number, [sys.executable, "-c", code], log))
    print(*(child.pid for child in supervisor.running()), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_kill_9_of_the_supervisor_leaves_no_child(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SUPERVISOR, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        children = [int(pid) for pid in supervisor.stdout.readline().split()]
        assert len(children) == 3
        supervisor.kill()
        supervisor.wait()
        for pid in children:
            wait_gone(pid)
