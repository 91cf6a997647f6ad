"""Errors → HTTP, in the shapes that Nexus has for them; the native API answers with one shape of its own.

A flaw of a body's member is an array of `{id, message}`, any other message a JSON string, a refusal has no body.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from pakhus.domain.errors import Denied, Forbidden, Invalid, NotAllowed, PakhusError, TooManyRequests, Unauthenticated
from pakhus.kit.documents import dump_json

log = structlog.get_logger()
NATIVE = "/api/"
FLAWS_TYPE = "application/vnd.siesta-validation-errors-v1+json"
CHALLENGE = 'BASIC realm="Sonatype Nexus Repository Manager"'
FAULT = "x-siesta-faultid"


class Flawed(Invalid):
    """Several members of a body are wrong: (member, message)."""

    def __init__(self, flaws: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{member}: {message}" for member, message in flaws), field=flaws[0][0])
        self.flaws = tuple(flaws)

    @classmethod
    def of(cls, errors: Sequence[Mapping[str, object]]) -> Flawed:
        """From pydantic's errors."""
        return cls([(_place(each["loc"]), _words(str(each["msg"]))) for each in errors])


class Unreadable(Invalid):
    """The body is no JSON at all."""


class PlainText(PakhusError):
    """A message that Nexus sends as text, with the status of the moment."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.code = status


def bare(status: int) -> HTTPException:
    """A status without a body, as Nexus's web layer answers."""
    return HTTPException(status)


def register(app: FastAPI) -> None:
    app.add_exception_handler(PakhusError, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _parameters)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _incident)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, PakhusError)
    if isinstance(error, Forbidden) and request.state.actor.anonymous:
        error = Unauthenticated(error.message)
    fault = str(uuid.uuid4())
    status = error.code if isinstance(error, PlainText) else error.status
    headers = {FAULT: fault, "cache-control": "no-cache, no-store", **_headers(error)}
    _note(request, error.message)
    request.state.refused = error
    if request.url.path.startswith(NATIVE):
        return _json(status, {"message": error.message, **_field(error)}, headers)
    if isinstance(error, PlainText):
        return Response(error.message, status, headers, "text/plain")
    if isinstance(error, Unauthenticated | Denied):
        return Response(b"", status, headers)
    if isinstance(error, Unreadable):
        return _json(status, {"id": "*", "message": error.message}, headers)
    if isinstance(error, Flawed):
        return _flaws(request, error.flaws, headers)
    if isinstance(error, Invalid) and error.field != "*":
        return _flaws(request, [(error.field, error.message)], headers)
    if status == 500:
        text = f"ERROR: (ID {fault}) {type(error).__name__}: {error.message}"
        return Response(text, status, headers, "text/plain")
    return _json(status, error.message, headers)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = {**(error.headers or {}), FAULT: str(uuid.uuid4())}
    if request.url.path.startswith(NATIVE):
        return _json(error.status_code, {"message": error.detail}, headers)
    return Response(b"", error.status_code, headers)


async def _parameters(request: Request, error: Exception) -> Response:
    """A query parameter of the wrong type."""
    assert isinstance(error, RequestValidationError)
    flaws = [(f"PARAMETER {each['loc'][-1]}", str(each["msg"])) for each in error.errors()]
    return await _refused(request, Flawed(flaws))


async def _gone(request: Request, error: Exception) -> Response:
    """Nobody is there to read an answer."""
    _note(request, "the connection was closed before the body was complete", outcome="client_gone")
    return Response(b"", 400)


async def _incident(request: Request, error: Exception) -> Response:
    """Nobody expected this: a number for the client, the trace for the log."""
    fault = str(uuid.uuid4())
    log.error("incident", incident=fault, error=type(error).__name__, exc_info=error)
    text = f"ERROR: (ID {fault}) {type(error).__name__}: the server's log has more under this ID"
    return Response(text, 500, {FAULT: fault}, "text/plain")


def _flaws(request: Request, flaws: Sequence[tuple[str, str]], headers: Mapping[str, str]) -> Response:
    media_type = FLAWS_TYPE if FLAWS_TYPE in request.headers.get("accept", "") else "application/json"
    body = dump_json([{"id": member, "message": message} for member, message in flaws])
    return Response(body, 400, dict(headers), media_type)


def _json(status: int, body: object, headers: Mapping[str, str]) -> Response:
    return Response(dump_json(body), status, dict(headers), "application/json")


def _headers(error: PakhusError) -> dict[str, str]:
    if isinstance(error, Unauthenticated):
        return {"www-authenticate": CHALLENGE}
    if isinstance(error, NotAllowed):
        return {"allow": ", ".join(error.allow)}
    if isinstance(error, TooManyRequests):
        return {"retry-after": str(error.retry_after)}
    return {}


def _field(error: PakhusError) -> dict[str, str]:
    return {"field": error.field} if isinstance(error, Invalid) and error.field != "*" else {}


def _note(request: Request, reason: str, *, outcome: str = "refused") -> None:
    """For the request's line in the log."""
    fields = getattr(request.state, "log", None)
    if isinstance(fields, dict):
        fields.update(outcome=outcome, reason=reason)


def _place(location: object) -> str:
    parts = location if isinstance(location, tuple | list) else (location,)
    return ".".join(str(part) for part in parts) or "*"


def _words(message: str) -> str:
    return message.removeprefix("Value error, ").removeprefix("Assertion failed, ")


def flawed(error: ValidationError) -> Flawed:
    return Flawed.of([dict(each) for each in error.errors(include_url=False, include_input=False)])
