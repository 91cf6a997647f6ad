"""`cargo publish`: a JSON object and the crate file in one body, each behind its length (32 bits, little-endian).

The index entry is made of the JSON, as the Cargo book says; that it is of this crate file is checked in the file.
Source: the Cargo book, "Registry Web API" (Publish), "Registry Index" (differences from the publish API).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pakhus.domain.content import Attributes, Facts
from pakhus.domain.errors import AlreadyExists, BadPackage, Invalid, PolicyViolation, TooLarge
from pakhus.formats.cargo.crate import CONTENT_TYPE, Packed, facts, read_crate
from pakhus.formats.cargo.names import (
    check_name,
    check_version,
    coordinates,
    crate_path,
    package,
    package_query,
    unbuilt,
    versions_query,
)
from pakhus.kit.context import Annotation, Call, Deposit, Draft, Hosted, Reply
from pakhus.kit.wire import dump_json, parse_json

JSON = {"content-type": "application/json"}
MAX_METADATA = 16 << 20
KINDS = ("normal", "dev", "build", None)
SAID_OTHERWISE = ("name", "version_req", "explicit_name_in_toml")


def answer(value: object) -> Reply:
    return Reply(200, dump_json(value), JSON)


class Framed:
    """A body of parts with their length before them, read as it arrives."""

    def __init__(self, chunks: AsyncIterable[bytes]) -> None:
        self._chunks = aiter(chunks)
        self._held = b""

    async def part(self, *, limit: int) -> bytes:
        """The next part as a whole. Raises `TooLarge`."""
        size = await self._length()
        if size > limit:
            raise TooLarge(f"the metadata has {size} bytes; at most {limit} are taken")
        return b"".join([piece async for piece in self._pieces(size)])

    async def stream(self) -> AsyncIterator[bytes]:
        """The last part, in pieces. Raises `Invalid` when the body is shorter or longer than it says."""
        async for piece in self._pieces(await self._length()):
            yield piece
        if await self._more():
            raise Invalid("the body goes on after the crate file")

    async def _length(self) -> int:
        return int.from_bytes(b"".join([piece async for piece in self._pieces(4)]), "little")

    async def _pieces(self, size: int) -> AsyncIterator[bytes]:
        while size:
            if not await self._more():
                raise Invalid("the body is truncated")
            piece, self._held = self._held[:size], self._held[size:]
            size -= len(piece)
            yield piece

    async def _more(self) -> bool:
        """Is there anything left?"""
        while not self._held:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                return False
            self._held = bytes(chunk)
        return True


@dataclass(frozen=True, slots=True)
class Release:
    """What is published: the entry for the index (without checksum), and what else is known."""

    name: str
    version: str
    entry: Mapping[str, Any]
    facts: Mapping[str, Any]
    crate: Draft

    @property
    def deposit(self) -> Deposit:
        entry = {**self.entry, "cksum": self.crate.digests.sha256}
        return Deposit(
            path=crate_path(self.name, self.version),
            body=self.crate,
            coordinates=coordinates(self.name, self.version),
            facts=Facts({**self.facts, "entry": entry, "yanked": False}),
            content_type=CONTENT_TYPE,
        )


async def publish(call: Call, hosted: Hosted) -> Reply:
    body = Framed(call.body)
    entry = index_entry(parse_json(await body.part(limit=MAX_METADATA)))
    crate = await hosted.draft(body.stream())
    try:
        release = await asyncio.to_thread(checked, entry, crate)
        claim = await claimed(hosted, release)
    except BaseException:
        await crate.cancel()
        raise
    try:
        await hosted.deposit(release.deposit, Annotation(package(release.name), claim))
    except PolicyViolation as refused:
        what = f"{release.name}@{release.version}"
        raise PolicyViolation(f"crate {what} cannot be published: {refused.message}") from refused
    return answer({"warnings": {"invalid_categories": [], "invalid_badges": [], "other": []}})


def checked(entry: Mapping[str, Any], crate: Draft) -> Release:
    """The release, if the crate file is of the crate and version that the JSON says. Raises `BadPackage`."""
    name, version = entry["name"], entry["vers"]
    with crate.open() as body:
        packed = read_crate(body)
    _check_same(packed, name, version)
    return Release(name, version, entry, facts(packed), crate)


def _check_same(packed: Packed, name: str, version: str) -> None:
    if (packed.package.get("name"), packed.package.get("version")) != (name, version):
        said = f"{packed.package.get('name')}@{packed.package.get('version')}"
        raise BadPackage(f"the Cargo.toml in the crate file of {name}@{version} says it is {said}")
    if packed.folder != f"{name}-{version}":
        raise BadPackage(f"the folder in the crate file of {name}@{version} is {packed.folder[:200]}")


async def claimed(hosted: Hosted, release: Release) -> Callable[[Attributes], Attributes]:
    """The change of the package that takes its name. Raises `AlreadyExists` if another spelling has it."""
    name, version = release.name, release.version
    own = await hosted.find(package_query(name))
    holder = str(own[0].attributes.get("name", "")) if own else ""
    spelled = await hosted.find(versions_query(holder)) if holder and holder != name else []
    if any(each.version and each.assets for each in spelled):
        raise AlreadyExists(f"crate {name} cannot be published: there is a crate named {holder}")
    held = {each.version for each in await hosted.find(versions_query(name)) if each.assets}
    if other := next((v for v in held if v != version and unbuilt(v) == unbuilt(version)), None):
        raise AlreadyExists(f"{name}@{version} cannot be published: {other} differs in build metadata only")

    def claim(attributes: Attributes) -> Attributes:
        """In the transaction: another publication may have been faster."""
        taken = attributes.get("name", "")
        if taken not in ("", name, holder):
            raise AlreadyExists(f"crate {name} cannot be published: there is a crate named {taken}")
        return {**attributes, "name": name}

    return claim


# The JSON


def index_entry(stated: Any) -> dict[str, Any]:
    """What the index tells of a publication; the checksum is the registry's to add. Raises `Invalid`."""
    if not isinstance(stated, dict):
        raise Invalid("the metadata is not a JSON object")
    name, version = stated.get("name"), stated.get("vers")
    if not isinstance(name, str) or not isinstance(version, str):
        raise Invalid("the metadata has no name or no version")
    check_name(name)
    check_version(version)
    deps = stated.get("deps") or []
    if not isinstance(deps, list):
        raise Invalid("'deps' is not a list", field="deps")
    plain, extended = features_of(stated)
    entry: dict[str, Any] = {
        "name": name,
        "vers": version,
        "deps": [dependency(dep) for dep in deps],
        "features": plain,
        "yanked": False,
    }
    for member in ("links", "rust_version"):
        if stated.get(member) is not None:
            entry[member] = _text(stated, member)
    return entry | ({"features2": extended, "v": 2} if extended else {})


