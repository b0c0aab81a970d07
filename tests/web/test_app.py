"""The process: what keeps it from starting, and how it ends."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from streams.config import load
from streams.errors import SettingsError
from streams.web.app import create_app, serve
from tests.web.conftest import SECRET

SERVE = (
    "import sys; from streams import config, logs; from streams.web.app import serve; logs.configure('info'); "
    "sys.exit(serve(config.load()))"
)


def test_a_short_secret_is_refused_at_start() -> None:
    with pytest.raises(SettingsError, match="SYNCLOGS_SECRET"):
        create_app(load(secret="short"))


def test_a_port_that_is_taken_is_said_with_its_number() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"127\.0\.0\.1:{port} \(Address already in use\).*SYNCLOGS_WEB_PORT"):
            serve(load(secret=SECRET, web_port=port))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0(number: signal.Signals, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = os.environ | {"SYNCLOGS_SECRET": SECRET, "SYNCLOGS_WEB_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-c", SERVE], env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        assert f"http://127.0.0.1:{port}" in process.stderr.readline()
        transport = httpx.HTTPTransport(retries=5)
        with httpx.Client(transport=transport) as client:
            assert client.get(f"http://127.0.0.1:{port}/healthz").text == "ok\n"
        process.send_signal(number)
        assert process.wait(10) == 0
        assert "Traceback" not in process.stderr.read()
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()
