"""When Python looks for garbage that refers to itself: rarely by the number of objects, and regularly by the clock.

A worker makes thousands of short-lived objects a batch that refer to nothing; looking for cycles among them by number
costs a tenth of its CPU. Looking hardly ever lets the few real cycles (each request and each error has some) pile up.
"""

import asyncio
import gc

SWEEP_SECONDS = 10.0
"""Long enough to cost less than a thousandth, short enough that what piles up is a few MiB."""


def settle() -> None:
    """Once, when everything is loaded: what is there by now stays, and is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


async def sweep() -> None:
    """Free what refers to itself, every SWEEP_SECONDS, until cancelled."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        gc.collect()
