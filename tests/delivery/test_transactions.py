"""What transactions and announced runs leave behind: one that a dead sender left open, ids that Kafka has forgotten,
and a run that is formed again by a version with another catalogue.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from schemas.reasons import CATALOGUE
from streams.failpoints import Step
from tests.delivery.catalogues import give_other
from tests.delivery.ledger import Ledger
from tests.delivery.mix import Mix
from tests.delivery.parts import Front, Kafka
from tests.delivery.rest import problems_at_rest
from tests.delivery.stack import Stack

pytestmark = pytest.mark.stack

RATE = 200
MIX = Mix(bad=0.02)
FORGETFUL = {
    "transactional.id.expiration.ms": "9000",
    "transaction.remove.expired.transaction.cleanup.interval.ms": "1000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
}
"""A week in seconds; and it looks for transactions that are open for too long each second, not each ten."""
FORGOTTEN_SECONDS = 12.0
"""After so long it has forgotten an id that was not used. No client can ask it whether it has."""
_LEAVES_OPEN = """
import asyncio, os, sys
from aiokafka import AIOKafkaProducer
async def main(servers, topic):
    producer = AIOKafkaProducer(bootstrap_servers=servers, transactional_id="dead", transaction_timeout_ms=4000)
    await producer.start()
    await producer.begin_transaction()
    for partition in (0, 1):
        await producer.send_and_wait(topic, b'{"never": "committed"}', partition=partition)
    print("open", flush=True)
    os._exit(0)
asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def forgetful_kafka(kafka_jars: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    kafka = Kafka(tmp_path_factory.mktemp("forgetful"), ways=0)
    program = f"from streams.devstack import kafka_node as node; node._SETTINGS.update({FORGETFUL}); node.main()"
    at = kafka.command.index("-m")
    kafka.command[at : at + 2] = ["-c", program]
    kafka.start()
    yield kafka
    kafka.finish()


@pytest_asyncio.fixture
async def forgetful(forgetful_kafka: Kafka, front: Front, tmp_path: Path) -> AsyncIterator[Stack]:
    """A stack on a broker that forgets transactional ids after seconds."""
    await forgetful_kafka.restored()
    stack = await Stack.made(forgetful_kafka, front, tmp_path)
    yield stack
    await stack.close()


async def test_a_transaction_that_a_dead_sender_left_open_holds_nobody_up_for_longer_than_its_timeout(
    forgetful: Stack, seed: int
) -> None:
    stack = forgetful
    workers = [stack.worker(role) for role in ("store", "count")]
    async with Ledger(stack.settings, seed, MIX) as ledger, ledger.feeding(RATE):
        await stack.stored()
        dead = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _LEAVES_OPEN, stack.settings.kafka, stack.settings.records_topic,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        said, _ = await dead.communicate()
        assert said == b"open\n"
        # Nothing behind it is to be seen until Kafka aborts it, so this is a stand-still: the fault happened.
        held = await stack.rows()
        await asyncio.sleep(2)
        assert await stack.rows() < held + 2 * RATE
        await stack.stored(held + 2 * RATE, 30)
        assert all(worker.pid for worker in workers)
    problems = await problems_at_rest(stack, ledger)
    assert problems == []
    assert [message for message in (await stack.look()).messages if b"never" in (message.value or b"")] == []


async def test_ids_that_kafka_has_forgotten_cost_a_new_beginning_and_no_message(forgetful: Stack, seed: int) -> None:
    stack = forgetful
    store, count = (stack.worker(role) for role in ("store", "count"))
    for worker in (store, count):
        worker.supervise()
    async with Ledger(stack.settings, seed, MIX) as ledger:
        await ledger.send(RATE)
        await stack.settled()
        await asyncio.sleep(FORGOTTEN_SECONDS)
        await ledger.send(RATE)
    problems = await problems_at_rest(stack, ledger)
    assert problems == []
    reopened = await store.metric("synclogs_partition_reopened_total")
    assert reopened or store.exit_codes, "store's ids were not forgotten"
    assert count.exit_codes or await count.metric("synclogs_partition_reopened_total"), "count's were not"


async def test_a_run_that_another_catalogue_forms_again_is_stored_once_as_it_was_first(
    stack: Stack, seed: int, tmp_path: Path
) -> None:
    """The first insert of a token wins; what the later version would have called another reason stays as it was."""
    store = stack.worker("store", environment={"SYNCLOGS_FAILPOINTS": f"{Step.STORE_INSERTED}:kill@6"})
    stack.worker("count")
    async with Ledger(stack.settings, seed, Mix(failures=0.5, bad=0.05, history_days=30)) as ledger:
        async with ledger.feeding(RATE):
            assert await store.ended() == -signal.SIGKILL
            by_version = stack.sql(_VERSIONS)
            assert [version for version, *_ in by_version] == [CATALOGUE.version]
            store.environment["SYNCLOGS_FAILPOINTS"] = ""
            give_other(store, tmp_path)
            store.start()
            await stack.stored(by_version[0][1])
            await stack.stored(await stack.rows())
        problems = await problems_at_rest(stack, ledger)
    assert problems == []
    assert store.logged("run_reformed")
    after = {version: (count, reasons) for version, count, reasons in stack.sql(_VERSIONS)}
    assert after.keys() == {CATALOGUE.version, CATALOGUE.version + 1}
    assert after[CATALOGUE.version] == by_version[0][1:]


_VERSIONS = """SELECT catalogue_version, count(), arraySort(groupArray((event_id, reason))) FROM sync_records
    GROUP BY catalogue_version ORDER BY catalogue_version"""
