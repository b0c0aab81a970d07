"""Kafka's jars: which ones, fetched by jgo from Maven Central into a cache, each checked against our own SHA-256 list.

`kafka.lock.toml` beside this file is the list. `prepare` downloads what is missing; `verified` reads every jar again
before each start (a tenth of a second), so that a damaged or exchanged one is never run.
"""

import fcntl
import hashlib
import os
import shutil
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from streams import config
from streams.errors import StackError

Progress = Callable[[str], None]


class JarsRefused(StackError):
    """Kafka's jars are missing, damaged or cannot be fetched; the text says which and what to do."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One artifact of the lock: Maven coordinates without an address, its size in bytes and SHA-256."""

    group: str
    artifact: str
    version: str
    sha256: str
    size: int

    @property
    def name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    @property
    def coordinates(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"


def default_cache() -> Path:
    """Where the settings have downloads kept; raises SettingsError."""
    return Path(config.load().cache).expanduser().absolute()


@dataclass(frozen=True, slots=True)
class Lock:
    """What `kafka.lock.toml` says: the endpoints that jgo resolves, in order, and every jar that they must give."""

    endpoints: list[str]
    jars: list[Jar]


def locked() -> Lock:
    """Reads the lock."""
    lock = tomllib.loads((files(__package__) / "kafka.lock.toml").read_text())
    return Lock(lock["endpoints"], [Jar(**jar) for jar in lock["jar"]])


def jar_folder(cache: Path) -> Path:
    """The folder that holds the jars of this lock and nothing else."""
    return cache / f"kafka-{locked().endpoints[0].rsplit(':', 1)[1]}"


def verified(cache: Path) -> list[Path]:
    """The jars in the order of the class path. Raises JarsRefused naming the first missing or damaged one.

    Asks no network.
    """
    jars = locked().jars
    folder = jar_folder(cache)
    for jar in jars:
        path = folder / jar.name
        if not path.is_file():
            raise JarsRefused(f"{path} is missing: run `make setup`, which downloads Kafka")
        if _sha256(path) != jar.sha256:
            raise JarsRefused(f"{path} is damaged: its SHA-256 is not the pinned one. Delete it, then run `make setup`")
    return [folder / jar.name for jar in jars]


def prepare(progress: Progress, cache: Path | None = None) -> list[Path]:
    """The verified jars, downloaded first where they are missing; without a network access where none is.

    `progress` gets one line for each step. Several processes may call this at once: one downloads, the others wait.
    Raises JarsRefused where a download fails or a jar is not the pinned one.
    """
    cache = cache or default_cache()
    lock = locked()
    folder = jar_folder(cache)
    with _one_at_a_time(cache):
        missing = [jar for jar in lock.jars if not (folder / jar.name).is_file()]
        if missing:
            size = sum(jar.size for jar in missing) / 1e6
            progress(f"Kafka: downloading {len(missing)} of {len(lock.jars)} jars, {size:.1f} MB")
            _download(lock, missing, cache, progress)
        return verified(cache)


def _download(lock: Lock, missing: list[Jar], cache: Path, progress: Progress) -> None:
    """Fetches through jgo into a folder of its own; only a jar that passed its check is moved beside the others."""
    incoming = cache / "incoming"
    # jgo writes straight into its repository: what a broken download left there would pass for a whole jar.
    for leftover in incoming.glob("**/*.jar"):
        leftover.unlink()
    folder = jar_folder(cache)
    folder.mkdir(parents=True, exist_ok=True)
    done = 0
    try:
        artifacts = _resolve(lock.endpoints, incoming)
        _check_same(lock.jars, artifacts)
        for number, jar in enumerate(missing, 1):
            fetched = Path(artifacts[jar.group, jar.artifact].resolve())
            if _sha256(fetched) != jar.sha256:
                raise JarsRefused(f"{jar.coordinates} as downloaded is not the pinned one: its SHA-256 differs")
            os.replace(fetched, folder / jar.name)
            done += jar.size
            if number % 10 == 0 or number == len(missing):
                progress(f"Kafka: {number} of {len(missing)} jars, {done / 1e6:.1f} MB")
    except (OSError, RuntimeError, ValueError) as error:
        raise JarsRefused(
            f"Kafka's jars cannot be downloaded ({type(error).__name__}: {error}). "
            "Check that this machine reaches Maven Central, then run `make setup` again"
        ) from error
    shutil.rmtree(incoming)


def _resolve(endpoints: list[str], repository: Path) -> dict[tuple[str, str], Any]:
    """jgo's artifacts by group and name, its downloads going to `repository` and not to the user's ~/.m2.

    Each endpoint is resolved by itself and the first one's versions win: resolved together, the logging library's
    own list of versions would replace Kafka's client by an older one.
    """
    import jgo  # half a second of imports that only a download needs

    before = os.environ.get("M2_REPO")
    os.environ["M2_REPO"] = str(repository)  # the only way to tell jgo.resolve() its repository
    artifacts: dict[tuple[str, str], Any] = {}
    try:
        for endpoint in endpoints:
            for artifact in jgo.resolve(endpoint):
                artifacts.setdefault((artifact.groupId, artifact.artifactId), artifact)
    finally:
        if before is None:
            del os.environ["M2_REPO"]
        else:
            os.environ["M2_REPO"] = before
    return artifacts


def _check_same(jars: list[Jar], artifacts: dict[tuple[str, str], Any]) -> None:
    wanted = {jar.coordinates for jar in jars}
    found = {f"{a.groupId}:{a.artifactId}:{a.version}" for a in artifacts.values()}
    if wanted != found:
        raise JarsRefused(f"Kafka's dependencies are not the pinned ones: {', '.join(sorted(wanted ^ found))}")


def _sha256(path: Path) -> str:
    with path.open("rb") as jar:
        return hashlib.file_digest(jar, "sha256").hexdigest()


@contextmanager
def _one_at_a_time(cache: Path) -> Iterator[None]:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = (cache / "download.lock").open("w")
    except OSError as error:
        raise JarsRefused(f"cache {cache} cannot be used: {error.strerror}; set SYNCLOGS_CACHE") from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
