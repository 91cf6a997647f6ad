"""URLs of upstream requests: joined, quoted and compared (RFC 3986), always in encoded form.

Paths come decoded, so a `%` in one is a percent sign. Absolute URLs and redirects come encoded; only what may not stand
in a URL at all is quoted in them.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urljoin

from yarl import URL

from pakhus.domain.errors import UpstreamRefused

Origin = tuple[str, str, int | None]

_ABSOLUTE = re.compile(r"https?://", re.IGNORECASE)
_PATH = "/@!$&'()*,;=:~"  # no "+": object stores read it as a space, and %2B means the same everywhere else
_ENCODED = "%/:?#[]@!$&'()*+,;=~"


def directory(url: str) -> URL:
    """A remote's URL as the directory that locations are relative to; user information is kept, the query is not."""
    parsed = _parsed(url)
    path = parsed.raw_path
    return _with_path(parsed, path if path.endswith("/") else path + "/", "")


def target(base: URL, location: str) -> URL:
    """The URL of a location: an absolute one, or a decoded path below `base`, with or without a leading slash.

    A relative location never changes the host, whatever it looks like (`//host/`, `a:b`); `..` stops at the root.
    A path that begins with `http://` needs a leading slash, to be told from an absolute URL.
    """
    if _ABSOLUTE.match(location):
        return bare(_parsed(location))
    path, _, query = location.removeprefix("./").partition("?")
    joined = base.raw_path + quote(path.removeprefix("/"), safe=_PATH)
    return _with_path(bare(base), _without_dots(joined), quote(query, safe=_ENCODED.replace("#", "")))


def redirected(current: URL, header: str) -> URL:
    """Where a `Location` header leads. Raises `UpstreamRefused` for anything but http and https."""
    try:
        joined = urljoin(str(current), _legal(header.strip()))
    except ValueError as error:
        raise UpstreamRefused(f"{host(current)} redirects to what is not a URL") from error
    return bare(_parsed(joined))


def bare(url: URL) -> URL:
    """The URL without user information and fragment: neither is ever sent."""
    return _with_path(url.with_user(None), url.raw_path, url.raw_query_string)


def origin(url: URL) -> Origin:
    """Scheme, host and port (RFC 6454): the scope of credentials."""
    return url.scheme, host(url), url.port


def host(url: URL) -> str:
    return (url.raw_host or "").lower()


def _legal(text: str) -> str:
    return quote(text.encode("utf-8", "surrogateescape"), safe=_ENCODED)


def _parsed(text: str) -> URL:
    try:
        url = URL(_legal(text) if text.isascii() else text, encoded=text.isascii())
        port = url.port
    except ValueError as error:
        raise UpstreamRefused("the upstream's URL cannot be understood") from error
    if url.scheme not in ("http", "https") or not url.raw_host or not port:
        raise UpstreamRefused("the upstream's URL is not an http or https URL")
    return url


def _with_path(url: URL, path: str, query: str) -> URL:
    return URL.build(scheme=url.scheme, authority=url.raw_authority, path=path or "/", query_string=query, encoded=True)


def _without_dots(path: str) -> str:
    """RFC 3986 section 5.2.4, keeping empty segments."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)
