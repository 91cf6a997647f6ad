"""Fetching one file: in pieces into `<name>.part`, continued by Range, renamed only when its digest is right."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import httpx2

from pakhus.cli.client import Client, Patience, Refused, content_path, persist
from pakhus.cli.outcome import Code, Failure

STRONGEST = ("sha512", "sha256", "sha1", "md5")
BY_LENGTH = {128: "sha512", 64: "sha256", 40: "sha1"}


def fetch(
    client: Client, repository: str, path: str, target: Path, *, digests: Mapping[str, str], patience: Patience
) -> dict[str, Any]:
    """The file at `target`. `digests` are what the server's listing promises (algorithm → hex)."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Part(target)

    def attempt() -> httpx2.Headers:
        return take(client, content_path(repository, path), part)

    def waiting(failure: Failure, pause: float) -> None:
        client.out.detail(f"{path}: {failure.message}; again in {pause:.1f} s")

    headers = persist(attempt, patience, waiting=waiting)
    verified = verify(part, digests or promised(headers), path)
    if not verified and listed(client, repository, path, hexdigest(part.file, "sha256")):
        verified = "sha256"
    part.finish()
    size = target.stat().st_size
    return {"repository": repository, "path": path, "file": str(target), "size": size, "verified": verified}


def to_stdout(client: Client, repository: str, path: str, stream: BinaryIO) -> None:
    with client.stream(content_path(repository, path), {}) as response:
        for piece in response.iter_raw():
            stream.write(piece)
    stream.flush()


class Part:
    """The unfinished file, and the validator (ETag) of what it is a part of."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.file = target.with_name(f"{target.name}.part")
        self.validator = target.with_name(f"{target.name}.part.etag")

    def headers(self) -> dict[str, str]:
        """What asks for the rest. If-Range: a file that changed meanwhile is sent whole (RFC 9110, 13.1.5)."""
        if not (self.file.exists() and self.validator.exists() and (size := self.file.stat().st_size)):
            return {}
        return {"range": f"bytes={size}-", "if-range": self.validator.read_text("utf-8")}

    def start(self, response: httpx2.Response) -> str:
        """How to open the file for this answer; remembers the validator of a new beginning."""
        if response.status_code == 206:
            start = re.match(r"bytes (\d+)-", response.headers.get("content-range", ""))
            if not start or int(start[1]) != self.file.stat().st_size:
                self.drop()
                raise Failure("the server sent another range than was asked for", Code.UNREACHABLE)
            return "ab"
        etag = response.headers.get("etag", "")
        if etag and not etag.startswith("W/"):
            self.validator.write_text(etag, "utf-8")
        else:
            self.validator.unlink(missing_ok=True)
        return "wb"

    def drop(self) -> None:
        self.file.unlink(missing_ok=True)
        self.validator.unlink(missing_ok=True)

    def finish(self) -> None:
        self.file.replace(self.target)
        self.validator.unlink(missing_ok=True)


def take(client: Client, url: str, part: Part) -> httpx2.Headers:
    """One try: append what the server sends. Raises UNREACHABLE when the body ends early, so that it goes on."""
    try:
        with client.stream(url, part.headers()) as response:
            with part.file.open(part.start(response)) as stream:
                # Pieces as they arrive: larger ones would be lost with the connection while they are gathered.
                for piece in response.iter_raw():
                    stream.write(piece)
            return response.headers
    except Refused as failure:
        if failure.status != 416:
            raise
        # The part is longer than the file has become: begin anew.
        part.drop()
        raise Failure("the file changed on the server", Code.UNREACHABLE) from failure


def promised(headers: httpx2.Headers) -> dict[str, str]:
    """The digests in the answer itself: `Repr-Digest` (RFC 9530, section 3). An ETag promises no digest."""
    found = re.findall(r"(sha-512|sha-256)=:([A-Za-z0-9+/=]+):", headers.get("repr-digest", ""))
    return {name.replace("-", ""): base64.b64decode(value).hex() for name, value in found}


def listed(client: Client, repository: str, path: str, sha256: str) -> bool:
    """Does the server list this path with this digest? False is no proof of the contrary: a group lists members."""
    return any(asset["path"].lstrip("/") == path for asset in client.same_bytes(repository, sha256))


def verify(part: Part, digests: Mapping[str, str], path: str) -> str:
    """The name of the digest that was checked, the strongest there is; empty if there is none."""
    algorithm = next((name for name in STRONGEST if digests.get(name)), "")
    if not algorithm:
        return ""
    actual = hexdigest(part.file, algorithm)
    if actual != digests[algorithm].lower():
        part.drop()
        raise Failure(
            f"{path}: the {algorithm} of what arrived is {actual}, not {digests[algorithm]}; nothing was kept"
        )
    return algorithm


def hexdigest(file: Path, algorithm: str) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()
