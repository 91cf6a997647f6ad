"""The manifest of a version: what a tarball's package.json says, what is kept of it, and its abbreviated form.

Sources: npm's package.json reference; the registry's "package metadata" page (abbreviated form).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from pakhus.domain.errors import BadPackage
from pakhus.kit.archives import Limits, read_tar

Manifest = Mapping[str, Any]

LIMITS = Limits(entries=500_000, member=4 << 20, total=4 << 30)
README_LIMIT = 64 << 10
ABBREVIATED = (
    "name",
    "version",
    "deprecated",
    "dependencies",
    "optionalDependencies",
    "devDependencies",
    "bundleDependencies",
    "bundledDependencies",
    "peerDependencies",
    "peerDependenciesMeta",
    "acceptDependencies",
    "bin",
    "directories",
    "dist",
    "engines",
    "cpu",
    "os",
    "libc",
    "funding",
    "hasInstallScript",
    "_hasShrinkwrap",
)
INSTALL_SCRIPTS = ("preinstall", "install", "postinstall")
_README = re.compile(r"[^/]+/readme(?:\.(?:md|markdown|txt|rst))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Packed:
    """What a tarball contains: its package.json, its README (shortened), and how many files."""

    manifest: dict[str, Any]
    readme: str
    files: int


def read_tarball(body: BinaryIO) -> Packed:
    """Read a package tarball. Its one top folder may have any name. Raises `BadPackage`."""
    names: set[str] = set()

    def wanted(name: str) -> bool:
        names.add(name)
        return _is_manifest(name) or _README.fullmatch(name.removeprefix("./")) is not None

    try:
        found = read_tar(body, wanted, LIMITS)
    except BadPackage:
        # A README beyond all bounds is no reason to refuse a package; whatever else is wrong is wrong again.
        body.seek(0)
        found = read_tar(body, _is_manifest, LIMITS)
    written = next((content for name, content in found.items() if _is_manifest(name)), None)
    if written is None:
        raise BadPackage("the tarball has no package.json in its top folder")
    readmes = [content for name, content in found.items() if not _is_manifest(name)]
    return Packed(_parsed(written), _shortened(max(readmes, key=len, default=b"")), len(names))


def _is_manifest(name: str) -> bool:
    folder, _, file = name.removeprefix("./").partition("/")
    return bool(folder) and file == "package.json"


def _parsed(written: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(written.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BadPackage(f"the tarball's package.json is not JSON: {error}") from error
    if not isinstance(manifest, dict):
        raise BadPackage("the tarball's package.json is not an object")
    return manifest


def _shortened(readme: bytes) -> str:
    return readme[:README_LIMIT].decode("utf-8", "ignore").replace("\x00", "")


def facts(manifest: Manifest, readme: str = "") -> dict[str, Any]:
    """What search and the component page know of a version; only what the manifest has."""
    known = {
        "description": _text(manifest.get("description")),
        "license": _license(manifest),
        "keywords": _keywords(manifest.get("keywords")),
        "author": person(manifest.get("author")),
        "homepage": _text(manifest.get("homepage")),
        "repository": _address(manifest.get("repository")),
        "dependencies": _mapping(manifest.get("dependencies")),
        "readme": readme,
    }
    return {name: value for name, value in known.items() if value}


def person(value: object) -> str:
    """`Name <mail> (url)`, or the members of an object, as `Name <mail>`."""
    if isinstance(value, Mapping):
        name, mail = _text(value.get("name")), _text(value.get("email"))
        return f"{name} <{mail}>" if name and mail else name or mail
    return _text(value)


def _license(manifest: Manifest) -> str:
    """An SPDX expression; older packages have `{type, url}`, or a list of these as `licenses`."""
    stated = manifest.get("license") or manifest.get("licenses")
    several = stated if isinstance(stated, list) else [stated]
    names = [_text(one.get("type")) if isinstance(one, Mapping) else _text(one) for one in several]
    return " OR ".join(name for name in names if name)


def _keywords(value: object) -> list[str]:
    if isinstance(value, str):
        return [word for word in re.split(r"[\s,]+", value) if word]
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []


def _address(value: object) -> str:
    return _text(value.get("url")) if isinstance(value, Mapping) else _text(value)


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def abbreviated(manifest: Manifest) -> dict[str, Any]:
    """The members that an installer needs."""
    short = {member: manifest[member] for member in ABBREVIATED if member in manifest}
    scripts = manifest.get("scripts")
    if (
        "hasInstallScript" not in short
        and isinstance(scripts, Mapping)
        and any(scripts.get(s) for s in INSTALL_SCRIPTS)
    ):
        short["hasInstallScript"] = True
    return short
