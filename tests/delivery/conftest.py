"""The servers of the fault suite, shared by its tests and killed by some; and the seed of each test.

Every server is up and every way to it is whole when a test begins, whatever the test before has done to them.
"""

import gc
import logging
import random
import shlex
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from tests.delivery.beside import Beside, Ends
from tests.delivery.parts import Front, Kafka
from tests.delivery.stack import Stack

SEEDS = 1_000_000


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fault-seed", type=int, default=None, help="the seed of a run that is to be had again")
    parser.addoption("--fault-test", action="append", default=[], help="the only tests to run, by their names")
    parser.addoption("--fault-seconds", type=float, default=None, help="how long random faults go on")
    parser.addoption("--fault-stack", type=Path, default=None, help="stack.json of a running dev stack to act on")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted: list[str] = config.getoption("--fault-test", default=[])
    if wanted:
        others = [item for item in items if not any(_is(item, name) for name in wanted)]
        items[:] = [item for item in items if item not in others]
        config.hook.pytest_deselected(items=others)


def _is(item: pytest.Item, name: str) -> bool:
    return item.name.startswith(name) or item.path.name in (name, f"{name}.py")


@pytest.fixture(autouse=True)
def brokers_that_die() -> Iterator[None]:
    with quiet():
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """aiokafka leaves a connection unclosed whose broker dies in the middle of its start: not this test's fault, nor
    that of the next one, to which its collection would be charged."""
    noise = logging.getLogger("aiokafka")
    noise.setLevel(logging.CRITICAL)  # hundreds of lines for a broker that is away, where a failure's own should stand
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            yield
        finally:
            gc.collect()
            noise.setLevel(logging.NOTSET)


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """What everything random in a test comes from; printed with the command that repeats it."""
    seed, again = drawn(request.config, request.node.name)
    print(again)
    return seed


def drawn(config: pytest.Config, name: str) -> tuple[int, str]:
    """A seed, and how that test is had again with it."""
    given: int | None = config.getoption("--fault-seed", default=None)
    seed = random.SystemRandom().randrange(SEEDS) if given is None else given
    return seed, f"seed {seed}; again with: python -m tests.delivery --seed {seed} {shlex.quote(name)}"


@pytest.fixture(scope="session")
def shared_kafka(kafka_jars: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    kafka = Kafka(tmp_path_factory.mktemp("kafka"))
    kafka.start()
    yield kafka
    kafka.finish()


@pytest.fixture(scope="session")
def shared_front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    pytest.importorskip("chdb", reason="package chdb is missing (make setup)")
    front = Front(tmp_path_factory.mktemp("clickhouse"))
    front.start()
    yield front
    front.finish()


@pytest_asyncio.fixture
async def node(shared_kafka: Kafka) -> AsyncIterator[Kafka]:
    """Kafka, up; `node.ways` are proxies before it."""
    await shared_kafka.restored()
    yield shared_kafka
    await shared_kafka.restored()


@pytest_asyncio.fixture
async def front(shared_front: Front) -> AsyncIterator[Front]:
    """The ClickHouse front, up; `front.way()` makes a proxy before it."""
    await shared_front.restored()
    yield shared_front
    await shared_front.restored()


@pytest_asyncio.fixture
async def stack(node: Kafka, front: Front, tmp_path: Path) -> AsyncIterator[Stack]:
    """Topics, groups and a database of this test alone; its workers end with it."""
    stack = await Stack.made(node, front, tmp_path)
    yield stack
    await node.restored()
    await front.restored()
    await stack.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ends(
    request: pytest.FixtureRequest, shared_kafka: Kafka, shared_front: Front, tmp_path_factory: pytest.TempPathFactory
) -> Ends:
    """How the tests of a module that run beside each other ended."""
    beside: Beside = request.module.beside
    chosen = [item.name for item in request.session.items if getattr(item, "module", None) is request.module]
    seeds = {name: drawn(request.config, name) for name in chosen}
    with quiet():
        await shared_kafka.restored()
        await shared_front.restored()
        folder = tmp_path_factory.mktemp("beside")
        ends = await beside.run(shared_kafka, shared_front, folder, {n: seed for n, (seed, _) in seeds.items()}, chosen)
    for name, problem in ends.items():
        if problem:
            problem.add_note(seeds[name][1])
    return ends
