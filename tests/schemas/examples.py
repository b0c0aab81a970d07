"""The example messages of `schemas/examples`: valid events, and for each dead-letter code messages that earn it.

They are files, so that people can read and send them; their times lie on one day, which is moved to the day wanted.
"""

import datetime as dt
from importlib.resources import files
from typing import NamedTuple

WRITTEN = dt.date(2026, 11, 23)


class Example(NamedTuple):
    name: str
    value: bytes

    @property
    def code(self) -> str:
        """The dead-letter code that an invalid example is named after: the longest that its name begins with."""
        from schemas.refusal import Code

        stem = self.name.partition(".")[0]
        return max((code.value for code in Code if stem.startswith(code.value)), key=len)


def valid(day: dt.date = WRITTEN) -> list[Example]:
    return _examples("valid", day)


def invalid(day: dt.date = WRITTEN) -> list[Example]:
    return _examples("invalid", day)


def _examples(kind: str, day: dt.date) -> list[Example]:
    folder = files("schemas").joinpath("examples", kind)
    written, moved = WRITTEN.isoformat().encode(), day.isoformat().encode()
    found = [Example(file.name, file.read_bytes().replace(written, moved)) for file in folder.iterdir()]
    return sorted(example for example in found if not example.name.startswith("."))


def noon(day: dt.date = WRITTEN) -> int:
    """The middle of the day, in ms since 1970."""
    return int(dt.datetime(day.year, day.month, day.day, 12, tzinfo=dt.UTC).timestamp() * 1000)
