"""One history for all tests of it: 200,000 events, which no test changes."""

from collections import defaultdict

import orjson
import pytest

from streams.devstack.traffic import Traffic
from tests.devstack.traffic.history import END_MS, EVENTS, START_MS, Event, History


@pytest.fixture(scope="package")
def traffic() -> Traffic:
    return Traffic(seed=7)


@pytest.fixture(scope="package")
def history(traffic: Traffic) -> History:
    messages = list(traffic.history(START_MS, END_MS, EVENTS))
    return History(messages, [orjson.loads(message.value) for message in messages])


@pytest.fixture(scope="package")
def syncs(history: History) -> dict[str, list[Event]]:
    by_sync = defaultdict(list)
    for event in history.events:
        by_sync[event["sync_id"]].append(event)
    return by_sync
