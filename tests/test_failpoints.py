"""Failpoints: a wrong one is refused at start, an armed one does what it says, and every step has one."""

import ast
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams import config, failpoints
from streams.errors import SettingsError
from streams.failpoints import EXIT_CODE, FailpointError, Step, reach

STREAMS = Path(__file__).parents[1] / "streams"


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm("")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("store.announcd:exit", ["'store.announcd'", "store.announced", "publish.tidied"]),
        ("store.announced:die", ["'store.announced:die'", "exit, kill, freeze, fail, delay=SECONDS"]),
        ("store.announced", ["'store.announced'", "STEP:ACTION"]),
        ("store.announced:exit@0", ["'store.announced:exit@0'", "STEP:ACTION@N"]),
        ("store.announced:delay=soon", ["'store.announced:delay=soon'", "delay=SECONDS"]),
        ("store.parsed:fail,store.parsed:exit", ["'store.parsed'", "twice"]),
    ],
)
def test_a_wrong_setting_lists_what_there_is(monkeypatch: pytest.MonkeyPatch, text: str, names: list[str]) -> None:
    monkeypatch.setenv("SYNCLOGS_FAILPOINTS", text)
    with pytest.raises(SettingsError) as raised:
        config.load()
    assert str(raised.value).startswith(f"SYNCLOGS_FAILPOINTS is {text!r}: ")
    assert all(name in str(raised.value) for name in names)


def test_it_happens_at_the_time_it_is_told_and_at_that_step_only() -> None:
    failpoints.arm(" store.parsed:fail@3 , count.flushed:delay=0.01 ")
    for _ in range(2):
        reach(Step.STORE_PARSED)
        reach(Step.STORE_SETTLED)
    with pytest.raises(FailpointError):
        reach(Step.STORE_PARSED)
    reach(Step.STORE_PARSED)


def test_without_a_number_it_happens_every_time() -> None:
    failpoints.arm("store.parsed:fail")
    for _ in range(3):
        with pytest.raises(FailpointError):
            reach(Step.STORE_PARSED)


@pytest.mark.parametrize(("action", "code"), [("exit", EXIT_CODE), ("kill", -signal.SIGKILL), ("freeze@1", 0)])
def test_a_process_dies_or_freezes_where_it_is_told(action: str, code: int) -> None:
    program = (
        "from streams import failpoints\n"
        f"failpoints.arm('publish.pointing:{action}')\n"
        "try:\n"
        "    for _ in range(2): failpoints.reach(failpoints.Step.PUBLISH_POINTING)\n"
        "finally: print('cleaned up')"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        if action.startswith("freeze"):
            stat = Path(f"/proc/{process.pid}/stat")
            while stat.read_text().split()[2] != "T":
                assert process.poll() is None
            process.send_signal(signal.SIGCONT)
        said, _ = process.communicate(timeout=20)
    assert process.returncode == code
    assert ("cleaned up" in said) == (code == 0)


def calls() -> Counter[str]:
    """How often the product names each step outside of failpoints.py."""
    found: Counter[str] = Counter()
    for path in STREAMS.rglob("*.py"):
        if path.name == "failpoints.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Step":
                found[node.attr] += 1
    return found


def test_the_product_reaches_every_step_at_one_place() -> None:
    assert calls() == Counter({step.name: 1 for step in Step})


def test_every_step_of_a_worker_or_the_publisher_in_the_data_path_has_its_failpoints() -> None:
    text = (STREAMS / "README.md").read_text()
    path = dict(re.findall(r"^(\d+)\. (.*?)(?=^\d+\. |\Z)", text, re.M | re.S))
    named = {n: re.findall(r"`((?:store|count|publish|reclassify|erase)\.[a-z_]+)`", step) for n, step in path.items()}
    assert [name for names in named.values() for name in names] == list(Step)
    # Step 10 changes nothing anywhere; 1, 2 and 17 are senders, Kafka and readers.
    assert {number for number, names in named.items() if not names} == {"1", "2", "10", "17"}


def test_every_test_that_the_data_path_names_exists() -> None:
    shown = re.findall(r"`(test_\w+\.py): (test_\w+)`", (STREAMS / "README.md").read_text())
    assert len(shown) > 10
    for file, test in shown:
        assert f"def {test}(" in (STREAMS.parent / "tests" / "delivery" / file).read_text(), (file, test)
