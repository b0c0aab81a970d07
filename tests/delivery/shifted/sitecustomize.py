"""Read by Python at its start in a process whose wall clock is shifted (`parts.shifted`), and by no other.

libfaketime up to 0.9.10 spoils the call by which Python 3.11 and later sleep when it is told to leave clocks alone that
only go forward (its issue 426): `time.sleep` would raise. Waiting for nothing with a timeout is the same sleep.
"""

import select
import time
from typing import SupportsIndex


def _sleep(seconds: float | SupportsIndex) -> None:
    until = time.monotonic() + float(seconds)
    while (left := until - time.monotonic()) > 0:
        select.select([], [], [], left)


time.sleep = _sleep
