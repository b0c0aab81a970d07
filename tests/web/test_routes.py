"""Every address declares who may open it, and is closed to everybody else. No database is needed to be refused."""

import datetime as dt
from collections.abc import AsyncIterator

import httpx
import jwt
import pytest
from fastapi.routing import APIRoute
from prometheus_client import REGISTRY

from streams.auth import VIEW_SYNC_LOGS, make_token
from streams.config import load
from streams.web.access import COOKIE, Require, local_path
from streams.web.app import create_app
from streams.web.problems import is_page
from streams.web.routes import ROUTES
from tests.web.conftest import SECRET

SETTINGS = load(secret=SECRET, clickhouse="http://127.0.0.1:9")  # nothing listens there
OPEN = {"/sign-in", "/sign-out", "/static/{name}", "/metrics", "/healthz", "/readyz"}
CLOSED = [route.path for route in ROUTES if route.path not in OPEN]


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(SETTINGS))
    async with httpx.AsyncClient(transport=transport, base_url="http://web") as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def address(path: str) -> str:
    return path.replace("{direction}", "books_to_fsm").replace("{sync_id:path}", "s-1")


def test_every_route_declares_exactly_one_action() -> None:
    routes = create_app(SETTINGS).routes
    assert len(routes) == len(ROUTES) == len({route.path for route in ROUTES})
    for route in routes:
        assert isinstance(route, APIRoute), f"{route} is not one of ours"
        actions = [d.call for d in route.dependant.dependencies if isinstance(d.call, Require)]
        assert len(actions) == 1, f"{route.path} declares {len(actions)} actions"
        assert actions[0].permission == (None if route.path in OPEN else VIEW_SYNC_LOGS), route.path


