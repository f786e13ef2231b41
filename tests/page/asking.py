"""Requests to an ASGI application, without a server."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from ganctl.page.application import Application


@dataclass(frozen=True)
class Answered:
    """What an application answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the JSON of its body."""
        return json.loads(self.body)


def ask(
    application: Application,
    target: str,
    query: Mapping[str, object] | None = None,
    *,
    method: str = "GET",
    host: str = "127.0.0.1:8000",
) -> Answered:
    """Return what an application answers to a path with a query, or with the given one."""
    path, text = urlsplit(target).path, urlsplit(target).query if query is None else urlencode(query)
    sent: list[Any] = []
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": text.encode(),
        "headers": [(b"host", host.encode())],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(application(scope, receive, send))
    head, body = sent
    headers = {name.decode(): value.decode() for name, value in head["headers"]}
    return Answered(head["status"], headers, body["body"])
