"""Sending the parcels: several at once, never a whole file in memory, nothing twice."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from pakhus.cli.client import REST, Client, Patience, content_path, persist
from pakhus.cli.outcome import Code, Failure
from pakhus.cli.upload.plan import Parcel

PIECE = 1 << 20
Status = Literal["uploaded", "present", "skipped", "failed"]
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one parcel; `seconds` of sending."""

    parcel: Parcel
    status: Status
    sha256: str = ""
    size: int = 0
    seconds: float = 0.0
    error: str = ""
    code: Code = Code.OK

    def document(self) -> dict[str, Any]:
        told = {
            "file": str(self.parcel.file),
            "repository": self.parcel.repository,
            "format": self.parcel.format,
            "path": self.parcel.path,
            "status": self.status,
            "reason": self.error or self.parcel.skip,
            "sha256": self.sha256,
            "size": self.size,
            "seconds": round(self.seconds, 3),
        }
        return {key: value for key, value in told.items() if value not in ("", None)}


class Watched(io.FileIO):
    """A file that tells how much of it was read, as the HTTP client reads it piece by piece."""

    def __init__(self, file: Path, progress: Progress) -> None:
        super().__init__(file, "rb")
        self.progress = progress

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(-1 if size is None else size) or b""
        self.progress(len(piece))
        return piece

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read(PIECE):
            yield piece


class Journal:
    """A file of finished uploads, one JSON object a line: what a later run need not even look at again."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.lock = threading.Lock()
        self.finished = set(self.lines())

    def lines(self) -> Iterator[str]:
        if self.file and self.file.exists():
            for line in self.file.read_text("utf-8").splitlines():
                try:
                    yield json.loads(line)["key"]
                except (ValueError, KeyError, TypeError):
                    # The last line of a run that was killed.
                    continue

    @staticmethod
    def key(parcel: Parcel, url: str) -> str:
        """Names the upload: a file that was changed since is another one."""
        facts = parcel.file.stat()
        return f"{url} {parcel.repository} {parcel.file.absolute()} {facts.st_size} {facts.st_mtime_ns}"

    def add(self, key: str) -> None:
        if self.file:
            with self.lock, self.file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps({"key": key}) + "\n")


class Sender:
    """Sends parcels to one server. `skip_present` asks first whether the server has the same bytes already."""

    def __init__(
        self,
        client: Client,
        *,
        patience: Patience,
        journal: Journal,
        skip_present: bool = True,
        progress: Progress = lambda count: None,
    ) -> None:
        self.client = client
        self.patience = patience
        self.journal = journal
        self.skip_present = skip_present
        self.progress = progress
        self.gone = threading.Event()
        self.lock = threading.Lock()
        self.forms: dict[str, dict[str, Any]] = {}

    def send_all(
        self, parcels: Sequence[Parcel], *, jobs: int, finished: Callable[[Receipt], None] = lambda receipt: None
    ) -> list[Receipt]:
        """A receipt for each parcel, in their order."""
        with ThreadPoolExecutor(jobs, thread_name_prefix="upload") as pool:

            def one(parcel: Parcel) -> Receipt:
                receipt = self.send(parcel)
                finished(receipt)
                return receipt

            pending = [pool.submit(one, parcel) for parcel in parcels]
            try:
                wait(pending, return_when=FIRST_EXCEPTION)
            except KeyboardInterrupt:
                self.gone.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            return [future.result() for future in pending]

    def send(self, parcel: Parcel) -> Receipt:
        if parcel.skip:
            return Receipt(parcel, "skipped")
        if parcel.problem:
            return Receipt(parcel, "failed", error=parcel.problem, code=Code.FAILURE)
        try:
            return self.transfer(parcel)
        except Failure as failure:
            if failure.code is Code.UNREACHABLE:
                # Its patience is spent: the others need not wait as long again, one by one.
                self.gone.set()
            return Receipt(parcel, "failed", error=failure.message, code=failure.code)
        except OSError as error:
            return Receipt(parcel, "failed", error=str(error), code=Code.FAILURE)

    def transfer(self, parcel: Parcel) -> Receipt:
        if self.gone.is_set():
            raise Failure("not tried: the server is unreachable", Code.UNREACHABLE)
        size, key = parcel.file.stat().st_size, self.journal.key(parcel, self.client.session.url)
        if key in self.journal.finished:
            self.progress(size)
            return Receipt(parcel, "present", size=size)
        receipt = Receipt(parcel, "uploaded", digest(parcel.file), size)
        if self.skip_present and self.keep_trying(lambda: self.has(receipt), parcel):
            self.progress(size)
            receipt = replace(receipt, status="present")
        else:
            receipt = self.deliver(receipt)
        self.journal.add(key)
        return receipt

    def deliver(self, receipt: Receipt) -> Receipt:
        """Send the file, again if the connection broke."""
        started, tries = time.monotonic(), 0

        def attempt() -> None:
            nonlocal tries
            tries += 1
            self.put(receipt.parcel)

        try:
            self.keep_trying(attempt, receipt.parcel)
        except Failure as failure:
            # A connection that broke after the last byte: the server has it, and refuses to be given it twice.
            if tries < 2 or failure.code is Code.UNREACHABLE or not self.has(receipt):
                raise
        return replace(receipt, seconds=time.monotonic() - started)

    def keep_trying(self, attempt: Callable[[], Any], parcel: Parcel) -> Any:
        def waiting(failure: Failure, pause: float) -> None:
            if self.gone.is_set():
                raise failure
            self.client.out.detail(f"{parcel.file}: {failure.message}; again in {pause:.1f} s")

        return persist(attempt, self.patience, waiting=waiting, sleep=self.gone.wait)

    def has(self, receipt: Receipt) -> bool:
        """Does the server keep these very bytes at the place where they would go?"""
        path = receipt.parcel.path
        found = self.client.same_bytes(receipt.parcel.repository, receipt.sha256)
        return any(path is None or asset["path"].lstrip("/") == path for asset in found)

    def put(self, parcel: Parcel) -> None:
        """One try: a plain PUT where the path is known, else the upload form of the REST API."""
        sent = 0

        def seen(count: int) -> None:
            nonlocal sent
            sent += count
            self.progress(count)

        try:
            with Watched(parcel.file, seen) as body:
                if parcel.path is not None:
                    headers = {"content-type": "application/octet-stream"}
                    self.client.send("PUT", content_path(parcel.repository, parcel.path), content=body, headers=headers)
                else:
                    self.post(parcel, body)
        except Failure:
            self.progress(-sent)
            raise

    def post(self, parcel: Parcel, body: Watched) -> None:
        field = f"{parcel.format}.asset"
        chosen = {f"{field}.filename": parcel.file.name} if "filename" in self.needs(parcel.format) else {}
        self.client.send(
            "POST",
            f"{REST}/components",
            params={"repository": parcel.repository},
            data=chosen,
            files={field: (parcel.file.name, body, "application/octet-stream")},
        )

    def needs(self, format: str) -> set[str]:
        """What the form of a format asks about an asset. Raises `Failure` if it asks for more than the file can say."""
        with self.lock:
            if format not in self.forms:
                self.forms[format] = self.client.find(f"{REST}/formats/{quote(format, safe='')}/upload-specs") or {}
            form = self.forms[format]
        asked = [*form.get("componentFields", []), *form.get("assetFields", [])]
        missing = {field["name"] for field in asked if not field.get("optional")} - {"asset", "filename"}
        if missing:
            raise Failure(f"uploading {format} needs {', '.join(sorted(missing))}: use a client of the format")
        return {field["name"] for field in form.get("assetFields", [])}


def digest(file: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