def dependency(stated: Any) -> dict[str, Any]:
    """A dependency as the index has it: under the name it has in Cargo.toml, and the crate's own name as `package`."""
    if not isinstance(stated, dict):
        raise Invalid("a dependency is not an object", field="deps")
    name, requirement = _text(stated, "name"), _text(stated, "version_req")
    if stated.get("kind") not in KINDS:
        raise Invalid(f"the dependency {name} is of the unknown kind {stated['kind']}", field="deps")
    kept = {
        "features": stated.get("features") or [],
        "optional": bool(stated.get("optional")),
        "default_features": stated.get("default_features") is not False,
        "target": stated.get("target"),
        "kind": stated.get("kind") or "normal",
        "registry": stated.get("registry"),
    }
    others = {member: value for member, value in stated.items() if member not in (*SAID_OTHERWISE, *kept)}
    alias = stated.get("explicit_name_in_toml")
    renamed = {"name": alias, "req": requirement, "package": name} if alias else {"name": name, "req": requirement}
    return {**renamed, **kept, **others}


def features_of(stated: Mapping[str, Any]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Those that every cargo can read, and those with `dep:` or `?/`."""
    plain: dict[str, list[str]] = {}
    extended: dict[str, list[str]] = {}
    for member in ("features", "features2"):
        features = stated.get(member) or {}
        if not isinstance(features, dict):
            raise Invalid(f"'{member}' is not an object", field=member)
        for feature, enables in features.items():
            if not isinstance(enables, list) or not all(isinstance(each, str) for each in enables):
                raise Invalid(f"the feature {feature} is not a list of texts", field=member)
            new = member == "features2" or any(each.startswith("dep:") or "?/" in each for each in enables)
            (extended if new else plain)[feature] = enables
    return plain, extended


def _text(stated: Mapping[str, Any], member: str) -> str:
    value = stated.get(member)
    if not isinstance(value, str) or not value:
        raise Invalid(f"'{member}' is not a text", field=member)
    return value
