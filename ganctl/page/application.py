"""What answers the page's requests: its files, and what is asked for, as JSON or as an image."""

import asyncio
import re
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from ganctl.errors import ConfigError, GanctlError, one_line, tells_of_memory

HOSTS = frozenset({"127.0.0.1", "localhost"})
"""Names by which this machine is asked; a stranger's page that had its own name led here would send that name."""

PAGE = "index.html"
PARTS = {"colours.css": "text/css", "style.css": "text/css", "script.js": "text/javascript"}
"""Files that the page loads; they are the same for everyone, and so need no token."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer: nothing from elsewhere is loaded, nothing is kept, and the address goes nowhere."""

Answer = Callable[[Mapping[str, str]], dict[str, Any] | bytes]
"""Makes JSON, or the bytes of a PNG file, of the values of an address; raises `GanctlError` for wrong ones."""


class Application:
    """An ASGI application: the page, and answers by their names, each worked out by an executor.

    GET alone is answered, by the names of this machine, and all but the page's parts to who knows the token.
    """

    def __init__(self, answers: Mapping[str, Answer], token: str, executor: Executor) -> None:
        self._answers, self._token, self._executor = answers, token, executor
        folder = Path(__file__).parent
        self._page = (folder / PAGE).read_bytes()
        self._parts = {name: (folder / name).read_bytes() for name in PARTS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        assert scope["type"] == "http"
        response = await self._response(Request(scope))
        response.headers.update(HEADERS)
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        name = request.scope["path"].removeprefix("/")
        values = request.query_params.multi_items()
        if request.method != "GET":
            return _refused(405, "the page is only read, by GET")
        if re.sub(r":\d+$", "", request.headers.get("host", "")) not in HOSTS:
            return _refused(403, "the page is for this machine alone, as 127.0.0.1 or localhost")
        if name in PARTS:
            return Response(self._parts[name], media_type=PARTS[name])
        if not self._knows_token([value for key, value in values if key == "token"]):
            return _refused(403, "the address needs the token that `ganctl demo` printed")
        if not name:
            return Response(self._page, media_type="text/html")
        if name not in self._answers:
            return _refused(404, f"{name}: not there; there are {', '.join(self._answers)}")
        return await self._answer(self._answers[name], [pair for pair in values if pair[0] != "token"])

    def _knows_token(self, given: list[str]) -> bool:
        return len(given) == 1 and secrets.compare_digest(given[0].encode(), self._token.encode())

    async def _answer(self, answer: Answer, values: list[tuple[str, str]]) -> Response:
        try:
            if len(dict(values)) < len(values):
                raise ConfigError("the address gives a key twice; give each once")
            found = await asyncio.wrap_future(self._executor.submit(answer, dict(values)))
        except GanctlError as error:
            return _refused(400, str(error))
        except (MemoryError, RuntimeError) as error:
            if not tells_of_memory(error):
                raise
            return _refused(400, "out of memory; choose fewer samples, or start the demo with a lower batch_size=")
        return Response(found, media_type="image/png") if isinstance(found, bytes) else JSONResponse(found)


def _refused(status: int, why: str) -> Response:
    return JSONResponse({"error": one_line(why)}, status)
