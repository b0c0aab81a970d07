"""What aiokafka needs to outlive a connection that breaks at the wrong moment under uvloop.

asyncio lets a program write to a transport that has just closed, and drops the bytes; uvloop raises RuntimeError.
aiokafka expects OSError there: its background tasks (metadata, fetching, the group, transactions) end for good, each
without a word, and the process lives on as a shell of itself. `prepare` makes it the error that they all survive.
"""

from collections.abc import Callable
from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

_send: Callable[..., Any] = AIOKafkaConnection.send


def prepare() -> None:
    """Once for a process that runs on uvloop, before its first connection."""
    AIOKafkaConnection.send = _guarded_send


def _guarded_send(self: Any, request: Any, expect_response: bool = True) -> Any:
    try:
        return _send(self, request, expect_response=expect_response)
    except RuntimeError as error:
        self.close(reason=CloseReason.CONNECTION_BROKEN, exc=error)
        raise KafkaConnectionError(f"Connection at {self.host}:{self.port} broken: {error}") from error
