"""The checkers on the real parts: what two workers, a publication and the web left is right; planted in the tables
themselves, a lost row, a doubled one, a foreign one and a changed count are seen."""

import asyncio

import pytest

from streams.auth import make_token
from streams.clickhouse.client import Database
from streams.publish.weekly import publish
from tests.conftest import free_port
from tests.delivery.checkers import everything
from tests.delivery.checkers_counts import resent_copies
from tests.delivery.ledger import Ledger
from tests.delivery.mix import Mix
from tests.delivery.processes import until
from tests.delivery.sampler import Sampler
from tests.delivery.stack import Stack
from tests.delivery.world import World, look

pytestmark = pytest.mark.stack

SECRET = "a secret of thirty-two characters and more"
_COLUMNS = """event_id, tenant_id, direction, sync_id, module, record_id, record_name, target_id, operation, status,
    reason, error_codes, error_messages, error_fields, error_reasons, catalogue_version, occurred_at, attempt, payload,
    truncated, received_at, kafka_topic, kafka_partition, kafka_offset"""


async def test_what_is_planted_in_the_tables_is_seen(stack: Stack, seed: int) -> None:
    stack.worker("store")
    stack.worker("count")
    sampler = Sampler(stack.settings, stack.settings.partitions)
    async with sampler.sampling(), Ledger(stack.settings, seed, Mix(tenants=3, bad=0.04, again=0.05)) as ledger:
        await ledger.send(300)
        await stack.settled()
    await publish(stack.settings, now=True, say=lambda _: None)
    world = await stack.look()
    assert everything(world, ledger.entries, sampler.samples, [SECRET]) == []
    assert sampler.samples and world.snapshot and world.snapshot.failures and world.letters and world.live
    assert world.snapshot.difference == resent_copies(world, ledger.entries) > 0

    await _seen_by_tenants(stack, world, ledger)
    await _planted(stack, ledger)


async def _seen_by_tenants(stack: Stack, world: World, ledger: Ledger) -> None:
    """What each tenant sees is the snapshot, and nothing of another's."""
    port = free_port()
    stack.worker("web", secret=SECRET, web_port=port)
    web = f"http://127.0.0.1:{port}"
    settings = stack.settings.model_copy(update={"secret": type(stack.settings.secret)(SECRET)})
    tokens = {tenant: make_token(settings, tenant) for tenant in {row.tenant for row in world.rows}}
    await until("the web answers", lambda: _is_up(port))
    seen = await look(stack.settings, web, tokens)
    assert everything(seen, ledger.entries) == []
    assert sum(len(view.files) for view in seen.views.values()) == len(seen.snapshot.syncs if seen.snapshot else ())
    assert seen.reaches


async def _is_up(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _planted(stack: Stack, ledger: Ledger) -> None:
    """One defect after the other, each on top of those before."""
    before = {row.event_id: row for row in (await look(stack.settings)).rows}
    once = [entry.event_id for entry in ledger.entries if entry.good]
    lost, doubled, foreign = [e for e in before if once.count(e) == 1 and before[e].status == "success"][:3]
    database = Database(stack.settings)

    async def problems_after(statement: str, token: str = "") -> str:
        await asyncio.to_thread(database.command, statement, token)
        return "\n".join(everything(await look(stack.settings), ledger.entries))

    on = " SETTINGS mutations_sync = 2"
    found = await problems_after(f"ALTER TABLE sync_records DELETE WHERE event_id = '{lost}'{on}")
    assert f"complete: event {lost} at" in found and f"event {lost} was acknowledged and is not stored" in found
    copy = f"INSERT INTO sync_records ({_COLUMNS}) SELECT {_COLUMNS} FROM sync_records WHERE event_id = '{doubled}'"
    found = await problems_after(copy, "planted")
    assert f"event {doubled} was sent 1 times and is 2 rows without FINAL" in found
    whose = before[foreign].tenant
    found = await problems_after(
        f"ALTER TABLE live_counts UPDATE records = records + 1 WHERE tenant_id = '{whose}' AND status = 'success'{on}"
    )
    assert "live_counts: entry" in found
    names = _COLUMNS.replace("tenant_id", "'another-tenant'")
    other = f"INSERT INTO sync_records ({_COLUMNS}) SELECT {names} FROM sync_records WHERE event_id = '{foreign}'"
    found = await problems_after(other, "planted-too")
    assert f"belongs to {whose} and stands under another-tenant" in found
    found = await problems_after(f"ALTER TABLE published_syncs UPDATE failed = failed + 1 WHERE failed > 0{on}")
    assert "published: sync" in found and "one_snapshot: sync" in found
    database.close()
