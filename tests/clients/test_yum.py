"""dnf, with `repo_gpgcheck=1`, in every shape: what curl uploads, it finds, installs and upgrades."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tests.clients.programs import Program
from tests.clients.rpms import Spec, built, facts, machine, metadata, put, specs_of_all_features
from tests.clients.server import ADMIN, Server
from tests.clients.topology import SHAPES, Topology
from tests.samples.rpm_packages import rpm


@pytest.fixture
def shapes(shapes_of: Callable[..., Topology]) -> Topology:
    return shapes_of("yum", proxy={"proxy": {"metadataMaxAge": 0}})


@pytest.mark.parametrize("shape", SHAPES)
def test_what_curl_puts_dnf_installs_with_its_dependencies(
    shape: str,
    dnf: Program,
    curl: Program,
    rpmbuild: Program,
    shapes: Topology,
    tmp_path: Path,
    proves: Callable[..., None],
) -> None:
    proves("yum", "dnf", shape)
    tool, library = f"tool-{shape}", f"library-{shape}"
    packages = built(rpmbuild, tmp_path, Spec(tool, lines=f"Requires: {library} >= 1:2"), Spec(library, "2.0", epoch=1))
    put(curl, shapes.url(shapes.source(shape)), *packages)
    here = machine(dnf, tmp_path / "root", shapes.url(shape))

    here.run("makecache").ok()
    here.run("install", tool).ok()

    assert here.has(f"/usr/share/{tool}/version")
    assert here.text(f"/usr/share/{library}/version") == "2.0"


def modular(name: str) -> str:
    """A package that belongs to the module's stream."""
    return f"ModularityLabel: {name}:1:1:abc"


MODULES = """---
document: modulemd
version: 2
data:
  name: {name}
  stream: "1"
  version: 1
  context: abc
  arch: noarch
  summary: A module
  description: A module
  license: {{module: [MIT]}}
  profiles: {{default: {{rpms: [{name}]}}}}
  artifacts: {{rpms: ["{name}-0:1.0-1.noarch"]}}
...
---
document: modulemd-defaults
version: 1
data: {{module: {name}, stream: "1", profiles: {{"1": [default]}}}}
...
"""
COMPS = """<comps><group><id>{id}</id><name>Group {id}</name><description/><uservisible>true</uservisible>
<packagelist><packagereq type="mandatory">{package}</packagereq></packagelist></group></comps>"""
ADVISORY = """<updates><update from="x@example.org" status="final" type="security" version="1"><id>{id}</id>
<title>Fixes {package}</title><severity>Important</severity><issued date="2026-01-01 00:00:00"/>
<description>A hole</description><pkglist><collection short="c"><name>c</name>
<package name="{package}" version="2.0" release="1" epoch="0" arch="noarch">
<filename>{package}-2.0-1.noarch.rpm</filename></package></collection></pkglist></update></updates>"""


def document(curl: Program, url: str, name: str, text: str, folder: Path) -> None:
    """Upload a document as its author would: into `repodata/`."""
    file = folder / name
    file.write_text(text)
    put(curl, url, file, folder="repodata/")


@pytest.mark.parametrize("shape", SHAPES)
def test_groups_modules_and_advisories_are_understood(
    shape: str, dnf: Program, curl: Program, rpmbuild: Program, shapes: Topology, tmp_path: Path
) -> None:
    name, module = f"known-{shape}", f"module-{shape}"
    specs = [Spec(name, "1.0"), Spec(name, "2.0"), Spec(module, lines=modular(module))]
    url = shapes.url(shapes.source(shape))
    old, new, member = built(rpmbuild, tmp_path, *specs)
    put(curl, url, old, member)
    document(curl, url, f"{shape}-comps.xml", COMPS.format(id=f"g-{shape}", package=name), tmp_path)
    document(curl, url, f"{shape}-modules.yaml", MODULES.format(name=module), tmp_path)
    document(curl, url, f"{shape}-updateinfo.xml", ADVISORY.format(id=f"SEC-{shape}", package=name), tmp_path)
    here = machine(dnf, tmp_path / "root", shapes.url(shape))

    assert f"Group g-{shape}" in here.run("group", "list").ok().stdout
    here.run("group", "install", f"g-{shape}").ok()
    assert here.text(f"/usr/share/{name}/version") == "1.0"
    here.run("module", "install", f"{module}:1").ok()
    assert here.has(f"/usr/share/{module}/version")

    put(curl, url, new)
    listed = here.run("--refresh", "updateinfo", "list").ok().stdout
    assert f"SEC-{shape}" in listed
    here.run("upgrade", "--security").ok()
    assert here.text(f"/usr/share/{name}/version") == "2.0"


