"""Content → HTTP: HEAD, ranges and conditions once, for every format and every repository type (RFC 9110)."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

import structlog

from pakhus.domain.errors import PakhusError, PreconditionFailed
from pakhus.engine.found import Found
from pakhus.kit.context import Reply
from pakhus.web.exchange import Exchange

log = structlog.get_logger()
HTML_LIKE = ("text/html", "application/xhtml+xml", "image/svg+xml", "text/xml", "application/xml")
SANDBOX = "sandbox allow-forms allow-modals allow-popups allow-presentation allow-scripts allow-top-navigation"
WATCHED_BYTES = 1 << 20
_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Span:
    """A satisfiable byte range: `start` up to, not including, `stop`."""

    start: int
    stop: int


class Unsatisfiable(PakhusError):
    status = 416


async def send_reply(exchange: Exchange, reply: Reply) -> None:
    headers = dict(reply.headers)
    body = b"" if exchange.method == "HEAD" else reply.body
    if reply.status not in (204, 304) and "content-length" not in headers:
        headers["content-length"] = str(len(reply.body))
    await _start(exchange, reply.status, headers, reason=reply.reason)
    await exchange.send({"type": "http.response.body", "body": body})


async def send_found(exchange: Exchange, found: Found, *, count: Callable[[int], None]) -> dict[str, str] | None:
    """Send what was found, or what the request's conditions and range leave of it.

    Returns the headers of a plain 200 that went out whole: what an equal request would get, too.
    """
    headers = _headers(found)
    if not _unmodified(exchange.headers, found):
        raise PreconditionFailed("the content is not what the request's precondition asks for")
    if _known_to_client(exchange.headers, found):
        for name in ("content-type", "content-length", "content-disposition"):
            headers.pop(name, None)
        await _start(exchange, 304, headers)
        await exchange.send({"type": "http.response.body", "body": b""})
        return None
    size = found.body.size
    span = None if size is None else _span(exchange, found, size)
    if span is not None:
        headers["content-range"] = f"bytes {span.start}-{span.stop - 1}/{size}"
        headers["content-length"] = str(span.stop - span.start)
    await _start(exchange, 200 if span is None else 206, headers)
    if exchange.method == "HEAD":
        await exchange.send({"type": "http.response.body", "body": b""})
        return None
    whole = await _stream(exchange, found, span)
    if whole and found.asset is not None and (span is None or span.stop == size):
        count(found.asset.id)
    return headers if whole and span is None else None


async def _start(exchange: Exchange, status: int, headers: Mapping[str, str], *, reason: str = "") -> None:
    raw = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()]
    await exchange.send({"type": "http.response.start", "status": status, "headers": raw, "reason": reason})


def _headers(found: Found) -> dict[str, str]:
    headers = {"content-type": found.content_type, "x-content-type-options": "nosniff"}
    if found.body.size is not None:
        headers["content-length"] = str(found.body.size)
        headers["accept-ranges"] = "bytes"
    if found.etag:
        headers["etag"] = found.etag
    if found.modified is not None:
        headers["last-modified"] = http_date(found.modified)
    if found.vary:
        headers["vary"] = found.vary
    if found.digests is not None:
        digest = b64encode(bytes.fromhex(found.digests.sha256)).decode()
        headers["repr-digest"] = f"sha-256=:{digest}:"
    if found.content_type.partition(";")[0].strip().lower() in HTML_LIKE:
        headers["content-security-policy"] = SANDBOX
    headers.update(found.headers)
    return headers


def http_date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC).replace(microsecond=0), usegmt=True)


# -- conditions (RFC 9110, section 13) -----------------------------------------------------------------------------


def _unmodified(headers: Mapping[str, str], found: Found) -> bool:
    """If-Match and If-Unmodified-Since."""
    if (wanted := headers.get("if-match")) is not None:
        return wanted.strip() == "*" or _has_tag(wanted, found.etag, weak=False)
    since = _moment(headers.get("if-unmodified-since"))
    return since is None or found.modified is None or found.modified.replace(microsecond=0) <= since


def _known_to_client(headers: Mapping[str, str], found: Found) -> bool:
    """If-None-Match, and If-Modified-Since where the former is absent."""
    if (known := headers.get("if-none-match")) is not None:
        return known.strip() == "*" or _has_tag(known, found.etag, weak=True)
    since = _moment(headers.get("if-modified-since"))
    return since is not None and found.modified is not None and found.modified.replace(microsecond=0) <= since


def _has_tag(listed: str, etag: str, *, weak: bool) -> bool:
    if not etag or (etag.startswith("W/") and not weak):
        return False
    wanted = etag.removeprefix("W/") if weak else etag
    tags = (each.strip() for each in listed.split(","))
    return any((tag.removeprefix("W/") if weak else tag) == wanted for tag in tags)


def _moment(date: str | None) -> datetime | None:
    if not date:
        return None
    try:
        parsed = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)


# -- ranges (RFC 9110, section 14) ---------------------------------------------------------------------------------


def _span(exchange: Exchange, found: Found, size: int) -> Span | None:
    wanted = exchange.headers.get("range")
    if wanted is None or exchange.method != "GET" or not _range_still_holds(exchange.headers, found):
        return None
    return parse_range(wanted, size)


def _range_still_holds(headers: Mapping[str, str], found: Found) -> bool:
    condition = headers.get("if-range")
    if condition is None:
        return True
    if condition.startswith(('"', "W/")):
        return bool(found.etag) and not found.etag.startswith("W/") and condition.strip() == found.etag
    since = _moment(condition)
    return since is not None and found.modified is not None and found.modified.replace(microsecond=0) == since


def parse_range(header: str, size: int) -> Span | None:
    """One byte range; several, or something else, are answered with the whole. Raises `Unsatisfiable`."""
    found = _RANGE.fullmatch(header)
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        start, stop = max(0, size - int(found[2])), size
    else:
        start, stop = int(found[1]), min(size, int(found[2]) + 1) if found[2] else size
        if found[2] and int(found[2]) < start:
            return None
    if start >= size:
        raise Unsatisfiable(f"bytes */{size}")
    return Span(start, stop)


# -- the body ------------------------------------------------------------------------------------------------------


async def _stream(exchange: Exchange, found: Found, span: Span | None) -> bool:
    """True when the last byte went out. A body that fails half-way breaks the connection: it must not look whole."""
    start, stop = (0, None) if span is None else (span.start, span.stop)
    watch = _watch(exchange) if found.body.size is None or found.body.size > WATCHED_BYTES else None
    chunks: AsyncIterator[bytes] | None = None
    try:
        chunks = found.body.chunks(start, stop)
        async for chunk in chunks:
            if watch is not None and watch.done():
                return False
            await exchange.send({"type": "http.response.body", "body": chunk, "more_body": True})
    except PakhusError as error:
        exchange.note(outcome="broken", reason=str(error))
        return False
    finally:
        if watch is not None:
            watch.cancel()
        if chunks is not None:
            await _close(chunks)
    await exchange.send({"type": "http.response.body", "body": b""})
    return True


def _watch(exchange: Exchange) -> asyncio.Task[None]:
    """Done when the client is gone."""

    async def gone() -> None:
        while (await exchange.receive())["type"] != "http.disconnect":
            pass

    return asyncio.create_task(gone())


async def _close(chunks: AsyncIterator[bytes]) -> None:
    close = getattr(chunks, "aclose", None)
    if close is not None:
        await close()
