"""Errors → HTTP: the status from the class, the body in the format's own shape, or Nexus's."""

from __future__ import annotations

import html
import secrets
from dataclasses import replace

import structlog

from pakhus.domain.errors import NotAllowed, PakhusError, TooManyRequests, Unauthenticated
from pakhus.kit.context import Reply
from pakhus.kit.format import Format
from pakhus.web.respond import Unsatisfiable

log = structlog.get_logger()
REALM = "Sonatype Nexus Repository Manager"
"""The realm that Nexus names: clients keep credentials under it."""
CHALLENGE = f'BASIC realm="{REALM}"'


def reply_for(error: PakhusError, format: Format | None, challenge: str = "") -> Reply:
    """What the client gets to see; `challenge` is what it is told to log in with, if not by Basic."""
    reply = page(error.status, error.message) if format is None else format.problem(error)
    headers = {**reply.headers, **_headers(error, reply, challenge or CHALLENGE)}
    return replace(reply, headers=headers, reason=reply.reason or error.message)


def _headers(error: PakhusError, reply: Reply, challenge: str) -> dict[str, str]:
    headers = {"cache-control": "no-cache, no-store"}
    if isinstance(error, Unauthenticated) and "www-authenticate" not in reply.headers:
        headers["www-authenticate"] = challenge
    if isinstance(error, NotAllowed):
        headers["allow"] = ", ".join(error.allow)
    if isinstance(error, TooManyRequests):
        headers["retry-after"] = str(error.retry_after)
    if isinstance(error, Unsatisfiable):
        headers["content-range"] = error.message
    return headers


def page(status: int, message: str, title: str = "") -> Reply:
    """A small HTML page, as browsers and Nexus's users expect outside of a protocol."""
    text = html.escape(message)
    head = html.escape(title or f"{status} - Pakhus")
    body = f'<!DOCTYPE html>\n<html lang="en"><head><title>{head}</title></head><body><p>{text}</p></body></html>\n'
    return Reply(status, body.encode(), {"content-type": "text/html; charset=utf-8"})


def incident(error: Exception) -> Reply:
    """An error that nobody expected: a number for the client, the trace for the log."""
    number = secrets.token_hex(8)
    log.exception("incident", incident=number, error=type(error).__name__)
    text = f"ERROR: (ID {number}) an unexpected error occurred; the server's log has more under this ID\n"
    return Reply(500, text.encode(), {"content-type": "text/plain; charset=utf-8", "x-siesta-faultid": number})
