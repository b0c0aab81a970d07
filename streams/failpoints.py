"""Steps at which a process can be made to die, freeze, fail or wait, so that tests show what each leaves behind.

In comes the setting `failpoints`, as `store.announced:exit@3,publish.appended_days:freeze`; the product calls `reach`
at each `Step` of its protocols (once a batch, never once an event). Unarmed, which is the default, that is one look at
an empty dictionary.
"""

import os
import re
import signal
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NamedTuple

from streams.logs import log

EXIT_CODE = 86
"""What a process ends with that a failpoint made exit; told apart from an error's 1 and a signal's."""


class Step(StrEnum):
    """Every step, in the order of streams/README.md. A value is the step's name in the setting."""

    STORE_OPENED = "store.opened"
    """The partition is owned and its state read; nothing was changed."""
    STORE_REFORMED = "store.reformed"
    """A run that an earlier owner announced has been formed again."""
    STORE_GATHERED = "store.gathered"
    STORE_ANNOUNCED = "store.announced"
    STORE_PARSED = "store.parsed"
    STORE_INSERTING = "store.inserting"
    """Before each insert, also before one that is tried again."""
    STORE_INSERTED = "store.inserted"
    """After each insert that ClickHouse has taken."""
    STORE_SETTLING = "store.settling"
    STORE_SETTLED = "store.settled"
    COUNT_OPENED = "count.opened"
    COUNT_FLUSHING = "count.flushing"
    COUNT_FLUSHED = "count.flushed"
    """The transaction is committed, and ClickHouse has nothing of it."""
    COUNT_UPSERTING = "count.upserting"
    COUNT_UPSERTED = "count.upserted"
    """The entries are in live_counts, their positions not yet in live_positions."""
    PUBLISH_CUT = "publish.cut"
    PUBLISH_PASSED = "publish.passed"
    """Store has passed the cut."""
    PUBLISH_APPENDED_ATTEMPT = "publish.appended_attempt"
    PUBLISH_APPENDED_FAILURES = "publish.appended_failures"
    PUBLISH_APPENDED_SYNCS = "publish.appended_syncs"
    PUBLISH_APPENDED_DAYS = "publish.appended_days"
    PUBLISH_RECONCILED = "publish.reconciled"
    PUBLISH_POINTING = "publish.pointing"
    """Totals are checked; the pointer has not moved."""
    PUBLISH_POINTED = "publish.pointed"
    """The pointer has moved; nothing was told or tidied."""
    PUBLISH_TIDIED = "publish.tidied"
    RECLASSIFY_NOTED = "reclassify.noted"
    """Everything is classified; which failures change is noted, nothing of it written yet."""
    RECLASSIFY_COPIED = "reclassify.copied"
    RECLASSIFY_CARRIED = "reclassify.carried"
    RECLASSIFY_POINTING = "reclassify.pointing"
    RECLASSIFY_POINTED = "reclassify.pointed"
    ERASE_NOTED = "erase.noted"
    """The journal names the tenant; nothing is deleted."""
    ERASE_FENCED = "erase.fenced"
    """A partition's ledger holds entries of the tenant and is owned; nothing was written. Once a partition."""
    ERASE_TOMBSTONED = "erase.tombstoned"
    ERASE_PASSED = "erase.passed"
    """Every ledger is without the tenant, and store has passed their positions."""
    ERASE_DELETED = "erase.deleted"
    """Once a table: its rows of the tenant are gone."""
    ERASE_POINTING = "erase.pointing"
    ERASE_POINTED = "erase.pointed"
    """The pointer has moved; earlier snapshots still have theirs."""
    ERASE_FORGOTTEN = "erase.forgotten"
    """Nothing is left but the journal's row."""


class FailpointError(Exception):
    """Raised by `fail`: to the code around a step it is a bug, not one of our errors that are expected."""


class Armed(NamedTuple):
    """What happens at a step: `action` at the `at`-th time it is reached, every time if that is 0. `seconds` of a
    delay."""

    action: str
    at: int
    seconds: float


_ACTIONS: Mapping[str, str] = {
    "exit": "end at once, nothing is cleaned up",
    "kill": "SIGKILL to itself",
    "freeze": "SIGSTOP to itself, until somebody sends SIGCONT",
    "fail": "raise an error that nobody expects",
    "delay=SECONDS": "stand still, the whole process, for so long",
}
_ONE = re.compile(
    r"(?P<step>[a-z._]+):(?P<action>exit|kill|freeze|fail|delay=(?P<seconds>\d+(\.\d+)?))(@(?P<at>[1-9]\d*))?"
)
_armed: dict[str, Armed] = {}
_reached: dict[str, int] = {}


def read(text: str) -> dict[str, Armed]:
    """The setting's value by step. ValueError says which part can't be used, and lists what there is."""
    found: dict[str, Armed] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        match = _ONE.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} is not STEP:ACTION or STEP:ACTION@N; actions are {', '.join(_ACTIONS)}")
        step = match["step"]
        if step not in set(Step):
            raise ValueError(f"there is no step {step!r}; steps are {', '.join(Step)}")
        if step in found:
            raise ValueError(f"step {step!r} is named twice")
        action, seconds = match["action"].partition("=")[0], float(match["seconds"] or 0)
        found[step] = Armed(action, int(match["at"] or 0), seconds)
    return found


def arm(text: str) -> None:
    """Arm this process as the setting says, '' for not at all, and begin to count anew. ValueError as `read`."""
    armed = read(text)
    _armed.clear()
    _reached.clear()
    _armed.update(armed)


def reach(step: Step) -> None:
    """Do what is armed for this step; nothing, most likely. Does not return from exit and kill."""
    if _armed:
        _act(step)


def _act(step: Step) -> None:
    armed = _armed.get(step)
    if armed is None:
        return
    _reached[step] = times = _reached.get(step, 0) + 1
    if armed.at in (0, times):
        # The test that armed it finds here that its fault has really happened.
        log("failpoints").critical("failpoint", step=str(step), action=armed.action, times=times)
        _DO[armed.action](armed)


def _fail(_: Armed) -> None:
    raise FailpointError("a failpoint was told to fail here")


_DO: Mapping[str, Callable[[Armed], None]] = {
    "exit": lambda _: os._exit(EXIT_CODE),
    "kill": lambda _: os.kill(os.getpid(), signal.SIGKILL),
    "freeze": lambda _: os.kill(os.getpid(), signal.SIGSTOP),
    "fail": _fail,
    "delay": lambda armed: time.sleep(armed.seconds),
}
