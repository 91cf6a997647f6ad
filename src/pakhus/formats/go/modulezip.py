"""Module zips: the rules that make one extractable everywhere, and what it says of its module.

Sources: Go modules reference, "Module zip files" (path and size constraints); go.sum's hash `h1`, "go.sum files".
"""

from __future__ import annotations

import base64
import hashlib
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO

from pakhus.domain.content import Coordinates
from pakhus.domain.errors import BadPackage
from pakhus.formats.go.gomod import GoMod, parse_gomod, synthesized
from pakhus.formats.go.names import check_file, check_module, check_version, folded, is_incompatible
from pakhus.kit.archives import Limits, read_zip
from pakhus.kit.zips import Member, zip_digests, zip_members

MAX_ZIP = 500 << 20
"""Bytes of a zip, and of all that is in it."""
MAX_SINGLE = 16 << 20
"""Bytes of go.mod, and of LICENSE."""
MAX_README = 64 << 10
LIMITS = Limits(member=MAX_ZIP, total=MAX_ZIP, ratio=1100)
"""The sizes are bounded as they are: deflate's own best ratio, about 1030, is no sign of a bomb."""
READMES = ("README.md", "readme.md", "Readme.md", "README", "README.rst", "README.txt", "README.markdown")
LICENSES = ("LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE", "COPYING", "UNLICENSE")


@dataclass(frozen=True, slots=True)
class ModuleContent:
    """A module zip that was read: its go.mod, `None` if it has none, and what is kept of it."""

    gomod: bytes | None
    attributes: dict[str, Any]


def prefix_of(module: Coordinates) -> str:
    return f"{module.name}@{module.version}/"


def named(body: BinaryIO) -> Coordinates:
    """The module and the version that the entries of a module zip begin with. Raises `BadPackage`."""
    for member in zip_members(body, LIMITS):
        module, at, rest = member.name.partition("@")
        version, slash, _ = rest.partition("/")
        if at and slash and module and version:
            return Coordinates(module, version)
        raise BadPackage(_PREFIX.format(name=member.name[:200], prefix="<module>@<version>/") + _hint(member))
    raise BadPackage("the module zip is empty")


def check(body: BinaryIO, module: Coordinates) -> None:
    """Raise `BadPath` or `BadPackage`, with the rule, unless this is a zip of this module that go can extract."""
    check_module(module.name)
    check_version(module.name, module.version)
    members = zip_members(body, LIMITS)
    names = _Names()
    total = 0
    for member in members:
        name = _inner_name(member, prefix_of(module))
        if not name:
            continue
        names.add(name.removesuffix("/"), is_folder=name.endswith("/"))
        if not name.endswith("/"):
            _check_member(name, member)
            total += member.size
    if total > MAX_ZIP:
        raise BadPackage(f"the module's files have {total} bytes; at most {MAX_ZIP} are allowed")
    if not names.files:
        raise BadPackage("the module zip has no files")


def read(body: BinaryIO, module: Coordinates) -> ModuleContent:
    """What the zip says of its module; its rules are not checked here. Raises `BadPackage`."""
    prefix = prefix_of(module)
    members = {member.name: member for member in zip_members(body, LIMITS)}
    readme = next((name for name in READMES if prefix + name in members), None)
    if readme is not None and members[prefix + readme].size > MAX_README:
        readme = None
    wanted = {prefix + name for name in ("go.mod", readme) if name is not None}
    files = read_zip(body, wanted.__contains__, LIMITS)
    gomod = files.get(f"{prefix}go.mod")
    attributes = described(parse_gomod(gomod)) if gomod is not None else {}
    if readme is not None:
        attributes["readme"] = files[prefix + readme].decode("utf-8", "replace")
        attributes["readme_file"] = readme
    if found := next((name for name in LICENSES if prefix + name in members), None):
        attributes["license_file"] = found
    return ModuleContent(gomod, attributes)


def check_gomod(body: bytes | None, module: Coordinates) -> bytes:
    """The go.mod to serve: the zip's, or what the go command makes up where a zip has none.

    Raises `BadPackage` if it speaks of another module, or if there should be none.
    """
    if body is None:
        return synthesized(module.name)
    declared = parse_gomod(body).module
    if declared != module.name:
        raise BadPackage(f"go.mod declares the module {declared}, not {module.name}")
    if is_incompatible(module.version):
        raise BadPackage(f"a module with a go.mod cannot be {module.version}: its path has to name the major version")
    return body


def described(gomod: GoMod) -> dict[str, Any]:
    """A go.mod's facts, as they are kept with the version."""
    requires = [{"path": each.path, "version": each.version, "indirect": each.indirect} for each in gomod.requires]
    facts = {
        "go": gomod.go,
        "toolchain": gomod.toolchain,
        "deprecated": gomod.deprecated,
        "dependencies": requires,
        "retracts": list(gomod.retracts),
    }
    return {name: value for name, value in facts.items() if value}


def zip_hash(body: BinaryIO) -> str:
    """The zip's `h1:` hash in go.sum; every file is unpacked for it. Raises `BadPackage`."""
    return hash1(zip_digests(body, LIMITS))


def gomod_hash(body: bytes) -> str:
    return hash1([("go.mod", hashlib.sha256(body).hexdigest())])


def hash1(digests: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over the list of files as `sha256sum` would print it, sorted by name."""
    lines = sorted((name.encode(), digest) for name, digest in digests)
    listing = b"".join(digest.encode() + b"  " + name + b"\n" for name, digest in lines)
    return "h1:" + base64.b64encode(hashlib.sha256(listing).digest()).decode()


_PREFIX = "{name} does not begin with {prefix}"


def _hint(member: Member) -> str:
    return " (zip -D leaves out the entries of folders)" if member.name.endswith("/") else ""


def _inner_name(member: Member, prefix: str) -> str:
    if not member.name.startswith(prefix):
        raise BadPackage(_PREFIX.format(name=member.name[:200], prefix=prefix) + _hint(member))
    return member.name[len(prefix) :]


def _check_member(name: str, member: Member) -> None:
    kind = stat.S_IFMT(member.mode)
    if kind not in (0, stat.S_IFREG):
        raise BadPackage(f"{name} is a symbolic link or another thing that is no regular file")
    folder, _, base = name.rpartition("/")
    if base.lower() == "go.mod" and folder:
        raise BadPackage(f"{name}: a go.mod below the root begins another module, which is left out of the zip")
    if base.lower() == "go.mod" and base != "go.mod":
        raise BadPackage(f"{name}: go.mod is written in lower case")
    if name in ("go.mod", "LICENSE") and member.size > MAX_SINGLE:
        raise BadPackage(f"{name} has {member.size} bytes; at most {MAX_SINGLE} are allowed")


class _Names:
    """The names so far, by what a file system without case makes of them; folders of files count too."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, bool]] = {}
        self.files = 0

    def add(self, name: str, *, is_folder: bool) -> None:
        check_file(name)
        self.files += not is_folder
        while name:
            known = self._known.get(folded(name))
            if known is None:
                self._known[folded(name)] = name, is_folder
            elif known[0] != name:
                raise BadPackage(f"{known[0]} and {name} differ in case only")
            elif known[1] != is_folder:
                raise BadPackage(f"{name} is both a file and a folder")
            elif not is_folder:
                raise BadPackage(f"the archive has {name} twice")
            else:
                return  # the folders above it have been here
            name, is_folder = name.rpartition("/")[0], True
