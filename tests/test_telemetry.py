"""What a process tells about itself: over real HTTP, on a port of its own."""

import http.client
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from streams.errors import SettingsError
from streams.telemetry import Telemetry

why_not = ""


@pytest.fixture
def address() -> Iterator[str]:
    telemetry = Telemetry("127.0.0.1", 0, lambda: why_not)
    yield telemetry.address
    telemetry.close()


def get(address: str, path: str) -> tuple[int, str, str]:
    url = urlsplit(address)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, answer.headers["Content-Type"], text


def test_metrics_are_served_as_prometheus_reads_them(address: str) -> None:
    status, kind, text = get(address, "/metrics")
    assert (status, kind.split(";")[0]) == (200, "text/plain")
    assert "\nsynclogs_build_info{" in text


def test_a_process_is_ready_when_nothing_speaks_against_it_and_else_says_what(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert get(address, "/readyz")[::2] == (200, "ready\n")
    monkeypatch.setitem(globals(), "why_not", "no partition is assigned")
    assert get(address, "/readyz")[::2] == (503, "no partition is assigned\n")
    assert get(address, "/healthz")[::2] == (200, "ok\n"), "not ready is no reason to be killed"


def test_an_address_that_does_not_exist_is_told_those_that_do(address: str) -> None:
    status, _, text = get(address, "/")
    assert status == 404
    assert all(path in text for path in ("/metrics", "/healthz", "/readyz"))


def test_a_port_in_use_is_a_sentence_that_names_the_setting_and_the_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"SYNCLOGS_METRICS_PORT is {port} .*Address already in use"):
            Telemetry("127.0.0.1", port, lambda: "")


def test_a_closed_one_frees_its_port() -> None:
    first = Telemetry("127.0.0.1", 0, lambda: "")
    first.close()
    port = urlsplit(first.address).port or 0
    second = Telemetry("127.0.0.1", port, lambda: "")
    assert get(second.address, "/healthz")[0] == 200
    second.close()
