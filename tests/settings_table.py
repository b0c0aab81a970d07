"""Tables of the READMEs that are made from code: settings, refusals. `python -m tests.settings_table` writes them."""

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from streams.clickhouse import refusals
from streams.config import Settings, variable

README = Path(__file__).parents[1] / "README.md"
DATA_PATH = Path(__file__).parents[1] / "streams" / "README.md"


def table() -> str:
    lines = ["| setting | default | allowed | what it is |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        lines.append(f"| `{variable(name)}` | {_default(field)} | {_allowed(field)} | {field.description} |")
    return "\n".join(lines) + "\n"


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return f"`{str(value).lower() if isinstance(value, bool) else value}`" if value != "" else "none"


def _allowed(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(field.annotation))
    if field.annotation is bool:
        return "`true`, `false`"
    if field.annotation not in (int, float):
        return "text"
    least = [str(rule.ge) for rule in field.metadata if isinstance(rule, Ge)]
    above = [f"above {rule.gt}" for rule in field.metadata if isinstance(rule, Gt)]
    most = [f"to {rule.le}" for rule in field.metadata if isinstance(rule, Le)]
    kind = "whole number" if field.annotation is int else "number"
    return f"{kind}, " + " ".join(above or [*(least if most else [f"at least {least[0]}"]), *most])


def readme_with(text: str, wanted: str, name: str = "settings") -> str:
    """`text` with the table between the markers of its name."""
    first, last = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, start, rest = text.partition(first)
    _, end, after = rest.partition(last)
    if not (start and end):
        raise SystemExit(f"there are no lines {first.strip()} and {last}: put them where the table belongs")
    return before + start + wanted + end + after


if __name__ == "__main__":
    README.write_text(readme_with(README.read_text(), table()))
    DATA_PATH.write_text(readme_with(DATA_PATH.read_text(), refusals.table(), "refusals"))
