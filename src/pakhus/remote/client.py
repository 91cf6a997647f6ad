"""The upstream HTTP client: one request, streamed, with the credentials and limits of one proxy repository."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from pakhus.domain.repository import Remote


class Response(Protocol):
    """An upstream's answer. Header names are lower case; `url` is the last one after redirects.

    `chunks` is the body with content codings undone (none is asked for); it raises `UpstreamDown` when the body is
    cut, shorter than announced, or stalls.
    """

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def url(self) -> str: ...
    @property
    def size(self) -> int | None:
        """The length of the body as it will be delivered, where it is known."""
        ...

    def chunks(self) -> AsyncIterator[bytes]: ...


class Upstreams(Protocol):
    """All outbound requests of a process."""

    def request(
        self,
        remote: Remote,
        location: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        once: bool = False,
    ) -> AbstractAsyncContextManager[Response]:
        """Ask for a path below `remote.url`, or an absolute URL.

        `once` takes the first answer for the answer: no redirect is followed, no challenge met.

        Raises `UpstreamDown` (no connection, time-out, a malformed answer), `UpstreamBlocked` (by hand or by
        auto-block) or `Blocked` (the guard refuses the address). Statuses are the caller's business.
        """
        ...

    async def close(self) -> None: ...
