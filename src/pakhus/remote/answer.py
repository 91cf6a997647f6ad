"""An upstream's answer while its body is read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping

import aiohttp

from pakhus.domain.errors import UpstreamDown
from pakhus.remote.coding import codings, decoded, is_gzip_file, refuse_unknown
from pakhus.remote.failures import FAILURES, down

_BODILESS = frozenset({204, 304})


class Answer:
    """A `pakhus.remote.client.Response` on a response of aiohttp. `failed` is called when the body fails.

    Raises `UpstreamDown` for a body that cannot be delivered: an unknown coding, or a part of a coded body.
    """

    def __init__(self, response: aiohttp.ClientResponse, failed: Callable[[], None]) -> None:
        self._response = response
        self._failed = failed
        self._host = response.url.raw_host or ""
        self._has_body = response.method != "HEAD" and response.status not in _BODILESS
        self._codings = codings(", ".join(response.headers.getall("Content-Encoding", ())))
        self._headers = _flat(response)
        if self._codings and self._has_body:
            refuse_unknown(self._codings, self._host)
            if response.status == 206:
                raise UpstreamDown(f"{self._host} sent a part of a coded body")
        if self._codings:
            self._headers = {k: v for k, v in self._headers.items() if k not in ("content-encoding", "content-length")}

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the body as it is delivered: without `content-encoding`, and its length, when a coding is undone."""
        return self._headers

    @property
    def url(self) -> str:
        return str(self._response.url)

    @property
    def size(self) -> int | None:
        """Bytes that `chunks` will give; for HEAD, that a GET would."""
        return None if self._codings else self._response.content_length

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, in pieces as they arrive; nothing is read from the socket while the reader does not ask."""
        if not self._has_body:
            return
        body = self._received()
        if self._codings:
            path, content_type = self._response.url.raw_path, self._response.content_type
            gzip_file = is_gzip_file(path, content_type)
            body = decoded(body, self._codings, self._host, gzip_file=gzip_file)
        try:
            async for chunk in body:
                yield chunk
        except UpstreamDown:
            self._failed()
            raise

    async def _received(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except FAILURES as error:
            raise down(error, self._host) from error

    def release(self) -> None:
        """Give the connection back, or close it when the body has not been read."""
        self._response.release()


def _flat(response: aiohttp.ClientResponse) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers
