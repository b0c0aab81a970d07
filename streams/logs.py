"""Structured logs: one JSON line an incident on standard error, where the supervisor's file takes it.

Never a payload, a message's text, a name or a secret: ids of partitions, codes and numbers only.
"""

import logging
import sys
import time

import structlog

QUIET_SECONDS = 10.0
"""A library's line is not repeated for so long: while a broker is away aiokafka says so a thousand times a second."""


def configure(level: str) -> None:
    """Once, at the start of a process. Libraries' own logs come through too, from warning on."""
    number = getattr(logging, level.upper())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        )
    )
    handler.addFilter(_Repeats())
    handler.setLevel(max(number, logging.WARNING))  # some libraries set their loggers' levels themselves
    logging.basicConfig(handlers=[handler], level=handler.level, force=True)
    # Logs the value that it could not encode, with a traceback; our error names the table and the kind.
    logging.getLogger("clickhouse_connect.driver.transform").setLevel(logging.CRITICAL)


class _Repeats(logging.Filter):
    """Drops a line whose logger, level and wording were there a moment ago, whatever the values in it."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, int, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        key = (record.name, record.levelno, str(record.msg)[:80])
        now = time.monotonic()
        if now - self._said.get(key, -QUIET_SECONDS) < QUIET_SECONDS:
            return False
        if len(self._said) > 1000:
            self._said.clear()
        self._said[key] = now
        return True


def log(room: str) -> structlog.typing.FilteringBoundLogger:
    """The logger of a room: `log("store").warning("insert_retried", table=..., partition=...)`."""
    return structlog.get_logger(room=room)  # type: ignore[no-any-return]
