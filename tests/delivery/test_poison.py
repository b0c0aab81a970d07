"""Poison: whatever bytes arrive, the neighbours are stored, the bad ones are dead letters byte for byte, once.

Where all is bad, or a dead letter can't be written, store stops instead of losing anything (F13, F14, F15).
"""

import random
from itertools import islice

import pytest

from streams.kafka import clients, topics
from tests.delivery.beside import Beside
from tests.delivery.checkers import everything, source
from tests.delivery.facts import Message
from tests.delivery.ledger import Sent
from tests.delivery.poison import broken, corpus
from tests.delivery.processes import until
from tests.delivery.recount import read
from tests.delivery.sampler import Sampler
from tests.delivery.scenario import all_right, change_topic
from tests.delivery.sending import Plain, bad, deliver, event
from tests.delivery.stack import Stack

pytestmark = pytest.mark.stack
beside = Beside()

LIMIT = 200


@beside
async def test_every_kind_of_poison_is_a_dead_letter_and_its_neighbours_are_stored(stack: Stack, seed: int) -> None:
    poison = corpus()
    messages = [
        message._replace(partition=number % 2, headers=headers)
        for number, one in enumerate(poison)
        for message, headers in (
            (event(), ()),
            (one, (("sender", b""), ("a", b"\xff\x00"))),
            (one, ()),
            (event(status="failed"), ()),
        )  # fmt: skip
    ]
    random.Random(seed).shuffle(messages)
    store = stack.worker("store")
    stack.worker("count")
    sampler = Sampler(stack.settings, 2)
    async with sampler.sampling():
        entries = await deliver(stack.settings, messages)
    world = await all_right(stack, entries, sampler.samples)
    assert len(world.letters) == 2 * len(poison)
    assert len(world.rows) == 2 * len(poison)
    assert store.exit_codes == [] and store.pid


@beside
async def test_events_broken_at_random_are_rows_or_dead_letters_and_count_agrees(stack: Stack, seed: int) -> None:
    stack.worker("store")
    stack.worker("count")
    values = list(islice(broken(seed), 1_500))
    messages = [bad(f"random-{number}", value, number % 2) for number, value in enumerate(values)]
    sent = await deliver(stack.settings, messages)
    await stack.settled()
    world = await stack.look()
    # Which are bad only the product says; what is not must be readable by another decoder, and be stored.
    refused = {letter.value for letter in world.letters}
    entries = [entry if entry.value in refused else _as_event(entry) for entry in sent]
    assert everything(world, entries) == []
    assert len(refused) > 500, "hardly anything was broken"
    assert len(world.rows) > 50, "nothing stayed an event"


def _as_event(entry: Sent) -> Sent:
    found = read(Message(0, 0, 0, entry.key, entry.value))
    assert found is not None, f"stored, but another decoder can't read it: {entry.value!r}"
    return entry._replace(event_id=found.event_id, good=True)


@beside
async def test_where_everything_is_bad_it_stops_however_often_it_is_started_again(stack: Stack) -> None:
    """A wrong deployment of a sender: a trickle, in runs much smaller than the limit."""
    good = [event(partition=number % 2) for number in range(20)]
    entries = await deliver(stack.settings, good)
    store = stack.worker("store", dead_letters_in_a_row=LIMIT, store_rows=30)
    await stack.settled("store")
    store.supervise()
    poison = [bad(str(number), b"broken by a deployment, %d" % number, number % 2) for number in range(1_500)]
    entries += await deliver(stack.settings, poison)

    async def stopped_again_and_again() -> bool:
        return store.exit_codes.count(1) >= 3

    await until("store has stopped three times", stopped_again_and_again, 60)
    world = await stack.look()
    letters = {partition: sum(letter.partition == partition for letter in world.letters) for partition in (0, 1)}
    assert max(letters.values()) < LIMIT, "the topic is emptied into the dead letters, one start after the other"
    assert all(world.stored_up_to(partition) <= 10 + LIMIT for partition in (0, 1))
    assert "messages in a row" in world.logs["store 1"]

    # The operator decides that they really are bad.
    await store.end()
    stack.worker("store", 2, dead_letters_in_a_row=10_000)
    stack.worker("count")
    del stack.processes["store 1"]
    world = await all_right(stack, entries)
    assert len(world.letters) == len(poison)


@beside
async def test_nothing_is_committed_past_a_dead_letter_that_can_not_be_written(stack: Stack) -> None:
    settings = stack.settings
    store = stack.worker("store", store_rows=50)
    stack.worker("count")
    sampler = Sampler(settings, 2)
    async with sampler.sampling():
        entries = await deliver(settings, [event() for _ in range(20)])
        await stack.settled()
        await change_topic(stack, settings.dead_letters_topic, max_message_bytes="100")
        mixed: list[Plain] = [event() for _ in range(20)] + [bad("unwritable", b"poison-unwritable" * 20)]
        entries += await deliver(settings, mixed + [event() for _ in range(20)])

        async def refused() -> bool:
            return store.logged("partition_dropped") >= 2

        await until("the broker has refused the dead letter twice", refused)
        world = await stack.look()
        assert world.stored_up_to(0) <= 40, "committed past the bad message"
        assert world.letters == []
        assert (await store.get("/readyz"))[0] == 503
        await change_topic(stack, settings.dead_letters_topic, max_message_bytes=str(2 << 20))
    world = await all_right(stack, entries, sampler.samples)
    assert [letter.value for letter in world.letters] == [b"poison-unwritable" * 20]


@beside
async def test_without_the_topic_of_dead_letters_nothing_is_committed_past_one(stack: Stack) -> None:
    settings = stack.settings
    store = stack.worker("store")
    stack.worker("count")
    entries = await deliver(settings, [event() for _ in range(20)])
    await stack.settled()
    admin = await clients.started(lambda: clients.admin(settings), settings)
    try:
        await admin.delete_topics([settings.dead_letters_topic])
        entries += await deliver(settings, [event(), bad("homeless", b"poison-homeless"), event()])

        async def not_ready() -> bool:
            return (await store.get("/readyz"))[0] == 503 and store.logged("partition_dropped") > 0

        await until("store is not ready", not_ready)
        world = await stack.look()
        assert world.stored_up_to(0) <= 21, "committed past the bad message"
        await topics.create(admin, topics.wanted(settings), 1)
    finally:
        await admin.close()
    world = await all_right(stack, entries)
    assert [source(letter) for letter in world.letters] == [(0, 21)]
