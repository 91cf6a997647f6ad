"""The addresses of Nexus 2: `/content/repositories/NAME/…` is `/repository/NAME/…`, while a capability allows it."""

from __future__ import annotations

from collections.abc import Callable

from pakhus.web.exchange import App, Receive, Scope, Send

OLD = ("/content/repositories/", "/content/groups/", "/content/sites/")
NEW = "/repository/"


class LegacyUrls:
    def __init__(self, app: App, allowed: Callable[[], bool]) -> None:
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/content/") and self._allowed():
            for old in OLD:
                if scope["path"].startswith(old):
                    raw = scope.get("raw_path") or scope["path"].encode()
                    scope["path"] = NEW + scope["path"].removeprefix(old)
                    scope["raw_path"] = NEW.encode() + raw.removeprefix(old.encode())
        await self._app(scope, receive, send)
