"""A worker's memory stays flat though it makes garbage that refers to itself with each request."""

import asyncio
import gc
import platform
import weakref
from collections.abc import Iterator

import psutil
import pytest

from streams import memory


@pytest.fixture(autouse=True)
def collector_as_it_was() -> Iterator[None]:
    was = gc.get_threshold()
    yield
    gc.set_threshold(*was)
    gc.unfreeze()


class Request:
    def __init__(self) -> None:
        self.itself = self


async def test_what_refers_to_itself_is_freed_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "SWEEP_SECONDS", 0.01)
    memory.settle()
    dropped = weakref.ref(Request())
    sweeping = asyncio.create_task(memory.sweep())
    async with asyncio.timeout(10):
        while dropped() is not None:
            await asyncio.sleep(0.01)
    sweeping.cancel()


def test_what_is_loaded_is_not_looked_at_again() -> None:
    memory.settle()
    assert gc.get_freeze_count() > 1000
    assert gc.get_threshold()[0] == 100_000


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to")
async def test_what_a_backlog_took_is_given_back_though_some_of_it_lives_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "SWEEP_SECONDS", 0.01)
    backlog = [b"%1500d" % number for number in range(50_000)]  # 75 MB of Kafka values
    kept = backlog[4_999::5_000]
    most = psutil.Process().memory_info().rss
    del backlog
    assert psutil.Process().memory_info().rss > most - 25_000_000, "nothing to give back: the test shows nothing"
    sweeping = asyncio.create_task(memory.sweep())
    try:
        async with asyncio.timeout(10):
            while psutil.Process().memory_info().rss > most - 50_000_000:
                await asyncio.sleep(0.01)
    finally:
        sweeping.cancel()
    assert len(kept) == 10
