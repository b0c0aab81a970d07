"""What every scenario ends in: the workers come to rest by themselves, and then every checker looks."""

from collections.abc import Sequence

from tests.delivery.ledger import Ledger
from tests.delivery.parts import WorkerProcess
from tests.delivery.processes import until
from tests.delivery.sampler import Sample
from tests.delivery.stack import Stack


async def problems_at_rest(
    stack: Stack, ledger: Ledger, samples: Sequence[Sample] = (), seconds: float = 60
) -> list[str]:
    """The problems, once both groups have come to the log's end and the workers' gauges, set each second, say so."""
    await stack.settled(seconds=seconds)
    for worker in stack.workers:
        if worker.pid and worker.name.startswith(("store", "count")):

            async def no_lag(worker: WorkerProcess = worker) -> bool:
                return not await worker.metric("synclogs_lag_records")

            await until(f"{worker.name} says that nothing is left", no_lag, 10)
    return await stack.problems(ledger, samples)
