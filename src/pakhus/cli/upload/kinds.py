"""What kind of package a file is: by its name first, by what an archive holds where the name leaves it open."""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pakhus.cli.outcome import Failure

BY_SUFFIX = {
    ".whl": "pypi",
    ".nupkg": "nuget",
    ".gem": "rubygems",
    ".deb": "apt",
    ".udeb": "apt",
    ".rpm": "yum",
    ".crate": "cargo",
    ".conda": "conda",
}
MAVEN_SUFFIXES = (".jar", ".pom", ".war", ".ear", ".aar", ".rar", ".module", ".klib")
CHECKSUMS = (".sha1", ".md5", ".sha256", ".sha512")
BOOKKEEPING = re.compile(
    r"(_remote\.repositories|resolver-status\.properties|maven-metadata.*\.xml.*|.*\.lastUpdated)\Z"
)
TIMESTAMP = re.compile(r"-\d{8}\.\d{6}-\d+")
POM_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Kind:
    """`path` is where the file stands in a repository of that format; None: the server reads it from the file.

    `skip` says why the file is not for uploading.
    """

    format: str
    path: str | None = None
    skip: str = ""


def kind(file: Path, relative: str) -> Kind:
    """The kind of a file that was found at `relative` (with slashes) below what the user named."""
    name = file.name
    if BOOKKEEPING.match(name):
        return Kind("maven2", skip="written by the server itself")
    if name.endswith(CHECKSUMS):
        checked = file.with_name(name.rpartition(".")[0])
        inner = kind(checked, relative.rpartition(".")[0]) if checked.is_file() else Kind("raw")
        return Kind("maven2", skip="the server computes checksums") if inner.format == "maven2" else raw(relative)
    if named := BY_SUFFIX.get(file.suffix.lower()):
        return Kind(named)
    if path := maven_path(file, relative):
        return Kind("maven2", path)
    if name.endswith(".tgz"):
        return Kind(npm_or_helm(file)) if npm_or_helm(file) else raw(relative)
    if is_sdist(file):
        return Kind("pypi")
    return raw(relative)


def raw(relative: str) -> Kind:
    return Kind("raw", relative)


# -- archives


def members(file: Path) -> Iterator[str]:
    """The names in a tar archive, read as a stream; nothing for a file that is none."""
    try:
        with tarfile.open(file, "r|*") as archive:
            for member in archive:
                yield member.name.removeprefix("./")
                # tarfile keeps every member for random access, which a stream has no use for.
                archive.members = []  # type: ignore[attr-defined]
    except (tarfile.TarError, EOFError, OSError):
        return


def npm_or_helm(file: Path) -> str:
    for name in members(file):
        if name == "package/package.json":
            return "npm"
        if name.count("/") == 1 and name.endswith("/Chart.yaml"):
            return "helm"
    return ""


def is_sdist(file: Path) -> bool:
    """A source distribution has one folder named as itself, with a PKG-INFO (PyPA: source distribution format)."""
    stem = next((file.name[: -len(end)] for end in (".tar.gz", ".tar.bz2", ".zip") if file.name.endswith(end)), "")
    if "-" not in stem:
        return False
    return holds(zip_members(file) if file.suffix == ".zip" else members(file), stem)


def holds(names: Iterable[str], stem: str) -> bool:
    for name in names:
        if name.partition("/")[0] != stem:
            return False
        if name == f"{stem}/PKG-INFO":
            return True
    return False


def zip_members(file: Path) -> list[str]:
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return []


# -- Maven


def maven_path(file: Path, relative: str) -> str | None:
    """Where the file stands in a Maven repository, by its folder or by the coordinates inside it."""
    is_artifact = file.name.endswith(MAVEN_SUFFIXES)
    if not is_artifact and not file.name.endswith((".asc", ".zip", ".tar.gz")):
        return None
    # The user may have named a folder inside a local repository: then the layout begins above it.
    for path in (relative, file.absolute().as_posix().partition("/repository/")[2]):
        if in_layout(path) and (is_artifact or stands_by_pom(file, path)):
            return path
    if file.name.endswith(".jar"):
        return path_of_jar(file)
    if file.name.endswith(".pom"):
        return layout(*coordinates(read_pom(file.read_bytes()), file), file.name, "pom")
    return None


def in_layout(path: str) -> bool:
    """Is this `group/…/artifact/version/artifact-version[-classifier].extension`?"""
    parts = PurePosixPath(path).parts
    if len(parts) < 4:
        return False
    artifact, version, name = parts[-3:]
    base = version.removesuffix("-SNAPSHOT")
    if (
        version != base
        and name.startswith(f"{artifact}-{base}-")
        and TIMESTAMP.match(name[len(f"{artifact}-{base}") :])
    ):
        return True
    rest = name.removeprefix(f"{artifact}-{version}")
    return rest != name and rest[:1] in (".", "-")


def stands_by_pom(file: Path, path: str) -> bool:
    artifact, version = PurePosixPath(path).parts[-3:-1]
    return file.with_name(f"{artifact}-{version}.pom").is_file()


def path_of_jar(file: Path) -> str | None:
    """From `META-INF/maven/<group>/<artifact>/pom.properties`; several of them are a bundle of other people's jars."""
    try:
        with zipfile.ZipFile(file) as archive:
            found = [
                name for name in archive.namelist() if re.fullmatch(r"META-INF/maven/[^/]+/[^/]+/pom\.properties", name)
            ]
            if len(found) != 1 or archive.getinfo(found[0]).file_size > POM_LIMIT:
                return None
            text = archive.read(found[0]).decode("utf-8", "replace")
    except (zipfile.BadZipFile, OSError):
        return None
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    try:
        group, artifact, version = (values[key].strip() for key in ("groupId", "artifactId", "version"))
    except KeyError:
        return None
    return layout(group, artifact, version, file.name, "jar")


def layout(group: str, artifact: str, version: str, name: str, extension: str) -> str:
    """The path by coordinates. A classifier is what the file's own name has after the version."""
    start = f"{artifact}-{version}"
    rest = name.removeprefix(start)
    tail = rest if rest != name and rest[:1] == "-" else f".{extension}"
    return f"{group.replace('.', '/')}/{artifact}/{version}/{start}{tail}"


def read_pom(body: bytes) -> dict[str, str]:
    """groupId, artifactId and version of a POM, the group and the version inherited from its parent if need be."""
    from defusedxml import ElementTree

    try:
        project = ElementTree.fromstring(body[:POM_LIMIT])
    except ElementTree.ParseError:
        return {}
    found: dict[str, str] = {}
    for place in ("{*}parent/", ""):
        for key in ("groupId", "artifactId", "version"):
            if value := (project.findtext(f"{place}{{*}}{key}") or "").strip():
                found[key] = value
    return found


def coordinates(values: dict[str, str], file: Path) -> tuple[str, str, str]:
    found = tuple(values.get(key, "") for key in ("groupId", "artifactId", "version"))
    if not all(found) or "$" in "".join(found):
        raise Failure(f"{file}: the POM does not say its groupId, artifactId and version")
    return found[0], found[1], found[2]
