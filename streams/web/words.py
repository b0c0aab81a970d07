"""How things are worded and addressed: moments, outcomes, reconciliation, and the links between the addresses.

Pure functions of values; templates call those in FOR_TEMPLATES. Every link to a file or to a page of a list is made
here, so that what it names is written in one place.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

from markupsafe import Markup

from schemas import directions
from schemas.reasons import CATALOGUE, UNCLASSIFIED, Reason
from streams import clock
from streams.clickhouse.queries.published import Pointer

OUTCOMES = {
    "running": ("Running", "Started or logging at the time of the cut, and not finished."),
    "completed": ("Completed", "Every record was carried over or left out on purpose."),
    "partly_failed": ("Partly failed", "Some records were carried over, some failed."),
    "failed": ("Failed", "No record was carried over, and at least one failed."),
    "incomplete": ("Incomplete", "Fewer records were logged than the sync said it carries."),
}
PERIOD_WORDS = {"62d": "the last two months (62 days)", "26w": "the last six months (26 weeks)"}
STATUSES = {"success": "Succeeded", "failed": "Failed", "skipped": "Skipped"}
UNKNOWN_PATH = "/sync-errors/unknown"
SAMPLE_CHARACTERS = 300
"""Of a message on a page; the file has it whole."""
SETTING_PATH = "/setup/billing/billing-setup/sync-setting"


def moment(at: dt.datetime | int | None) -> Markup:
    """A time element in UTC, which the page's script turns to the viewer's zone. Milliseconds will do."""
    if at is None:
        return Markup('<span class="none">–</span>')
    if isinstance(at, int):
        at = clock.from_ms(at)
    words = f"{at.day} {at:%b %Y, %H:%M} UTC"
    return Markup('<time datetime="{}">{}</time>').format(clock.rfc3339(at), words)


def day(date: str) -> str:
    """`2026-11-03` as `Tue 3 Nov`."""
    parsed = dt.date.fromisoformat(date)
    return f"{parsed:%a} {parsed.day} {parsed:%b}"


def outcome(code: str) -> tuple[str, str]:
    """Name and explanation of a sync's outcome."""
    return OUTCOMES.get(code, (code, ""))


def reason(code: str) -> Reason:
    """The catalogue's entry. A code that left the catalogue is shown as it stands, with the words of `unclassified`."""
    known = CATALOGUE.by_code.get(code)
    if known is not None:
        return known
    return replace(CATALOGUE.by_code[UNCLASSIFIED], code=code, title=code)


def examples(entry: Reason) -> list[str]:
    """At most three messages that have the reason, those that a person can read: no JSON or XML around them."""
    return [e.message for e in entry.positive if e.message and e.message[0] not in "{[<"][:3]


def reconciliation(pointer: Pointer) -> str:
    """What to say about the live counts at the cut; nothing when they agree."""
    if pointer.reconciliation == "exact":
        return ""
    if pointer.reconciliation == "differs":
        return (
            f"The independent live count differed from these figures by {pointer.difference} at the time of the cut. "
            "The figures here come from the stored records, where an event that was sent again is one."
        )
    return "These figures were not checked against the independent live count: it was not there in time."


def direction_path(code: str) -> str:
    return f"/sync-logs/{code}"


def sync_path(code: str, sync_id: str) -> str:
    return f"{direction_path(code)}/syncs/{quote(sync_id, safe='')}"


def csv_path(
    code: str, snapshot: int, sync_id: str | None = None, reason: str | None = None, period: str | None = None
) -> str:
    """The file of the failed records of a sync or of a period, of one reason where it is given."""
    place = direction_path(code) if sync_id is None else sync_path(code, sync_id)
    given = {"reason": reason, "period": period, "snapshot": snapshot}
    return f"{place}/failed.csv?" + urlencode({name: value for name, value in given.items() if value is not None})


def unknown_path(code: str, period: str, snapshot: int | None = None, cursor: str | None = None) -> str:
    """The page of the failures of a direction that were not recognised."""
    return with_query(UNKNOWN_PATH, direction=code, period=period, snapshot=snapshot, cursor=cursor)


def with_query(path: str, **given: Any) -> str:
    """`path` with those of the parameters that have a value."""
    query = urlencode({name: value for name, value in given.items() if value not in (None, "")})
    return f"{path}?{query}" if query else path


def present_page(path: str) -> str:
    """The page that shows the present snapshot of what `path` showed: without its file name and parameters."""
    place = path.removesuffix("/failed.csv")
    if place.startswith("/api/v1/"):
        return direction_path(place.split("/")[3])
    return quote(place)


FOR_TEMPLATES: dict[str, Callable[..., Any] | Any] = {
    "moment": moment,
    "day": day,
    "outcome": outcome,
    "reason_of": reason,
    "examples": examples,
    "direction_path": direction_path,
    "sync_path": sync_path,
    "csv_path": csv_path,
    "unknown_path": unknown_path,
    "with_query": with_query,
    "tabs": directions.tabs,
    "STATUSES": STATUSES,
    "PERIOD_WORDS": PERIOD_WORDS,
    "SETTING_PATH": SETTING_PATH,
    "UNKNOWN_PATH": UNKNOWN_PATH,
    "SAMPLE_CHARACTERS": SAMPLE_CHARACTERS,
    "FIRST_DIRECTION": next(iter(directions.DIRECTIONS)),
}
