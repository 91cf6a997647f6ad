"""Names, tags and digests (Distribution specification 1.1, "Pulling manifests"; Image specification, "Digests")."""

from __future__ import annotations

import hashlib
import re

from pakhus.domain.content import Digests
from pakhus.domain.errors import DigestMismatch, Invalid

NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*", re.ASCII)
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", re.ASCII)
LENGTHS = {"sha256": 64, "sha512": 128}
MAX_NAME = 255


class NameInvalid(Invalid):
    pass


class TagInvalid(Invalid):
    pass


class DigestInvalid(DigestMismatch):
    pass


def check_name(name: str) -> str:
    """The name of an image. Raises `NameInvalid`."""
    if len(name) > MAX_NAME or NAME.fullmatch(name) is None:
        raise NameInvalid(
            f"'{name[:80]}' is not a name for an image: lower-case letters and digits, separated by '.', '_', '-', '/'"
        )
    return name


def check_tag(tag: str) -> str:
    if TAG.fullmatch(tag) is None:
        raise TagInvalid(f"'{tag[:80]}' is not a tag")
    return tag


def is_digest(reference: str) -> bool:
    return ":" in reference


def check_digest(digest: str) -> str:
    """A digest with an algorithm that can be checked. Raises `DigestInvalid`."""
    algorithm, _, value = digest.partition(":")
    if LENGTHS.get(algorithm) != len(value) or re.fullmatch(r"[0-9a-f]+", value) is None:
        raise DigestInvalid(f"'{digest[:160]}' is not a sha256 or sha512 digest")
    return digest


def digest_of(body: bytes, like: str = "sha256:") -> str:
    """The digest of some bytes, with the algorithm of another digest."""
    algorithm = like.partition(":")[0]
    return f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"


def verify(digest: str, actual: Digests) -> None:
    """Raises `DigestInvalid` unless a body is what the digest says."""
    algorithm, _, value = check_digest(digest).partition(":")
    if actual.get(algorithm) != value:
        raise DigestInvalid(f"the content has the digest {algorithm}:{actual.get(algorithm)}, not {digest}")
