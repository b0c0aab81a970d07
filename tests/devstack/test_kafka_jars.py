import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from streams.devstack import kafka_jars
from streams.devstack.kafka_jars import Jar, JarsRefused, jar_folder, locked, prepare, verified


def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that nobody runs, in place of every way out of this machine."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)


def test_lock_pins_kafka_and_its_logging_without_an_address() -> None:
    lock = locked()
    coordinates = {jar.coordinates for jar in lock.jars}
    assert set(lock.endpoints) <= coordinates
    assert "org.apache.kafka:kafka-clients:4.3.1" in coordinates, "the endpoint that comes first decides"
    assert len({jar.name for jar in lock.jars}) == len(lock.jars)
    assert all(re.fullmatch("[0-9a-f]{64}", jar.sha256) for jar in lock.jars)
    assert "://" not in Path(kafka_jars.__file__).with_name("kafka.lock.toml").read_text()


def test_missing_jar_is_named_with_what_to_do(tmp_path: Path) -> None:
    first = locked().jars[0].name
    with pytest.raises(JarsRefused, match=f"{re.escape(first)} is missing: run `make setup`"):
        verified(tmp_path)


def test_download_without_network_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_network(monkeypatch)
    lines: list[str] = []
    with pytest.raises(JarsRefused, match="cannot be downloaded.* reaches Maven Central"):
        prepare(lines.append, tmp_path)
    assert re.fullmatch(r"Kafka: downloading (\d+) of \1 jars, \d+\.\d MB", lines[0])


class Artifact:
    """What jgo gives for one coordinate: here a file of our own making."""

    def __init__(self, jar: Jar, content: bytes, folder: Path) -> None:
        self.groupId, self.artifactId, self.version = jar.group, jar.artifact, jar.version
        self._path = folder / jar.name
        self._path.write_bytes(content)

    def resolve(self) -> Path:
        return self._path


def test_download_that_is_not_the_pinned_jar_is_refused_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {(jar.group, jar.artifact): Artifact(jar, b"something else", tmp_path) for jar in locked().jars}
    monkeypatch.setattr(kafka_jars, "_resolve", lambda endpoints, repository: found)
    first = locked().jars[0]
    with pytest.raises(JarsRefused, match=f"{re.escape(first.coordinates)} as downloaded is not the pinned one"):
        prepare(lambda line: None, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("**/*.jar"))


def test_other_dependencies_than_the_pinned_ones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jars = [*locked().jars[1:], replace(locked().jars[0], version="9.9.9")]
    found = {(jar.group, jar.artifact): Artifact(jar, b"", tmp_path) for jar in jars}
    monkeypatch.setattr(kafka_jars, "_resolve", lambda endpoints, repository: found)
    with pytest.raises(JarsRefused, match=r"not the pinned ones: .*kafka_2.13:4.3.1, .*kafka_2.13:9.9.9$"):
        prepare(lambda line: None, tmp_path / "cache")


@pytest.mark.stack
def test_second_run_needs_no_network(kafka_jars: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    no_network(monkeypatch)
    lines: list[str] = []
    assert prepare(lines.append) == kafka_jars
    assert lines == []


@pytest.mark.stack
@pytest.mark.parametrize("damage", ["cut", "exchanged"])
def test_damaged_jar_is_refused_by_its_name(kafka_jars: list[Path], tmp_path: Path, damage: str) -> None:
    folder = jar_folder(tmp_path)
    shutil.copytree(kafka_jars[0].parent, folder, copy_function=_link)
    victim = folder / kafka_jars[7].name
    whole = victim.read_bytes()
    victim.unlink()
    victim.write_bytes(whole[:-1] if damage == "cut" else whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(JarsRefused, match=f"{re.escape(victim.name)} is damaged"):
        prepare(lambda line: None, tmp_path)


def _link(source: str, target: str) -> str:
    Path(target).symlink_to(source)
    return target
