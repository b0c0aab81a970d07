"""The compose file: valid by the compose specification, and its commands are commands that exist."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from streams.cli import main
from streams.config import PREFIX, Settings

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
OURS = ("topics", "migrate", "count", "store", "publish", "web")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return dict(YAML(typ="safe").load(FILE.read_text())["services"])


def test_it_is_valid_by_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", OURS)
def test_each_service_of_ours_runs_a_command_with_options_that_exist(services: dict[str, Any], name: str) -> None:
    command, *options = services[name]["command"]
    known = {option for given in main.commands[command].params for option in (*given.opts, *given.secondary_opts)}
    assert set(options) <= known


def test_every_setting_it_gives_is_a_setting(services: dict[str, Any]) -> None:
    given = {key for name in OURS for key in services[name]["environment"] if key.startswith(PREFIX)}
    assert given and given <= {PREFIX + name.upper() for name in Settings.model_fields}


def test_ports_are_published_on_loopback_only(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published and all(port.startswith("127.0.0.1:") for port in published)


def test_the_image_is_what_the_compose_file_builds(services: dict[str, Any]) -> None:
    assert {services[name]["build"]["dockerfile"] for name in OURS} == {"deploy/Dockerfile"}
    assert (ROOT / "deploy" / "Dockerfile").read_text().count("ENTRYPOINT [\"synclogs\"]") == 1
