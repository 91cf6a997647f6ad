"""RPM packages built by rpmbuild, and a dnf with a root of its own that reads them from a repository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.clients.programs import Program, Result
from tests.clients.server import ADMIN

FULL = """
Requires: bash >= 4.0
Requires: (foo if bar)
Requires(pre): shadow-utils
Requires(post): systemd >= 1:239-3
Requires: {name}-data = 2:1.2.3-4
Provides: {name}-data = 2:1.2.3-4
Provides: virtual({name})
Conflicts: old-{name} < 1.0
Obsoletes: older-{name} <= 0:0.9
Recommends: nice >= 2
Suggests: maybe
Supplements: (a and b)
Enhances: c > 3
Vendor: Example "Vendor" & Söhne
Packager: Ünïcode Packager <p@example.org>
"""
"""Every kind of dependency, for packages that are looked at and not installed."""


@dataclass(frozen=True)
class Spec:
    """A package to build. `lines` are further lines of its preamble, `files` path → content.

    `ghosts` and `folders` are listed as such; `changelog` holds (date, author, text).
    """

    name: str
    version: str = "1.0"
    release: str = "1"
    epoch: int | None = None
    lines: str = ""
    files: Mapping[str, str] | None = None
    ghosts: Sequence[str] = ()
    folders: Sequence[str] = ()
    changelog: Sequence[tuple[str, str, str]] = ()

    def text(self) -> str:
        files = self.files if self.files is not None else {f"/usr/share/{self.name}/version": self.version}
        folders = sorted({path.rpartition("/")[0] for path in files} | set(self.folders))
        install = [f"mkdir -p '%{{buildroot}}{folder}'" for folder in folders]
        install += [f"printf %s '{content}' > '%{{buildroot}}{path}'" for path, content in files.items()]
        listed = [f'"{path}"' for path in files] + [f"%dir {each}" for each in self.folders]
        listed += [f"%ghost {each}" for each in self.ghosts]
        changes = [f"* {date} {author}\n- {text}" for date, author, text in self.changelog]
        head = [
            f"Name: {self.name}",
            f"Version: {self.version}",
            f"Release: {self.release}",
            "Summary: A <package> & its summary",
            "License: MIT",
            "URL: https://example.org/?a=b&c=d",
            "BuildArch: noarch",
            *([f"Epoch: {self.epoch}"] if self.epoch is not None else []),
        ]
        description = ["%description", "Several lines", " of <text> & more"]
        parts = ["%install", *install, "%files", *listed, "%changelog", *changes]
        return "\n".join([*head, self.lines.strip(), *description, *parts, ""])


def built(rpmbuild: Program, folder: Path, *specs: Spec, source: bool = False) -> list[Path]:
    """The packages of these specs, in their order (with `source` each followed by its source package)."""
    top, found = folder / "rpmbuild", []
    for number, spec in enumerate(specs):
        file = top / f"{number}.spec"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(spec.text())
        rpmbuild.run("-ba" if source else "-bb", "--quiet", "--define", f"_topdir {top}", file, cwd=top).ok()
        nevra = f"{spec.name}-{spec.version}-{spec.release}"
        found.append(top / "RPMS/noarch" / f"{nevra}.noarch.rpm")
        if source:
            found.append(top / "SRPMS" / f"{nevra}.src.rpm")
    return found


def put(curl: Program, url: str, *files: Path, folder: str = "Packages/") -> None:
    for file in files:
        curl.run("-sSf", "-u", ":".join(ADMIN), "-T", file, f"{url}{folder}{file.name}").ok()


@dataclass(frozen=True)
class Machine:
    """A root into which dnf installs, with one repository: `[mine]` at `url`."""

    dnf: Program
    root: Path

    def run(self, *args: str, cwd: Path | None = None) -> Result:
        own = (
            f"--installroot={self.root}",
            "--releasever=1",
            f"--setopt=reposdir={self.root}/etc/yum.repos.d",
            f"--setopt=cachedir={self.root}/var/cache/dnf",
            f"--setopt=persistdir={self.root}/var/lib/dnf",
            f"--setopt=logdir={self.root}/var/log",
            f"--config={self.root}/etc/dnf/dnf.conf",
            "--assumeyes",
        )
        return self.dnf.run(*own, *args, cwd=cwd)

    def has(self, path: str) -> bool:
        return (self.root / path.lstrip("/")).exists()

    def text(self, path: str) -> str:
        return (self.root / path.lstrip("/")).read_text()


def machine(dnf: Program, folder: Path, url: str, *, user: tuple[str, str] = ADMIN, base: str = "") -> Machine:
    """A new root. Metadata must be signed by the key that the repository serves."""
    for each in ("etc/yum.repos.d", "etc/dnf", "var/log"):
        (folder / each).mkdir(parents=True)
    (folder / "etc/dnf/dnf.conf").write_text("[main]\n")
    (folder / "etc/yum.repos.d/mine.repo").write_text(
        f"[mine]\nname=mine\nbaseurl={url}{base}\nusername={user[0]}\npassword={user[1]}\nenabled=1\n"
        f"gpgcheck=0\nrepo_gpgcheck=1\ngpgkey={url}{base}repodata/repomd.xml.key\n"
    )
    return Machine(dnf, folder)
