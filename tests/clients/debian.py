"""A Debian machine in a folder: apt with a root, a status and sources of its own, and packages made by dpkg-deb."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.clients.programs import Program, Result
from tests.clients.server import ADMIN, Server

FOLDERS = (
    "etc/apt/apt.conf.d",
    "etc/apt/auth.conf.d",
    "etc/apt/keyrings",
    "etc/apt/preferences.d",
    "etc/apt/sources.list.d",
    "etc/apt/trusted.gpg.d",
    "var/cache/apt/archives/partial",
    "var/lib/apt/lists/partial",
    "var/lib/dpkg/info",
    "var/lib/dpkg/updates",
    "var/log/apt",
)


@dataclass
class Machine:
    """Its apt trusts only the key that `add` fetched, for the repository that it fetched it from."""

    root: Path
    apt_get: Program

    def __post_init__(self) -> None:
        for folder in FOLDERS:
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        for name in ("status", "available"):
            (self.root / "var/lib/dpkg" / name).touch()

    def add(
        self,
        server: Server,
        repository: str,
        *,
        suites: str = "stable",
        components: str = "main",
        key: bytes | None = None,
    ) -> None:
        """The repository as a source, `signed-by` its own key."""
        url = server.at(repository)
        ring = self.root / f"etc/apt/keyrings/{repository}.asc"
        if key is None:
            key = key_of(server, url)
        elif not key.startswith(b"-----"):
            ring = ring.with_suffix(".gpg")
        ring.write_bytes(key)
        lines = ["Types: deb deb-src", f"URIs: {url}", f"Suites: {suites}", f"Signed-By: {ring}"]
        if components:
            lines.append(f"Components: {components}")
        (self.root / f"etc/apt/sources.list.d/{repository}.sources").write_text("\n".join(lines) + "\n")
        login = f"machine {server.url} login {ADMIN[0]} password {ADMIN[1]}\n"
        (self.root / "etc/apt/auth.conf.d/server.conf").write_text(login)

    def run(self, *words: str, cwd: Path | None = None, **options: str) -> Result:
        """`apt-get` of this machine; `options` with `__` for the colons."""
        given = {
            "Dir": self.root,
            "Dir::State::status": self.root / "var/lib/dpkg/status",
            "APT::Architecture": "amd64",
            "APT::Architectures::": "amd64",
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "en",
            "Acquire::Retries": "0",
            "DPkg::Options::": f"--root={self.root}",
            "Debug::NoLocking": "true",
            **{name.replace("__", "::"): value for name, value in options.items()},
        }
        arguments = [part for name, value in given.items() for part in ("-o", f"{name}={value}")]
        return self.apt_get.run(*arguments, *words, cwd=cwd)

    def update(self) -> Result:
        """Raises if apt so much as warns."""
        said = self.run("update").ok()
        assert "W:" not in said.output, said.transcript()
        assert "E:" not in said.output, said.transcript()
        return said

    def install(self, *packages: str) -> Result:
        return self.run("install", "-y", "--no-install-recommends", *packages).ok()

    def installed(self) -> dict[str, str]:
        status = (self.root / "var/lib/dpkg/status").read_text()
        found = {}
        for paragraph in status.split("\n\n"):
            fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] != " ")
            if fields.get("Status", "").endswith(" installed"):
                found[fields["Package"]] = fields["Version"]
        return found


def key_of(server: Server, url: str) -> bytes:
    """The repository's key; on a busy machine it may still be generated."""
    for _ in range(20):
        answer = server.get(f"{url}key.asc")
        if answer.status_code != 503:
            break
        time.sleep(1)
    return answer.raise_for_status().content


def build_deb(
    folder: Path,
    name: str,
    version: str,
    architecture: str = "all",
    *,
    depends: str = "",
    files: Mapping[str, str] = {},
) -> Path:
    """A binary package by dpkg-deb; it installs `usr/share/<name>/version`."""
    tree = folder / f"{name}-{version}-{architecture}"
    content = {f"usr/share/{name}/version": version, **files}
    for path, text in content.items():
        file = tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tree / "DEBIAN").mkdir(parents=True, exist_ok=True)
    lines = [
        f"Package: {name}",
        f"Version: {version}",
        f"Architecture: {architecture}",
        "Maintainer: A Tester <tester@example.org>",
        "Section: misc",
        "Priority: optional",
        *([f"Depends: {depends}"] if depends else []),
        f"Description: tests {name}\n At length, in version {version}.",
    ]
    (tree / "DEBIAN/control").write_text("\n".join(lines) + "\n")
    made = folder / f"{name}_{version.partition(':')[2] or version}_{architecture}.deb"
    subprocess.run(["dpkg-deb", "-b", "--root-owner-group", str(tree), str(made)], check=True, capture_output=True)
    return made


def build_source(folder: Path, name: str, version: str) -> list[Path]:
    """A native source package by dpkg-source: the `.dsc` and its archive."""
    tree = folder / f"{name}-{version}"
    (tree / "debian/source").mkdir(parents=True)
    (tree / "debian/source/format").write_text("3.0 (native)\n")
    control = f"Source: {name}\nSection: misc\nPriority: optional\nMaintainer: A Tester <tester@example.org>\n"
    control += f"Standards-Version: 4.6.2\n\nPackage: {name}\nArchitecture: all\nDescription: tests {name}\n"
    (tree / "debian/control").write_text(control)
    entry = f"{name} ({version}) stable; urgency=low\n\n  * Made.\n\n -- A Tester <tester@example.org>  "
    (tree / "debian/changelog").write_text(entry + "Thu, 01 Jan 2026 00:00:00 +0000\n")
    (tree / "hello.txt").write_text(f"the source of {name} {version}")
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    subprocess.run(["dpkg-source", "-b", tree.name], cwd=folder, check=True, capture_output=True, env=environment)
    return [folder / f"{name}_{version}.dsc", folder / f"{name}_{version}.tar.xz"]
