"""A failed record as the CSV and the API show it: stable column names, one flat row, cells that are safe to open.

The names are a contract with people's spreadsheets and scripts: none is ever renamed or moved; new ones come at the
end. Comes in: the tuples of `published.Failures`. Goes out: the flat row, and bytes of RFC 4180.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

from schemas.event import MAX_ERRORS
from schemas.reasons import CATALOGUE
from streams import clock

COLUMNS: tuple[str, ...] = (
    *("event_id", "sync_id", "module", "record_id", "record_name", "operation", "occurred_at"),
    *("reason", "reason_title", "error_count"),
    *(f"error_{n}_{part}" for n in range(1, MAX_ERRORS + 1) for part in ("code", "message", "field")),
    *("attempt", "target_id", "truncated", "payload"),
)
_TITLES = {reason.code: reason.title for reason in CATALOGUE.reasons}
_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?")


def flat(row: Sequence[Any]) -> list[Any]:
    """The values of COLUMNS. `truncated` is joined by semicolons, `payload` is the JSON text as it came."""
    (event, sync_id, module, record_id, record_name, operation, occurred_ms, reason, codes, messages, fields,
     attempt, target_id, truncated, payload) = row  # fmt: skip
    errors: list[str] = []
    for number, code in enumerate(codes[:MAX_ERRORS]):
        errors += (code, messages[number], fields[number])
    errors += [""] * (3 * MAX_ERRORS - len(errors))
    occurred_at = clock.rfc3339(clock.from_ms(occurred_ms))
    title = _TITLES.get(reason, reason)
    head = [event, sync_id, module, record_id, record_name, operation, occurred_at, reason, title, len(codes)]
    return [*head, *errors, attempt, target_id, ";".join(truncated), payload]


def safe(cell: Any) -> Any:
    """The cell as a spreadsheet may open it.

    A text that a spreadsheet would run as a formula gets an apostrophe in front; a plain number such as -5 is none and
    stays. NUL, at which many programs stop reading, becomes U+FFFD.
    """
    if not isinstance(cell, str) or not cell:
        return cell
    if "\0" in cell:
        cell = cell.replace("\0", "\ufffd")
    if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return "'" + cell
    return cell


def as_csv(rows: Iterable[Sequence[Any]]) -> bytes:
    """Lines of RFC 4180 in UTF-8, each ended by CRLF."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows([safe(cell) for cell in row] for row in rows)
    return text.getvalue().encode("utf-8", "replace")
