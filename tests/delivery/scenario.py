"""What scenarios of chosen messages share: the end of each, and changing what a broker takes."""

import asyncio
import time
from collections.abc import Sequence

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.kafka import clients, topics
from tests.delivery.checkers import everything
from tests.delivery.ledger import Sent
from tests.delivery.rest import OF_REST, PATIENCE
from tests.delivery.sampler import Sample
from tests.delivery.stack import Stack
from tests.delivery.world import World


async def all_right(stack: Stack, entries: Sequence[Sent], samples: Sequence[Sample] = ()) -> World:
    """The world, once both groups have come to the end of the log: no checker has found a problem in it."""
    await stack.settled()
    deadline = time.monotonic() + PATIENCE
    while True:
        world = await stack.look()
        found = everything(world, entries, samples)
        passing = all(problem.startswith(OF_REST) for problem in found)
        if not found or not passing or time.monotonic() > deadline:
            assert not found, "\n".join(found)
            return world
        await asyncio.sleep(0.3)


async def change_topic(stack: Stack, name: str, **changed: str) -> None:
    """Other settings of one of the stack's topics; `_` stands for a dot."""
    topic = next(spec for spec in topics.wanted(stack.settings) if spec.name == name)
    settings = topic.settings | {key.replace("_", "."): value for key, value in changed.items()}
    admin = await clients.started(lambda: clients.admin(stack.settings), stack.settings)
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, settings)])
    finally:
        await admin.close()
