"""Events that come twice, late, early, too large or all for one tenant: each is where it belongs, and counted once.

What the pages show is distinct events; what the live counts have more of is the copies, and the publication shows it
(F16, F17, F26). Every test ends in all checkers.
"""

import asyncio
import random

import pytest

from streams import clock
from streams.clickhouse import check
from streams.clickhouse.client import Database
from streams.publish.weekly import publish
from tests.delivery.beside import Beside
from tests.delivery.checkers import everything, unique
from tests.delivery.checkers_counts import resent_copies
from tests.delivery.ledger import Outcome, Sent
from tests.delivery.scenario import all_right, change_topic
from tests.delivery.sending import Plain, bad, deliver, event
from tests.delivery.stack import Stack
from tests.delivery.world import World

pytestmark = pytest.mark.stack
beside = Beside()

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
WEEKS_KEPT = 29
"""The weeks that may have a partition in a table: 26 back, a day ahead, and the edges."""


async def _done(stack: Stack, entries: list[Sent]) -> World:
    """Settled, published and without a problem."""
    await stack.settled()
    await publish(stack.settings, now=True, say=lambda _: None)
    world = await all_right(stack, entries)
    assert world.snapshot is not None
    assert world.snapshot.difference == resent_copies(world, entries)
    return world


@beside
async def test_copies_far_apart_and_in_other_weeks_are_one_row_a_week(stack: Stack, seed: int) -> None:
    chance = random.Random(seed)
    now = clock.now_ms()
    originals = [
        event(now - chance.randrange(HOUR), number % 2, status=chance.choice(("success", "failed", "skipped")),
              sync_id=f"S-{number % 5}", record_id=str(number))
        for number in range(300)
    ]  # fmt: skip
    other_week = [
        event(now - 8 * DAY, message.partition, event_id=message.event_id, sync_id=f"S-{number % 5}", record_id="x")
        for number, message in enumerate(originals[:40])
    ]  # fmt: skip
    elsewhere = [message._replace(partition=1 - message.partition) for message in originals[:60]]
    stack.worker("store", store_rows=50)
    stack.worker("count")
    entries = await deliver(stack.settings, originals)
    await stack.settled()
    for again in (originals, other_week, elsewhere, originals[::-1]):  # each in runs of its own, far from the first
        entries += await deliver(stack.settings, again)
        await stack.settled()
    world = await _done(stack, entries)
    assert resent_copies(world, entries) == 2 * 300 + 60
    assert len(world.final) == 300 + 40


@beside
async def test_late_and_early_events_are_counted_stored_or_refused_at_the_limits(stack: Stack) -> None:
    now = clock.now_ms()
    horizon = now // HOUR * HOUR - 15 * DAY
    """The first hour that is counted live, give or take the moment of arrival."""
    good = {
        "well within": horizon + 2 * HOUR, "an hour within": horizon + HOUR + MINUTE, "beyond": horizon - HOUR,
        "far beyond": horizon - DAY, "half a year": now - 182 * DAY + MINUTE, "179 days": now - 179 * DAY,
        "ahead": now + DAY - 5 * MINUTE, "the hour that comes": now + HOUR,
    }  # fmt: skip
    refused = {"too old": now - 182 * DAY - MINUTE, "too far ahead": now + DAY + 5 * MINUTE, "epoch": 0,
               "next century": now + 36_500 * DAY}  # fmt: skip
    messages = [
        event(moment, partition, sync_id=name) for name, moment in good.items() for partition in (0, 1) for _ in "12"
    ]
    for name, moment in refused.items():
        value = event(moment, sync_id=f"poison-{name}").value
        messages.append(bad(name, value))
    stack.worker("store")
    count = stack.worker("count")
    entries = await deliver(stack.settings, messages)
    world = await _done(stack, entries)
    live = {entry.sync for entry in world.live}
    assert live == {"well within", "an hour within", "ahead", "the hour that comes"}
    assert await count.metric("synclogs_late_total") == 4 * len(good.keys() - live)
    assert {row.code for row in world.dead_rows} == {"time_out_of_range"}


@beside
async def test_events_of_all_weeks_do_not_break_the_tables_into_pieces(stack: Stack, seed: int) -> None:
    chance = random.Random(seed)
    now = clock.now_ms()
    messages = [
        event(now - chance.randrange(-DAY + MINUTE, 182 * DAY - MINUTE), number % 2, sync_id=f"S-{number % 3}",
              record_id=str(number))
        for number in range(2_000)
    ]  # fmt: skip
    stack.worker("store", store_rows=500)
    stack.worker("count")
    entries = await deliver(stack.settings, messages)
    await _done(stack, entries)
    ((weeks, parts),) = stack.sql(
        "SELECT uniqExact(partition), count() FROM system.parts "
        "WHERE database = currentDatabase() AND table = 'sync_records' AND active"
    )
    assert weeks <= WEEKS_KEPT
    assert parts <= 10 * WEEKS_KEPT


