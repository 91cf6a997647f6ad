"""Around every request: an id, one log line, metrics, and the headers that every answer has."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

import structlog

from pakhus.domain.errors import Denied, PakhusError
from pakhus.domain.initiator import Initiator, acting, current
from pakhus.web.exchange import App, Receive, Scope, Send

log = structlog.get_logger()
REQUEST_ID = re.compile(r"[\w.\-:/+=]{1,128}\Z")
PROTECTION = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
)
Observe = Callable[[str, int, str, str, float, int], None]
"""Told of every request: method, status, kind of URL, format, seconds, body bytes sent."""
Refuse = Callable[[PakhusError, Initiator, str, str, str], None]
"""Told of every error that became an answer: the error, who asked, method, path, repository."""


class Middleware:
    """The outermost application. `server` is the Server header; Nexus's clients read a version in it."""

    def __init__(self, app: App, *, server: str, observe: Observe, refuse: Refuse) -> None:
        self._app = app
        self._server = server.encode()
        self._observe = observe
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        state: dict[str, Any] = scope.setdefault("state", {})
        request_id = state["request_id"] = _request_id(scope)
        fields = state["log"] = dict[str, Any]()
        seen = _Seen()
        page = _kind(scope["path"]) in ("rest", "other")
        extra = [(b"x-request-id", request_id.encode()), (b"server", self._server)]

        async def sending(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
                sent = message.get("headers", ())
                message = {**message, "headers": [*sent, *(_protecting(sent) if page else ()), *extra]}
            else:
                seen.sent += len(message.get("body", b""))
            await send(message)

        client = scope.get("client")
        with acting(Initiator("", address=client[0] if client else "", request_id=request_id)):
            try:
                await self._app(scope, receive, sending)
            finally:
                seconds = time.perf_counter() - started
                _log(scope, request_id, seen, seconds, fields)
                kind = _kind(scope["path"])
                self._observe(scope["method"], seen.status, kind, fields.get("format", ""), seconds, seen.sent)
                refused = state.get("refused")
                if refused is None and seen.status in (401, 403):
                    refused = Denied(fields.get("reason", ""))
                if refused is not None:
                    self._refuse(refused, current(), scope["method"], scope["path"], fields.get("repository", ""))


def _protecting(sent: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """What keeps a browser from doing more with an answer than was meant, unless the answer says so itself."""
    named = {name.lower() for name, _ in sent}
    return [each for each in PROTECTION if each[0] not in named]


class _Seen:
    """What went out of one answer."""

    def __init__(self) -> None:
        self.status = 0
        self.sent = 0


def _log(scope: Scope, request_id: str, seen: _Seen, seconds: float, fields: dict[str, Any]) -> None:
    client = scope.get("client")
    log.info(
        "request",
        request_id=request_id,
        method=scope["method"],
        path=scope["path"],
        status=seen.status,
        bytes=seen.sent,
        ms=round(seconds * 1000, 1),
        client=client[0] if client else "",
        **{"actor": "", "repository": "", "outcome": _outcome(seen.status), **fields},
    )


def _outcome(status: int) -> str:
    if status == 0:
        return "unanswered"
    if status < 400:
        return "ok"
    return "refused" if status < 500 else "failed"


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given = value.decode("latin-1")
            if REQUEST_ID.match(given):
                return str(given)
    return secrets.token_hex(8)


def _kind(path: str) -> str:
    """A few words for all URLs: metrics must not grow with what is asked."""
    if path.startswith("/repository/"):
        return "repository"
    if path.startswith("/v2/"):
        return "registry"
    return "rest" if path.startswith(("/service/", "/api/")) else "other"