def test_an_upgrade_takes_what_was_uploaded_last(
    dnf: Program, curl: Program, rpmbuild: Program, shapes: Topology, tmp_path: Path
) -> None:
    packages = built(rpmbuild, tmp_path, *(Spec("upgraded", version) for version in ("1.9", "1.10~rc1", "1.10")))
    here = machine(dnf, tmp_path / "root", shapes.url("group"))
    for package, version in zip(packages, ("1.9", "1.10~rc1", "1.10"), strict=True):
        put(curl, shapes.url("hosted"), package)
        here.run("--refresh", "upgrade" if here.has("/usr/share/upgraded/version") else "install", "upgraded").ok()
        assert here.text("/usr/share/upgraded/version") == version


def test_a_repository_signed_by_another_key_is_refused(
    dnf: Program, curl: Program, rpmbuild: Program, shapes: Topology, tmp_path: Path
) -> None:
    put(curl, shapes.url("hosted"), *built(rpmbuild, tmp_path, Spec("foreign")))
    here = machine(dnf, tmp_path / "root", shapes.url("hosted"))
    file = here.root / "etc/yum.repos.d/mine.repo"
    file.write_text(file.read_text().replace(f"gpgkey={shapes.url('hosted')}", f"gpgkey={shapes.url('group')}"))

    said = here.run("makecache").refused()

    assert "GPG" in said.output or "signature" in said.output


def test_without_credentials_there_is_nothing(dnf: Program, shapes: Topology, tmp_path: Path) -> None:
    here = machine(dnf, tmp_path / "root", shapes.url("hosted"), user=("nobody", "wrong"))

    assert "401" in here.run("makecache").refused().output


def test_a_folder_of_each_release_is_a_repository(
    dnf: Program, curl: Program, rpmbuild: Program, server: Server, tmp_path: Path
) -> None:
    url = server.create("yum", "hosted", "yum-deep", yum={"repodataDepth": 2})
    put(curl, url, *built(rpmbuild, tmp_path / "8", Spec("deep", release="1.el8")), folder="el/8/Packages/")
    put(curl, url, *built(rpmbuild, tmp_path / "9", Spec("deep", release="1.el9")), folder="el/9/Packages/")
    here = machine(dnf, tmp_path / "root", url, base="el/9/")

    assert "1.el9" in here.run("repoquery", "deep").ok().stdout
    here.run("install", "deep").ok()


def test_a_refresh_during_uploads_never_meets_a_mismatch(
    dnf: Program, rpmbuild: Program, server: Server, tmp_path: Path
) -> None:
    """Every refresh verifies the signature, and the digest of each list: it takes what belongs together or fails."""
    url = server.create("yum", "hosted", "yum-stream")
    server.put(f"{url}first.rpm", rpm("first")).raise_for_status()
    here = machine(dnf, tmp_path / "root", url)
    here.run("makecache").ok()
    done = threading.Event()
    uploaded: list[int] = []

    def upload() -> None:
        with httpx2.Client(auth=ADMIN, timeout=60, trust_env=False) as http:
            while not done.is_set():
                number = len(uploaded)
                http.put(f"{url}p{number}.rpm", content=rpm(f"p{number}")).raise_for_status()
                uploaded.append(number)

    thread = threading.Thread(target=upload)
    thread.start()
    try:
        counts = []
        for _ in range(12):
            here.run("--refresh", "makecache").ok()
            counts.append(len(here.run("-C", "repoquery", "--qf", "%{name}").ok().stdout.split()))
    finally:
        done.set()
        thread.join()
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]
    here.run("--refresh", "makecache").ok()
    assert len(here.run("-C", "repoquery", "--qf", "%{name}").ok().stdout.split()) == len(uploaded) + 1


def test_the_metadata_say_what_createrepo_c_says(
    createrepo_c: Program, rpmbuild: Program, curl: Program, server: Server, tmp_path: Path
) -> None:
    """200 packages of every feature; order within a list of dependencies, and repetitions there, do not count."""
    pool = tmp_path / "pool"
    pool.mkdir()
    for package in built(rpmbuild, tmp_path, *specs_of_all_features(100), source=True):
        package.rename(pool / package.name)
    assert len(list(pool.iterdir())) == 200
    createrepo_c.run("--no-database", pool).ok()
    url = server.create("yum", "hosted", "yum-oracle")
    put(curl, url, *sorted(pool.glob("*.rpm")), folder="")

    ours = metadata(lambda path: server.get(url + path).raise_for_status().content)
    theirs = metadata(lambda path: (pool / path).read_bytes())

    for kind in ("primary", "filelists", "other"):
        assert facts(ours, kind) == facts(theirs, kind)


def test_lists_of_zstandard_are_read(dnf: Program, server: Server, tmp_path: Path) -> None:
    url = server.create("yum", "hosted", "yum-zstd", yum={"compression": "ZSTD"})
    server.put(f"{url}one.rpm", rpm("one")).raise_for_status()
    here = machine(dnf, tmp_path / "root", url)

    assert "one-0:1.0-1.noarch" in here.run("repoquery", "one").ok().stdout
    assert list(here.root.rglob("*-primary.xml.zst"))
