"""What went wrong on the wire, in words for the person who configured the remote.

The transport's own messages are not shown: they may quote URLs and with them credentials.
"""

from __future__ import annotations

import os
import socket

import aiohttp

from pakhus.domain.errors import UpstreamDown

FAILURES: tuple[type[Exception], ...] = (aiohttp.ClientError, TimeoutError, OSError, ValueError, RuntimeError)
"""All that a request or a read may raise; uvloop has a `RuntimeError` for some failed connections."""


def down(error: BaseException, host: str) -> UpstreamDown:
    """The error to raise, naming the host that was asked."""
    return UpstreamDown(f"{host}: {_reason(error)}")


def _reason(error: BaseException) -> str:
    for kind, words in _REASONS:
        if isinstance(error, kind):
            return words
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the outbound proxy answered {error.status}"
    if isinstance(error, aiohttp.ClientResponseError):
        return "the answer is malformed or too large in its headers"
    number = error.errno if isinstance(error, OSError) else None
    if number is not None and number > 0:
        return os.strerror(number).lower()
    return "the connection failed"


_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (aiohttp.ConnectionTimeoutError, "no connection within the time-out"),
    (TimeoutError, "no answer within the time-out"),
    (aiohttp.ClientConnectorCertificateError, "its certificate is not trusted"),
    (aiohttp.ClientConnectorSSLError, "TLS failed"),
    (aiohttp.ClientConnectorDNSError, "its name cannot be resolved"),
    (aiohttp.ClientProxyConnectionError, "the outbound proxy cannot be reached"),
    (socket.gaierror, "its name cannot be resolved"),
    (aiohttp.ClientPayloadError, "the body is cut"),
    (aiohttp.ServerDisconnectedError, "it closed the connection without an answer"),
    (aiohttp.InvalidURL, "its URL is not valid"),
)
