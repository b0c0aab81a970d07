"""What every scenario ends in: the workers come to rest by themselves, and then every checker looks."""

import asyncio
import time
from collections.abc import Sequence

from tests.delivery.ledger import Ledger
from tests.delivery.sampler import Sample
from tests.delivery.stack import Stack

OF_REST = ("liveness: ", "metric_identity: ")
"""What these find may pass by itself: a gauge is set each second, a worker that came back opens its share again."""
PATIENCE = 30.0


async def problems_at_rest(
    stack: Stack, ledger: Ledger, samples: Sequence[Sample] = (), seconds: float = 60
) -> list[str]:
    """The problems, once both groups have come to the log's end. A worker that is not at rest after that, or not
    ready, is one of them after PATIENCE seconds; what is wrong with rows and counts is one at once."""
    await stack.settled(seconds=seconds)
    deadline = time.monotonic() + PATIENCE
    while True:
        found = await stack.problems(ledger, samples)
        if not found or time.monotonic() > deadline or not all(problem.startswith(OF_REST) for problem in found):
            return found
        await asyncio.sleep(0.5)
