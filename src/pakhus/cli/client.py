"""HTTP to the server: credentials on every request, its refusals as `Failure`, lists read page by page."""

from __future__ import annotations

import json
import random
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx2

from pakhus import __version__
from pakhus.cli.outcome import Code, Failure
from pakhus.cli.output import Output
from pakhus.cli.session import Session

REST = "/service/rest/v1"
NATIVE = "/api/v1"
AWAY = frozenset({502, 503, 504})
"""Answers that say nothing about the request: a proxy without server behind it, a server that is starting."""

CONNECT_TIMEOUT = 10.0
ANSWER_TIMEOUT = 300.0
"""Seconds without a byte; the server may hash a large body before it answers."""

Result = TypeVar("Result")


class Refused(Failure):
    """The server answered with an error: `status` is its HTTP status."""

    def __init__(self, message: str, code: Code, status: int) -> None:
        super().__init__(message, code)
        self.status = status


class Client:
    """A connection pool to one server; may be used by several threads."""

    def __init__(self, session: Session, out: Output | None = None) -> None:
        self.session = session
        self.out = out or Output()
        self.http = httpx2.Client(
            base_url=session.url,
            headers={"user-agent": f"pakhus/{__version__}", "accept": "application/json, */*", **session.headers()},
            timeout=httpx2.Timeout(ANSWER_TIMEOUT, connect=CONNECT_TIMEOUT),
            verify=trust(session),
            limits=httpx2.Limits(max_connections=64),
            event_hooks={"response": [self.log]},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    def log(self, response: httpx2.Response) -> None:
        self.out.detail(f"{response.request.method} {response.request.url} {response.status_code}")

    def send(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """The answer, read whole: only for documents. Raises `Failure` for a refusal or no answer."""
        with reaching(self.session):
            response = self.http.request(method, path, **options)
        refuse(response)
        return response

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str]) -> Iterator[httpx2.Response]:
        """A GET whose body the caller reads in pieces, as stored: encoded bodies would break digests and ranges."""
        sent = {"accept": "*/*", "accept-encoding": "identity", **headers}
        # A blob store may answer by a redirect to a signed URL elsewhere; the token stays behind there.
        request = self.http.stream("GET", path, headers=sent, follow_redirects=True)
        with reaching(self.session), request as response:
            if response.status_code >= 400:
                response.read()
                refuse(response)
            yield response

    def get(self, path: str, **params: Any) -> Any:
        return document(self.send("GET", path, params=params))

    def find(self, path: str, **params: Any) -> Any | None:
        """The document, or None where the server has none."""
        try:
            return self.get(path, **params)
        except Failure as failure:
            if failure.code is Code.NOT_FOUND:
                return None
            raise

    def pages(self, path: str, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Every item of a list, through all its pages."""
        token: str | None = None
        while True:
            page = self.get(path, **params, **({"continuationToken": token} if token else {}))
            yield from page["items"]
            following = page.get("continuationToken")
            if not following or following == token:
                return
            token = following

    def same_bytes(self, repository: str, sha256: str) -> list[dict[str, Any]]:
        """The assets with that digest; none where the server does not let this token search."""
        try:
            found = list(self.pages(f"{REST}/search/assets", {"repository": repository, "sha256": sha256}))
        except Failure as failure:
            if failure.code in (Code.DENIED, Code.NOT_FOUND):
                return []
            raise
        return [asset for asset in found if (asset.get("checksum") or {}).get("sha256") == sha256]

    def repositories(self) -> list[dict[str, Any]]:
        return list(self.get(f"{REST}/repositories"))


def content_path(repository: str, path: str) -> str:
    """The path of a URL for what is stored under `path`."""
    return f"/repository/{quote(repository, safe='')}/{quote(path.lstrip('/'))}"


def trust(session: Session) -> ssl.SSLContext | bool:
    if not session.ca_file:
        return True
    try:
        return ssl.create_default_context(cafile=session.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise Failure(f"cannot use the CA file {session.ca_file}: {error}") from error


@contextmanager
def reaching(session: Session) -> Iterator[None]:
    """Turns what goes wrong below HTTP into `Failure`."""
    try:
        yield
    except httpx2.LocalProtocolError as error:
        raise Failure(f"the request could not be sent as announced: {error}") from error
    except httpx2.TransportError as error:
        hint = ""
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            hint = " (a private CA? log in with --ca-file, or set PAKHUS_CA_FILE)"
        reason = str(error) or type(error).__name__
        raise Failure(f"cannot reach {session.url}: {reason}{hint}", Code.UNREACHABLE) from error
    except httpx2.InvalidURL as error:
        raise Failure(f"{session.url}: {error}", Code.USAGE) from error


def refuse(response: httpx2.Response) -> None:
    """Raise `Failure` for an answer that is no success, in the server's own words where it has some."""
    status = response.status_code
    if status < 300 or status == 304:
        return
    if status < 400:
        place = response.headers.get("location", "elsewhere")
        raise Refused(f"the server sends to {place}: log in with that URL", Code.FAILURE, status)
    words = reason(response)
    if status == 401:
        hint = "not logged in, or the token is not valid any more: run `pakhus login`"
        raise Refused(f"{hint} ({words})", Code.DENIED, status)
    codes = {403: Code.DENIED, 404: Code.NOT_FOUND} | dict.fromkeys(AWAY, Code.UNREACHABLE)
    request = f"{response.request.method} {response.request.url.path}"
    raise Refused(f"{request}: {status} {words}", codes.get(status, Code.FAILURE), status)


def reason(response: httpx2.Response) -> str:
    """The message of an error body: a list of flaws, a string, an object, or plain text."""
    if "json" in response.headers.get("content-type", ""):
        try:
            if told := words_of(response.json()):
                return told
        except ValueError:
            pass
    text = response.text.strip()
    short = "" if "<" in text[:50] else text.splitlines()[0][:300] if text else ""
    return short or response.reason_phrase


def words_of(body: Any) -> str:
    match body:
        case str():
            return body
        case list():
            return "; ".join(words_of(flaw) for flaw in body)
        case {"id": str(place), "message": str(message)} if place != "*":
            return f"{place.removeprefix('FIELD ').removeprefix('PARAMETER ')}: {message}"
        case {"message": str(message)} | {"detail": str(message)} | {"error": str(message)}:
            return message
    return ""


def document(response: httpx2.Response) -> Any:
    try:
        return response.json() if response.content else None
    except json.JSONDecodeError as error:
        url = response.request.url
        raise Failure(f"{url} did not answer with JSON: is this the URL of a Pakhus server?") from error


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an unreachable server is waited for: pauses grow from `first` to `longest`, `total` seconds in all."""

    total: float = 60.0
    first: float = 0.5
    longest: float = 15.0

    def pauses(self) -> Iterator[float]:
        waited, pause = 0.0, self.first
        while waited < self.total:
            # Jitter, so that many clients of a server that restarts do not come back at the same moment.
            actual = min(pause * random.uniform(0.5, 1.0), self.total - waited)  # noqa: S311 -- no secret
            yield actual
            waited, pause = waited + actual, min(pause * 2, self.longest)


def persist(
    attempt: Callable[[], Result],
    patience: Patience,
    *,
    waiting: Callable[[Failure, float], None] = lambda failure, pause: None,
    sleep: Callable[[float], object] = time.sleep,
) -> Result:
    """The attempt's result, tried again while the server is unreachable and at no other failure."""
    for pause in patience.pauses():
        try:
            return attempt()
        except Failure as failure:
            if failure.code is not Code.UNREACHABLE:
                raise
            waiting(failure, pause)
            sleep(pause)
    return attempt()
