"""Simulated traffic for the dev stack: pure, seeded, realistic.

`Traffic` yields the messages of many tenants' syncs, past or live; `bad_values` yields what must become dead letters.
Nothing here sends anything: another module does, at its own rate.
"""

from streams.devstack.traffic.bad_values import bad_values
from streams.devstack.traffic.sync import Message
from streams.devstack.traffic.traffic import DEFAULT_TENANTS, Traffic

__all__ = ["DEFAULT_TENANTS", "Message", "Traffic", "bad_values"]