@pytest.mark.parametrize("path", CLOSED)
async def test_without_credentials_a_page_leads_to_signing_in_and_the_rest_is_401(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(address(path))
    if is_page(path):
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in")
        assert (await client.get(answer.headers["location"])).status_code == 200
    else:
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json().items() >= {"status": 401, "title": "Not signed in", "type": "about:blank"}.items()


@pytest.mark.parametrize("path", CLOSED)
async def test_without_the_permission_everything_is_403_and_says_which(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(address(path), headers=bearer(make_token(SETTINGS, "acme", [])))
    assert answer.status_code == 403
    assert "Two-way sync logs" in answer.text


@pytest.mark.parametrize(
    "token",
    [
        "nonsense",
        jwt.encode({"tenant": "acme"}, SECRET, algorithm="HS256"),
        make_token(load(secret="z" * 40), "acme"),
    ],
)
async def test_a_bad_token_is_401(client: httpx.AsyncClient, token: str) -> None:
    assert (await client.get("/api/v1/books_to_fsm/syncs", headers=bearer(token))).status_code == 401


async def test_a_sign_in_link_sets_the_session_and_leaves_the_address(client: httpx.AsyncClient) -> None:
    token = make_token(SETTINGS, "acme", ttl=dt.timedelta(hours=1))
    answer = await client.get(f"/sign-in?token={token}&next=/sync-errors")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sync-errors")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie and "path=/" in cookie
    assert 3_500 < int(cookie.partition("max-age=")[2].partition(";")[0]) <= 3_600
    assert (await client.get("/sync-errors")).status_code == 200
    answer = await client.post("/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert COOKIE not in client.cookies
    assert (await client.get("/sync-errors")).status_code == 303


async def test_over_https_the_session_is_only_sent_over_https() -> None:
    transport = httpx.ASGITransport(create_app(SETTINGS))
    async with httpx.AsyncClient(transport=transport, base_url="https://web") as client:
        answer = await client.get("/sign-in", params={"token": make_token(SETTINGS, "acme")})
    assert "secure" in answer.headers["set-cookie"].lower()


async def test_a_bad_sign_in_link_says_so_and_how_to_get_in(client: httpx.AsyncClient) -> None:
    answer = await client.get("/sign-in?token=nonsense")
    assert answer.status_code == 401
    assert "not valid" in answer.text and "sign-in link" in answer.text
    assert "set-cookie" not in answer.headers


async def test_another_site_can_not_sign_people_out(client: httpx.AsyncClient) -> None:
    answer = await client.post("/sign-out", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "address", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", "", "/a\nb", "\\\\evil"]
)
def test_a_sign_in_link_does_not_lead_elsewhere(address: str) -> None:
    assert local_path(address) == "/"


def test_a_sign_in_link_leads_to_a_page_of_ours() -> None:
    assert local_path("/sync-logs/books_to_fsm?period=26w") == "/sync-logs/books_to_fsm?period=26w"


async def test_errors_of_the_api_have_one_shape(client: httpx.AsyncClient) -> None:
    good = bearer(make_token(SETTINGS, "acme"))
    for path, status in (
        ("/api/v1/nowhere", 404),
        ("/api/v1/sideways/syncs", 404),
        ("/api/v1/books_to_fsm/syncs?cursor=forged", 400),
        ("/api/v1/books_to_fsm/syncs", 503),
    ):
        answer = await client.get(path, headers=good)
        assert answer.status_code == status, (path, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json().keys() == {"type", "title", "status", "detail", "instance"}
        assert answer.json()["status"] == status
    answer = await client.post("/api/v1/books_to_fsm/syncs", headers=good)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


async def test_while_clickhouse_is_away_people_are_told_when_to_come_back(client: httpx.AsyncClient) -> None:
    good = bearer(make_token(SETTINGS, "acme"))
    for path in ("/sync-logs/books_to_fsm", "/sync-logs/books_to_fsm/failed.csv", "/api/v1/books_to_fsm/summary"):
        answer = await client.get(path, headers=good)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "does not answer at the moment" in answer.text
        assert "127.0.0.1" not in answer.text
    ready = await client.get("/readyz")
    assert (ready.status_code, "127.0.0.1:9 does not answer" in ready.text) == (503, True)
    assert (await client.get("/healthz")).status_code == 200


async def test_the_page_of_reasons_needs_no_database(client: httpx.AsyncClient) -> None:
    answer = await client.get("/sync-errors", headers=bearer(make_token(SETTINGS, "acme")))
    assert answer.status_code == 200
    for words in (
        "The following mandatory field(s) were left empty:",
        "Contact with this email-id is already associated with this company",
        'id="unclassified"',
    ):
        assert words in answer.text


async def test_requests_are_counted_by_the_template_of_their_route(client: httpx.AsyncClient) -> None:
    def counted(route: str) -> float:
        labels = {"route": route, "method": "GET", "status": "401"}
        return REGISTRY.get_sample_value("synclogs_http_requests_total", labels) or 0

    before = counted("/api/v1/{direction}/syncs/{sync_id:path}")
    await client.get("/api/v1/books_to_fsm/syncs/very-secret-id")
    assert counted("/api/v1/{direction}/syncs/{sync_id:path}") == before + 1
    text = (await client.get("/metrics")).text
    assert "synclogs_denied_total" in text
    assert "very-secret-id" not in text and "acme" not in text


async def test_every_answer_forbids_foreign_scripts_and_frames(client: httpx.AsyncClient) -> None:
    for path in ("/sign-in", "/healthz", "/nowhere", "/api/v1/books_to_fsm/syncs"):
        headers = (await client.get(path)).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "private, no-store"


async def test_pages_have_no_inline_script_or_style_and_ask_no_other_host(client: httpx.AsyncClient) -> None:
    page = (await client.get("/sign-in")).text
    assert "<script>" not in page and "style=" not in page and "//" not in page.replace("</", "")
    for line in page.splitlines():
        if "/static/" in line:
            asset = line.partition('"/static/')[2].partition('"')[0]
            answer = await client.get(f"/static/{asset}")
            assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
    assert (await client.get("/static/../auth.py")).status_code == 404
    assert (await client.get("/static/app.py")).status_code == 404
