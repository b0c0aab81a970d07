"""Waiting for the workers: for store without end and with an alert, for count for a while."""

import asyncio

import pytest
from structlog.testing import capture_logs

from streams import metrics
from streams.kafka.topic_log import open_log
from streams.publish import wait
from tests.publish.world import Result, World, results

pytestmark = pytest.mark.stack


async def test_nothing_is_published_until_store_has_passed_the_cut(stage: World) -> None:
    await stage.arrive(*results(2))
    await stage.send(Result(sync="S2", status="failed"))
    publishing = asyncio.create_task(stage.publish())
    while not any("covers" in sentence for sentence in stage.said):
        await asyncio.sleep(0.01)
    done, _ = await asyncio.wait([publishing], timeout=0.5)
    assert not done
    assert stage.snapshots() == []
    await stage.store()
    stage.count()
    await publishing
    assert stage.sync("S2")["failed"] == 1


async def test_store_that_never_started_is_at_the_beginning(stage: World) -> None:
    async with open_log(stage.settings, stage.settings.records_topic) as topic:
        assert await wait.for_store(topic, stage.settings, {0: 0, 1: 0}, patience=0)
        await stage.send(Result())
        assert not await wait.for_store(topic, stage.settings, {0: 1, 1: 0}, patience=0)
        assert await wait.for_store(topic, stage.settings, {0: 0, 1: 0}, patience=0)


async def test_a_long_wait_for_store_alerts_and_goes_on(stage: World) -> None:
    await stage.send(Result())
    hasty = stage.settings.model_copy(update={"publish_wait_seconds": 0.2})
    async with open_log(stage.settings, stage.settings.records_topic) as topic:
        with capture_logs() as logs:
            waiting = asyncio.create_task(wait.for_store(topic, hasty, {0: 1}))
            while not logs:
                await asyncio.sleep(0.01)
        assert (logs[0]["event"], logs[0]["log_level"]) == ("publication_waits", "error")
        assert (logs[0]["worker"], logs[0]["partitions"]) == ("store", [0])
        assert metrics.PUBLISH_WAITING.labels("store")._value.get() >= 0.2
        assert not waiting.done()
        await stage.store()
        assert await waiting
    assert metrics.PUBLISH_WAITING.labels("store")._value.get() == 0


async def test_without_count_the_snapshot_is_published_not_reconciled(stage: World) -> None:
    stage.settings = stage.settings.model_copy(update={"publish_wait_seconds": 0.2})
    await stage.send(*results(2))
    await stage.store()
    snapshot = await stage.publish()
    assert (snapshot.number, snapshot.reconciliation) == (1, "not_reconciled")
    assert metrics.DIFFERENCE._value.get() == -1
