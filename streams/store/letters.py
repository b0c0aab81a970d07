"""Dead letters: messages that are no events, kept byte for byte with Kafka Connect's headers about what was wrong.

Comes in: a Kafka record and its refusal. Goes out: the record for the dead-letters topic. Headers hold codes, names of
fields and numbers, never a text of the message: they reach logs and screens.
"""

import re
from collections.abc import Sequence
from typing import Protocol

from schemas.decode import Message
from schemas.refusal import Refusal
from streams.kafka.partition import Outgoing

PREFIX = "__connect.errors."
CUT_HEADER = "synclogs.value.bytes"
LARGEST = (2 << 20) - (16 << 10)
"""Bytes of a letter that surely fit the topic's largest message and the producer's largest request."""
_LONGEST_DETAIL = 500

_TENANT = re.compile(rb'"tenant_id"\s{0,20}:\s{0,20}"([^"\\\x00-\x1f]{1,256})"')


class Original(Message, Protocol):
    """What a letter keeps of a Kafka record."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


def letter(message: Original, refusal: Refusal, group: str) -> Outgoing:
    """The dead letter of a message. One that was sent again and refused again tells of its last refusal only: its
    earlier headers of the same names are replaced, since the earlier letter still stands in the topic."""
    about = [
        ("topic", message.topic),
        ("partition", str(message.partition)),
        ("offset", str(message.offset)),
        ("connector.name", group),
        ("stage", "VALUE_CONVERTER"),
        ("exception.class.name", refusal.code.value),
        ("exception.message", str(refusal)[:_LONGEST_DETAIL]),
    ]
    ours = [(PREFIX + name, text.encode()) for name, text in about]
    names = {name for name, _ in ours} | {CUT_HEADER}
    kept = [(name, value) for name, value in message.headers if name not in names]
    return _fitting(Outgoing(message.key, message.value, [*kept, *ours], message.timestamp), len(ours))


def _fitting(whole: Outgoing, ours: int) -> Outgoing:
    """The letter, or what fits of it. A compressed message may be larger than any that we could send, and a letter
    that the broker refuses would hold up its partition for ever."""
    value, key = whole.value or b"", whole.key or b""
    around = len(key) + sum(len(name) + len(text or b"") + 16 for name, text in whole.headers)
    if len(value) + around <= LARGEST:
        return whole
    size = (CUT_HEADER, str(len(value)).encode())
    if around < LARGEST // 2:
        return whole._replace(value=value[: LARGEST - around], headers=[*whole.headers, size])
    return whole._replace(key=None, value=value[: LARGEST // 2], headers=[*whole.headers[-ours:], size])


def tenant_of(value: bytes | None) -> str:
    """The tenant as far as the bytes tell, else ''. A search instead of a decoder: the bytes are broken."""
    found = _TENANT.search(value or b"")
    try:
        tenant = found[1].decode() if found else ""
    except UnicodeDecodeError:
        return ""
    return tenant if len(tenant) <= 64 else ""
