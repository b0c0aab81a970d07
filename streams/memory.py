"""When Python looks for garbage that refers to itself: rarely by the number of objects, and regularly by the clock. And
when the system gets back what is free.

A worker makes thousands of short-lived objects a batch that refer to nothing; looking for cycles among them by number
costs a tenth of its CPU. Looking hardly ever lets the few real cycles (each request and each error has some) pile up.
"""

import asyncio
import contextlib
import ctypes
import gc
from collections.abc import Callable

SWEEP_SECONDS = 10.0
"""Long enough to cost less than a thousandth, short enough that what piles up is a few MiB."""


def settle() -> None:
    """Once, when everything is loaded: what is there by now stays, and is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


async def sweep() -> None:
    """Free what refers to itself and give back what is free, every SWEEP_SECONDS, until cancelled."""
    trim = _trim()
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        gc.collect()
        trim(0)


def _trim() -> Callable[[int], object]:
    """glibc's malloc_trim, where that is the C library.

    By itself it gives back only what lies behind the last block in use: one that lives long would hold on to all that a
    backlog took before it.
    """
    with contextlib.suppress(OSError, AttributeError):
        trim = ctypes.CDLL(None).malloc_trim
        trim.argtypes = (ctypes.c_size_t,)
        return trim
    return lambda _: None
