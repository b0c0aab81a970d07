"""`synclogs emit`: NDJSON in, events out. A line that is no event is named with its number and kept in a file."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from schemas import topics
from schemas.decode import decode
from schemas.refusal import Refusal
from streams import clock
from streams.config import Settings
from streams.errors import KafkaUnavailable, UsageError
from streams.ingest.emitter import Emitter

CHUNK = 500
SHOWN = 20


class Line(NamedTuple):
    """A line of the input as the decoder wants it: its number stands for an offset, now for its Kafka timestamp."""

    value: bytes
    offset: int
    timestamp: int


@dataclass
class Outcome:
    """What became of the lines: counts, and the first rejected with their numbers."""

    accepted: int = 0
    rejected: int = 0
    refused: int = 0
    shown: list[tuple[int, Refusal]] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)


async def emit(
    settings: Settings, source: BinaryIO, rejected: Path, progress: Callable[[int], None], tell: Callable[[str], None]
) -> Outcome:
    """Send every line of `source` that is an event; write the others to `rejected` byte for byte.

    `progress` is told the bytes read, and `tell` why it has to wait, where it has to. The file is only made where a
    line was rejected, and then anew. UsageError if it can't be, as a rule before the first event is sent.
    """
    _can_be_written(rejected, source)
    outcome = Outcome()
    emitter = Emitter(settings, tell=tell)
    try:
        async with emitter:
            for lines in _chunks(source):
                await _send(emitter, lines, rejected, outcome)
                progress(sum(len(line.value) + 1 for line in lines))
                await asyncio.sleep(0)  # lets the batches go on their way while a fast disk is read
    except KafkaUnavailable as error:
        sent = f"{emitter.accepted} events were accepted" if emitter.sent else "nothing was sent"
        raise KafkaUnavailable(f"{error} ({sent}; send the file again, the same event_id counts once)") from error
    finally:
        outcome.accepted, outcome.refused, outcome.errors = emitter.accepted, emitter.refused, dict(emitter.errors)
    return outcome


def _can_be_written(rejected: Path, source: BinaryIO) -> None:
    if not os.access(rejected.parent, os.W_OK | os.X_OK):
        raise _unwritable(rejected, f"no folder {rejected.parent} that can be written to")
    with contextlib.suppress(OSError):  # not there yet, or the source is no file
        if os.path.samestat(rejected.stat(), os.fstat(source.fileno())):
            raise _unwritable(rejected, "it is the file that is read")


def _unwritable(rejected: Path, why: str | None) -> UsageError:
    return UsageError(f"rejected lines can't be kept in {rejected}: {why}; name another file with --rejected")


async def _send(emitter: Emitter, lines: list[Line], rejected: Path, outcome: Outcome) -> None:
    decoded = decode(lines)
    values = {line.offset: line.value for line in lines}
    for event, offset in zip(decoded.events, decoded.offsets, strict=True):
        await emitter.send(topics.record_key(event.tenant_id, event.record_id), values[offset])
    for mark in decoded.marks:
        await emitter.send(topics.record_key(mark.event.tenant_id, mark.event.sync_id), values[mark.offset])
    if decoded.refused:
        try:
            with rejected.open("ab" if outcome.rejected else "wb") as file:
                file.writelines(values[message.offset] + b"\n" for message, _ in decoded.refused)
        except OSError as error:
            raise _unwritable(rejected, error.strerror) from error
        outcome.rejected += len(decoded.refused)
        found = [(message.offset, refusal) for message, refusal in decoded.refused]
        outcome.shown += found[: SHOWN - len(outcome.shown)]


def _chunks(source: Iterable[bytes]) -> Iterator[list[Line]]:
    """Lines by the chunk; empty ones are left out but counted. A file without a last line break is whole."""
    chunk: list[Line] = []
    for number, text in enumerate(source, 1):
        if value := text.rstrip(b"\r\n"):
            chunk.append(Line(value, number, clock.now_ms()))
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
