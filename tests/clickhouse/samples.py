"""A row of each table that workers write, with values that are all different from the columns' defaults."""

import datetime as dt
import re
from typing import Any

from schemas.rows import TableColumns

MOMENT = dt.datetime(2026, 11, 16, 12, 34, 56, 789_000, tzinfo=dt.UTC)
UUID = "7d444840-9dc0-11d1-b245-5ffdce74fad2"


def sample(table: TableColumns) -> dict[str, Any]:
    return {name: _value(name, kind) for name, kind in zip(table.names, table.types, strict=True)}


def _value(name: str, kind: str) -> Any:
    kind = re.sub(r"LowCardinality\((\w+)\)", r"\1", kind)
    if name == "event_id":
        return UUID
    if name == "catalogue_version":
        return 3
    match kind.partition("(")[0]:
        case "Array":
            return [_value("", kind[6:-1]), _value("", kind[6:-1])]
        case "Date":
            return MOMENT.date()
        case "DateTime":
            return MOMENT.replace(microsecond=0)
        case "DateTime64":
            return MOMENT
        case "Map":
            return {1: 2, 65_535: 2**64 - 1}
        case "String":
            return f"{name} with 'quotes', \\ and \N{SNOWMAN}"
        case "UUID":
            return UUID
        case integer:
            return 2 ** int(integer.removeprefix("UInt")) - 1
