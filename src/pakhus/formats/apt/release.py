"""`Release`: what a distribution has, and the digests of its indexes (the repository format of Debian's wiki)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Protocol

from pakhus.domain.errors import BadPackage
from pakhus.formats.apt import control

ARMOR = re.compile(
    rb"\A-----BEGIN PGP SIGNED MESSAGE-----\r?\n(?:[^\r\n]+\r?\n)*\r?\n(?P<text>.*?)\r?\n-----BEGIN PGP SIGNATURE-----",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A file that a Release vouches for; `path` is relative to it."""

    path: str
    size: int
    md5: str
    sha256: str


class Words(Protocol):
    """What an operator says of a repository."""

    @property
    def origin(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def valid_days(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Heading:
    """The fields before the digests. `suite` is empty in a flat repository."""

    suite: str
    components: Sequence[str]
    architectures: Sequence[str]
    moment: datetime


def rendered(heading: Heading, words: Words, repository: str, files: Iterable[Listed]) -> bytes:
    lines = [f"Origin: {words.origin or repository}", f"Label: {words.label or repository}"]
    if heading.suite:
        lines += [f"Suite: {heading.suite}", f"Codename: {heading.suite}"]
    lines.append(f"Date: {_date(heading.moment)}")
    if words.valid_days:
        lines.append(f"Valid-Until: {_date(heading.moment + timedelta(days=words.valid_days))}")
    lines += ["Acquire-By-Hash: yes", f"Architectures: {' '.join(heading.architectures)}"]
    if heading.components:
        lines.append(f"Components: {' '.join(heading.components)}")
    listed = sorted(files, key=lambda each: each.path)
    for title, digest in (("MD5Sum", "md5"), ("SHA256", "sha256")):
        lines += [f"{title}:", *(f" {getattr(each, digest)} {each.size:>8} {each.path}" for each in listed)]
    return ("\n".join(lines) + "\n").encode()


@dataclass(frozen=True, slots=True)
class Upstream:
    """A Release that was read: `files` has the SHA-256 by the path relative to it."""

    components: tuple[str, ...]
    architectures: tuple[str, ...]
    by_hash: bool
    files: Mapping[str, str]


def read(content: bytes) -> Upstream:
    """A Release or an InRelease. Its signature is not checked: who trusts the upstream has said so by its URL."""
    framed = ARMOR.search(content)
    text = control.decoded(framed["text"] if framed else content)
    fields = control.fields_of(text.strip("\n"))
    if "sha256" not in fields:
        raise BadPackage("the Release has no SHA256")
    rows = [line.split() for line in fields["sha256"].split("\n") if line.strip()]
    return Upstream(
        components=tuple(fields.get("components", "").split()),
        architectures=tuple(fields.get("architectures", "").split()),
        by_hash=fields.get("acquire-by-hash", "").lower() == "yes",
        files={row[2]: row[0] for row in rows if len(row) == 3},
    )


def _date(moment: datetime) -> str:
    return format_datetime(moment.replace(microsecond=0), usegmt=True).replace("GMT", "UTC")