@beside
async def test_messages_too_large_are_refused_by_kafka_or_become_dead_letters(stack: Stack) -> None:
    payload = {"text": "x" * (3 << 20)}
    squeezed = event(payload=payload)  # small on the wire, where Kafka judges it, and too large to be an event
    noise = random.Random(1).randbytes(700_000).hex()
    large = event(payload={"text": noise})  # 1.4 MB of what can hardly be compressed: Kafka says no
    fits = event(record_name="n" * 10_000, payload={"text": "x" * 900_000})
    messages = [event(), bad("squeezed", squeezed.value), event(), large, fits, event()]
    stack.worker("store")
    stack.worker("count")
    entries = [
        entry
        for message in messages
        for entry in await deliver(stack.settings, [message], max_request_size=8 << 20, compression_type="lz4")
    ]
    assert [entry.outcome for entry in entries].count(Outcome.REFUSED) == 1
    world = await _done(stack, entries)
    (letter,) = world.letters
    assert dict(letter.headers)["synclogs.value.bytes"] == b"%d" % len(squeezed.value or b"")
    assert stack.sql("SELECT truncated FROM sync_records WHERE event_id = {id:UUID}", id=fits.event_id) == [
        (["record_name", "payload"],)
    ]


@beside
async def test_quiet_tenants_are_not_held_up_by_a_hot_one_with_one_great_sync(stack: Stack) -> None:
    """Ten thousand records of one sync, and between them a result each of 500 tenants, under 10,000 keys."""
    hot = [event(None, n % 2, tenant_id="hot", sync_id="GREAT", record_id=str(n)) for n in range(10_000)]
    messages: list[Plain] = []
    for number, message in enumerate(hot):
        messages.append(message._replace(key=b"hot:%d" % number))
        if number % 20 == 0:
            messages.append(event(None, number // 20 % 2, tenant_id=f"quiet-{number // 20}"))
    store, count = stack.worker("store"), stack.worker("count")
    await asyncio.gather(store.ready(), count.ready())
    entries = await deliver(stack.settings, messages)
    world = await _done(stack, entries)
    assert len({row.tenant for row in world.rows}) == 501
    assert world.snapshot and world.snapshot.syncs["hot", "books_to_fsm", "GREAT"].total == 10_000
    assert await count.metric("synclogs_live_entries") < 2 * 2 * 501 + 1


@beside
async def test_a_window_too_small_for_a_retry_doubles_rows_that_are_seen_and_counted_once(stack: Stack) -> None:
    """What the window protects from: a run whose answer was lost, and inserted again once its token is forgotten."""
    settings = stack.settings
    database = Database(settings)
    for table in ("sync_records", "sync_marks"):
        await asyncio.to_thread(
            database.command, f"ALTER TABLE {table} MODIFY SETTING non_replicated_deduplication_window = 1"
        )
    assert any("does not remember" in problem for problem in await asyncio.to_thread(check.problems, settings))
    await asyncio.to_thread(database.command, "SYSTEM STOP MERGES sync_records")
    first = [event(partition=0, record_id=str(n), status="failed") for n in range(100)]
    # Dies behind the insert, before the run is settled: its next owner has to insert it once more.
    store = stack.worker("store", environment={"SYNCLOGS_FAILPOINTS": "store.inserted:exit"})
    entries = await deliver(settings, first)
    assert await store.ended(60) != 0
    stored = await stack.rows()
    assert stored > 0
    # Another block, as another partition's lane would have inserted, pushes the token out of the window.
    other = event(partition=1)
    plain = "INSERT INTO sync_records (event_id, tenant_id, direction, sync_id, occurred_at, received_at, kafka_topic) "
    values = f"SELECT '{other.event_id}', 'nobody', 'x', 'x', now64(3), now64(3), 'another topic'"
    for token in ("one", "two"):
        await asyncio.to_thread(database.command, plain + values, token)
    stack.worker("store", 2)
    stack.worker("count")
    await stack.settled()
    await publish(settings, now=True, say=lambda _: None)
    world = await stack.look()
    doubled = unique(world, entries)
    assert len(world.rows) == 100 + stored, "the fault did not happen"
    assert doubled and all("rows without FINAL" in one or "in sync_records" in one or "more" in one for one in doubled)
    assert [one for one in everything(world, entries) if not one.startswith("unique:")] == []
    assert world.snapshot and world.snapshot.totals == (1, 0, 100, 0)
    database.close()


@beside
async def test_a_clock_of_the_broker_that_steps_back_loses_and_doubles_nothing(stack: Stack, seed: int) -> None:
    """The topic lets the sender set what else the broker's clock would: hours back, hours ahead, a day back."""
    chance = random.Random(seed)
    name = stack.settings.records_topic
    anything = {"message_timestamp_type": "CreateTime", "message_timestamp_after_max_ms": str(400 * DAY)}
    await change_topic(stack, name, **anything)
    stack.worker("store", store_rows=50)
    stack.worker("count")
    begin = clock.now_ms()
    entries: list[Sent] = []
    for step in (0, -2 * HOUR, 3 * HOUR, -26 * HOUR, MINUTE):
        at = begin + step
        sent = [
            event(at - chance.randrange(2 * HOUR), number % 2, timestamp=at + number, sync_id=f"S-{number % 3}",
                  status=chance.choice(("success", "failed")))
            for number in range(100)
        ]  # fmt: skip
        entries += await deliver(stack.settings, sent)
        await stack.settled()
    # Some of it again, which by the clock came before what it is a copy of.
    again = [
        Plain(entry.event_id, entry.value, partition=entry.partition or 0, timestamp=begin - 20 * HOUR)
        for entry in chance.sample(entries[:100], 50)
    ]
    entries += await deliver(stack.settings, again)
    world = await _done(stack, entries)
    for partition, messages in world.log.items():
        times = [message.timestamp for message in messages]
        assert times != sorted(times), f"the clock of partition {partition} never stepped back"
