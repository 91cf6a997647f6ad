"""RPM packages built by rpmbuild, and a dnf with a root of its own that reads them from a repository."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring

from tests.clients.programs import Program, Result
from tests.clients.server import ADMIN
from tests.samples.rpm_metadata import unpacked

LINES = """
Requires: bash >= 4.0
Requires: (foo if bar)
Requires(pre): shadow-utils
Requires(post): systemd >= 1:239-3
Requires: {name}-data = 2:1.2.3-4
Requires: /usr/bin/{name}
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
Group: Some/Group
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

    def run(self, *args: str) -> Result:
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
        # Debian's rpm keeps its database in the home.
        return self.dnf.run(*own, *args, home=self.root / "root")

    def has(self, path: str) -> bool:
        return (self.root / path.lstrip("/")).exists()

    def text(self, path: str) -> str:
        return (self.root / path.lstrip("/")).read_text()


def machine(dnf: Program, folder: Path, url: str, *, user: tuple[str, str] = ADMIN, base: str = "") -> Machine:
    """A new root. Metadata must be signed by the key that the repository serves."""
    for each in ("etc/yum.repos.d", "etc/dnf", "var/log", "root"):
        (folder / each).mkdir(parents=True)
    (folder / "etc/dnf/dnf.conf").write_text("[main]\n")
    (folder / "etc/yum.repos.d/mine.repo").write_text(
        f"[mine]\nname=mine\nbaseurl={url}{base}\nusername={user[0]}\npassword={user[1]}\nenabled=1\n"
        f"gpgcheck=0\nrepo_gpgcheck=1\ngpgkey={url}{base}repodata/repomd.xml.key\n"
    )
    return Machine(dnf, folder)


# Metadata beside createrepo_c's


def specs_of_all_features(count: int) -> list[Spec]:
    """Specs that differ in what they have: epochs, dependencies, files of each kind, changelogs."""
    found = []
    for number in range(count):
        name = f"feature{number}"
        files = {f"/usr/share/{name}/with space & {each}.txt": "x" for each in range(number % 7)}
        files |= {f"/usr/bin/{name}": "x", f"/etc/{name}.conf": "x"} if number % 2 else {}
        dates = ["Mon Jan 06 2020", "Mon Jan 06 2020", "Sun Jan 05 2020"] + ["Wed Jan 01 2020"] * (number % 11)
        changes = [(date, f"Söhne <a{at}@b.c> - {at}", f"change & <{at}>") for at, date in enumerate(dates)]
        spec = Spec(
            name,
            version=f"1.{number}" + ("~rc1" if number % 5 == 0 else ""),
            release=f"{number}.el9",
            epoch=number if number % 3 == 0 else None,
            lines=LINES.format(name=name) if number % 4 else "",
            files=files,
            ghosts=[f"/var/lib/{name}/state"] if number % 3 else [],
            folders=[f"/var/lib/{name}"] if number % 3 else [],
            changelog=changes if number % 6 else [],
        )
        found.append(spec)
    return found


def metadata(get: Callable[[str], bytes]) -> dict[str, Element]:
    """The lists that `repomd.xml` names, by their types."""
    found = {}
    for record in fromstring(get("repodata/repomd.xml")).iterfind("{*}data"):
        location = record.find("{*}location")
        assert location is not None
        found[record.get("type", "")] = fromstring(unpacked(location.get("href", ""), get(location.get("href", ""))))
    return found


def facts(lists: Mapping[str, Element], kind: str) -> dict[str, Any]:
    """What a list says of each package, by its digest."""
    return {each.get("pkgid") or each.findtext("{*}checksum") or "": _plain(each) for each in lists[kind]}


def _plain(element: Element) -> Any:
    """An element as values: attributes without the time of the file, text, and children, dependencies as a set."""
    name = element.tag.rpartition("}")[2]
    attributes = {key: value for key, value in element.attrib.items() if (name, key) != ("time", "file")}
    children = [_plain(child) for child in element]
    entries = [repr(each) for each in children]
    return (name, attributes, element.text if not children else "", set(entries) if name in RELATIONS else entries)


RELATIONS = ("provides", "requires", "conflicts", "obsoletes", "suggests", "enhances", "recommends", "supplements")
