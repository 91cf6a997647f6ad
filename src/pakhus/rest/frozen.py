"""In read-only mode every change through REST is refused, but for the way out of it."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

READS = frozenset({"GET", "HEAD", "OPTIONS"})
ALLOWED = ("/read-only/", "/lifecycle/", "/support/", "/api/v1/login")
"""What is no change of what the server keeps."""
TEXT = "The server is in read-only mode: changes are not possible."


class RefusedWhileFrozen:
    def __init__(self, app: ASGIApp, frozen: Callable[[], bool]) -> None:
        self._app = app
        self._frozen = frozen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        changes = scope["type"] == "http" and scope["method"] not in READS
        if changes and self._frozen() and not any(part in scope["path"] for part in ALLOWED):
            await Response(TEXT, 503, media_type="text/plain")(scope, receive, send)
            return
        await self._app(scope, receive, send)
