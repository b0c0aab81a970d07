"""Who may open an address, and signing in: each route names the permission it needs, and is closed without one.

A caller is known by a bearer token or by the session's cookie, which holds the same kind of token. Signing in follows
a link with a token: it becomes the cookie, and the address is left at once, so that it does not stay in the history.
"""

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency
from starlette.responses import RedirectResponse, Response

from streams import clock, metrics
from streams.auth import PERMISSIONS, Caller, Cause, decide
from streams.web.problems import Problem, is_page
from streams.web.site import Site, site_of

COOKIE = "synclogs_session"
_EXPLAINED = {
    Cause.NO_TOKEN: "You are not signed in.",
    Cause.BAD_TOKEN: "Your sign-in link or token is not valid here.",
    Cause.EXPIRED: "Your sign-in has expired.",
}

for _cause in Cause:
    metrics.DENIED.labels(_cause.value)  # at 0 from the start, so that a first denial shows as an increase


class Require:
    """The action of a route: `permission` is needed, or None for an address that is open to everybody."""

    def __init__(self, permission: str | None) -> None:
        self.permission = permission

    async def __call__(self, request: Request) -> None:
        if self.permission is None:
            return
        caller = caller_of(request)
        decision = decide(caller, self.permission)
        if decision.allowed:
            request.state.tenant = caller.tenant
            return
        cause = decision.cause or Cause.NO_TOKEN
        metrics.DENIED.labels(cause.value).inc()
        raise _refusal(request, cause, self.permission)


def action(permission: str | None) -> Sequence[Dependency]:
    """The dependencies of a route that needs `permission`."""
    return [Depends(Require(permission))]


def caller_of(request: Request) -> Caller:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer":
        token = request.cookies.get(COOKIE, "")
    return site_of(request).keys.identify(token.strip())


def _refusal(request: Request, cause: Cause, permission: str) -> Problem:
    if cause is Cause.NO_PERMISSION:
        needed = PERMISSIONS.get(permission, permission)
        return Problem(
            403, "Not permitted", f"You need the permission {needed} to see this. An administrator can grant it."
        )
    path = request.url.path
    here = quote(path + (f"?{request.url.query}" if request.url.query else ""), safe="")
    sign_in = f"/sign-in?next={here}" if path != "/" else "/sign-in"
    explained = _EXPLAINED[cause]
    if is_page(path):
        return Problem(303, "Sign in", explained, headers={"Location": sign_in})
    return Problem(401, "Not signed in", explained, link=sign_in, headers={"WWW-Authenticate": "Bearer"})


def sign_in(request: Request, site: Annotated[Site, Depends(site_of)], token: str = "", next: str = "/") -> Response:
    """With a good token: the session's cookie, and on to `next`. Else a page that says how to get in."""
    if not token:
        return site.page("sign_in.html", explained="", next=local_path(next))
    caller = site.keys.identify(token)
    if not caller.tenant:
        cause = caller.cause or Cause.BAD_TOKEN
        metrics.DENIED.labels(cause.value).inc()
        return site.page("sign_in.html", 401, explained=_EXPLAINED[cause], next=local_path(next))
    answer = RedirectResponse(local_path(next), 303)
    answer.set_cookie(
        COOKIE,
        token,
        max_age=max(1, int((caller.expires_at - clock.now()).total_seconds())),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer


def sign_out(request: Request, site: Annotated[Site, Depends(site_of)]) -> Response:
    """Forgets the session. Only from our own pages: another site must not sign people out."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Problem(403, "Not from here", "Sign out with the button on the page.")
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return answer


def local_path(address: str) -> str:
    """`address` if it is a path of this site, else '/': a sign-in link must not lead elsewhere."""
    own = address.startswith("/") and not address.startswith("//") and "\\" not in address and address.isprintable()
    return address if own else "/"
