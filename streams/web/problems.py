"""What goes wrong, in plain words: one shape for the API, one page for people, and which status each has.

The API and other machine addresses answer application/problem+json (RFC 9457); a page, and a CSV link that was clicked
in a browser, answer HTML. No text of the server's errors gets out: it may quote rows.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from streams.errors import StoreRefused, StoreUnavailable
from streams.logs import log

RETRY_SECONDS = 5
_MACHINES = ("/api/", "/metrics", "/healthz", "/readyz")


class Problem(Exception):
    """An answer that is not what was asked for. `detail` is a sentence for a person; `link` leads on."""

    def __init__(
        self, status: int, title: str, detail: str, link: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {title}: {detail}")
        self.status, self.title, self.detail, self.link = status, title, detail, link
        self.headers = dict(headers or {})


def is_page(path: str) -> bool:
    """Whether the address is for people: neither a machine's nor a file's."""
    return not path.startswith(_MACHINES) and not path.endswith(".csv")


def install(app: FastAPI) -> None:
    """Every way in which a request is expected to fail ends in `answer`; for the rest there is `unexpected`."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(StoreUnavailable, _unavailable)
    app.add_exception_handler(StoreRefused, _refused)


def answer(request: Request, problem: Problem) -> Response:
    """The problem as HTML or as JSON, by who asks."""
    if problem.status == 303:
        return Response(status_code=303, headers=problem.headers)
    path = request.url.path
    if is_page(path) or (path.endswith(".csv") and "text/html" in request.headers.get("accept", "")):
        page: Response = request.app.state.site.page("problem.html", problem.status, problem=problem)
        page.headers.update(problem.headers)
        return page
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": path,
    }
    if problem.link:
        body["link"] = problem.link
    return Response(orjson.dumps(body), problem.status, problem.headers, "application/problem+json")


def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return answer(request, error)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return answer(request, Problem(404, "Not found", f"There is nothing at {request.url.path}."))
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "GET")
        detail = f"{request.method} is not possible here; {allowed} is."
        return answer(request, Problem(405, "Method not allowed", detail, headers={"Allow": allowed}))
    return answer(request, Problem(error.status_code, "Not possible", str(error.detail)))


def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()[0]
    value = repr(found.get("input"))[:80]
    return answer(request, Problem(400, "Bad parameter", f"{found['loc'][-1]} is {value}: {found['msg']}."))


def _unavailable(request: Request, error: Exception) -> Response:
    log("web").warning("clickhouse_away", error=str(error))
    detail = f"The database does not answer at the moment. Try again in {RETRY_SECONDS} seconds."
    retry = {"Retry-After": str(RETRY_SECONDS)}
    return answer(request, Problem(503, "For the moment not possible", detail, headers=retry))


def _refused(request: Request, error: Exception) -> Response:
    log("web").error("clickhouse_refuses", error=str(error))
    return answer(request, Problem(500, "Our mistake", "The database refused. Why is in the log of the web process."))


def unexpected(request: Request) -> Response:
    """The answer to a request that met a mistake of ours; the caller has logged it."""
    return answer(request, Problem(500, "Our mistake", "What went wrong is in the log of the web process."))
