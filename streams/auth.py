"""Who may do what: a signed token names a tenant and its permissions; everything that is not allowed is denied.

Two steps, so that each can be tested alone: `Keys.identify` says who calls (or why nobody does), `decide` whether that
caller may do a thing, with the reason. A token is a JWT signed by the secret of the settings; one algorithm only.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import jwt

from streams import clock
from streams.config import PREFIX, Settings
from streams.errors import SettingsError, UsageError

VIEW_SYNC_LOGS = "two_way_sync_logs.view"
PERMISSIONS = {VIEW_SYNC_LOGS: "Two-way sync logs"}
"""Every permission there is, with the name that an administrator knows it by."""

SHORTEST_SECRET = 32
_ALGORITHM = "HS256"
_NAME = "synclogs"  # issuer and audience: a token signed by the same secret for another use is none of ours
_LEEWAY = 10  # seconds that the clocks of two of our machines may be apart


class Cause(StrEnum):
    """Why somebody was denied."""

    NO_TOKEN = "no_token"
    BAD_TOKEN = "bad_token"
    EXPIRED = "expired"
    NO_PERMISSION = "no_permission"


@dataclass(frozen=True)
class Caller:
    """Who calls. Without a tenant it is nobody, and `cause` says why."""

    tenant: str = ""
    permissions: frozenset[str] = frozenset()
    expires_at: dt.datetime = dt.datetime.min.replace(tzinfo=clock.UTC)
    cause: Cause | None = None


@dataclass(frozen=True)
class Decision:
    allowed: bool
    cause: Cause | None


class Keys:
    """Signs and checks tokens. SettingsError when the secret is too short to sign anything."""

    def __init__(self, settings: Settings) -> None:
        self._secret = settings.secret.get_secret_value()
        if len(self._secret.encode()) < SHORTEST_SECRET:
            raise SettingsError(
                f"{PREFIX}SECRET has {len(self._secret)} characters: it signs tokens and sessions and needs at least "
                f"{SHORTEST_SECRET}, for example from `openssl rand -hex 32`"
            )

    def make(self, tenant: str, permissions: Iterable[str], ttl: dt.timedelta) -> str:
        """A token for `tenant`, valid for `ttl`. UsageError for a tenant or permission that can't be."""
        granted = sorted(set(permissions))
        if not 1 <= len(tenant) <= 64:
            raise UsageError(f"tenant {tenant!r} has {len(tenant)} characters; a tenant has 1 to 64")
        if unknown := [name for name in granted if name not in PERMISSIONS]:
            raise UsageError(f"permission {unknown[0]!r} is not known; there is {', '.join(PERMISSIONS)}")
        if ttl <= dt.timedelta(0):
            raise UsageError(f"a token valid for {ttl} would never be: give a time above 0")
        now = clock.now()
        claims = {
            "iss": _NAME,
            "aud": _NAME,
            "iat": now,
            "exp": now + ttl,
            "tenant": tenant,
            "permissions": granted,
        }
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM)

    def identify(self, token: str) -> Caller:
        """Who the token stands for; nobody for a token that is missing, expired, forged, or made for another use."""
        if not token:
            return Caller(cause=Cause.NO_TOKEN)
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[_ALGORITHM],  # never the token's own header: "none" and key confusion end here
                issuer=_NAME,
                audience=_NAME,
                leeway=_LEEWAY,
                options={"require": ["exp", "iat", "iss", "aud"]},
            )
        except jwt.ExpiredSignatureError:
            return Caller(cause=Cause.EXPIRED)
        except jwt.InvalidTokenError:
            return Caller(cause=Cause.BAD_TOKEN)
        tenant, granted = claims.get("tenant"), claims.get("permissions")
        if not isinstance(tenant, str) or not 1 <= len(tenant) <= 64 or not isinstance(granted, list):
            return Caller(cause=Cause.BAD_TOKEN)
        permissions = frozenset(name for name in granted if isinstance(name, str))
        return Caller(tenant, permissions, dt.datetime.fromtimestamp(int(claims["exp"]), clock.UTC))


def decide(caller: Caller, permission: str) -> Decision:
    """Whether the caller may do what `permission` stands for. A permission that does not exist allows nothing."""
    if not caller.tenant:
        return Decision(False, caller.cause or Cause.NO_TOKEN)
    if permission not in PERMISSIONS or permission not in caller.permissions:
        return Decision(False, Cause.NO_PERMISSION)
    return Decision(True, None)


def make_token(
    settings: Settings,
    tenant: str,
    permissions: Iterable[str] = (VIEW_SYNC_LOGS,),
    ttl: dt.timedelta = dt.timedelta(days=7),
) -> str:
    """A token as `synclogs token` prints it. SettingsError for a short secret, UsageError for a bad argument."""
    return Keys(settings).make(tenant, permissions, ttl)
