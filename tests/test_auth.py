"""Tokens: who is let in, and why everybody else is not."""

import base64
import datetime as dt
import json
import time

import jwt
import pytest

from streams.auth import VIEW_SYNC_LOGS, Cause, Decision, Keys, decide, make_token
from streams.config import Settings, load
from streams.errors import SettingsError, UsageError

SECRET = "a secret of more than thirty-two characters"
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def settings() -> Settings:
    return load(secret=SECRET)


def claims(**changed: object) -> dict[str, object]:
    now = int(time.time())
    good: dict[str, object] = {"iss": "synclogs", "aud": "synclogs", "iat": now, "exp": now + 60, "tenant": "acme"}
    return {k: v for k, v in (good | {"permissions": [VIEW_SYNC_LOGS]} | changed).items() if v is not None}


def test_a_token_names_its_tenant_and_permissions(settings: Settings) -> None:
    caller = Keys(settings).identify(make_token(settings, "acme"))
    assert (caller.tenant, caller.permissions, caller.cause) == ("acme", frozenset({VIEW_SYNC_LOGS}), None)
    assert decide(caller, VIEW_SYNC_LOGS) == Decision(True, None)


def test_nobody_may_do_anything(settings: Settings) -> None:
    assert decide(Keys(settings).identify(""), VIEW_SYNC_LOGS) == Decision(False, Cause.NO_TOKEN)


def test_a_caller_without_the_permission_is_denied(settings: Settings) -> None:
    caller = Keys(settings).identify(make_token(settings, "acme", []))
    assert decide(caller, VIEW_SYNC_LOGS) == Decision(False, Cause.NO_PERMISSION)


def test_a_permission_that_does_not_exist_allows_nothing(settings: Settings) -> None:
    token = jwt.encode(claims(permissions=["everything"]), SECRET, algorithm="HS256")
    assert decide(Keys(settings).identify(token), "everything") == Decision(False, Cause.NO_PERMISSION)


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "gateway"},
        {"iss": "somebody"},
        {"aud": None},
        {"iss": None},
        {"exp": None},
        {"iat": None},
        {"tenant": None},
        {"tenant": ""},
        {"tenant": 7},
        {"tenant": "x" * 65},
        {"permissions": None},
        {"permissions": VIEW_SYNC_LOGS},
    ],
)
def test_a_token_made_for_another_use_is_refused(settings: Settings, changed: dict[str, object]) -> None:
    token = jwt.encode(claims(**changed), SECRET, algorithm="HS256")
    assert Keys(settings).identify(token).cause is Cause.BAD_TOKEN


def test_an_expired_token_is_said_to_be_expired(settings: Settings) -> None:
    token = jwt.encode(claims(exp=int(time.time()) - 60), SECRET, algorithm="HS256")
    assert Keys(settings).identify(token).cause is Cause.EXPIRED


def test_other_algorithms_and_other_secrets_are_refused(settings: Settings) -> None:
    keys = Keys(settings)
    longer = jwt.encode(claims(), SECRET * 2, algorithm="HS512")
    same_secret = jwt.encode(claims(), SECRET * 2, algorithm="HS256")
    head, body = (base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in ({"alg": "none"}, claims()))
    unsigned = f"{head.decode()}.{body.decode()}."
    tampered = make_token(settings, "acme")[:-4] + "AAAA"
    for token in (longer, same_secret, unsigned, tampered, "nonsense", "a.b.c", "ü"):
        assert keys.identify(token).cause is Cause.BAD_TOKEN


def test_a_short_secret_is_refused_by_its_name_and_not_shown() -> None:
    with pytest.raises(SettingsError, match=r"SYNCLOGS_SECRET has 9 characters.*at least 32") as error:
        Keys(load(secret="too short"))
    assert "too short" not in str(error.value)


@pytest.mark.parametrize(
    ("tenant", "permissions", "ttl", "words"),
    [
        ("", [VIEW_SYNC_LOGS], HOUR, "tenant '' has 0 characters"),
        ("x" * 65, [VIEW_SYNC_LOGS], HOUR, "65 characters"),
        ("acme", ["admin"], HOUR, "permission 'admin' is not known"),
        ("acme", [VIEW_SYNC_LOGS], dt.timedelta(0), "valid for 0:00:00"),
    ],
)
def test_a_token_that_could_not_be_used_is_not_made(
    settings: Settings, tenant: str, permissions: list[str], ttl: dt.timedelta, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        make_token(settings, tenant, permissions, ttl)
