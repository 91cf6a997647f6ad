"""apt in a root of its own, with `signed-by` and nothing that makes it trust more: every shape, and what goes wrong."""

from __future__ import annotations

import hashlib
import re
import subprocess
import threading
import time
from collections.abc import Callable
from email import message_from_string
from itertools import takewhile
from pathlib import Path

import pytest

from tests.clients import programs
from tests.clients.debian import Machine, build_deb, build_source
from tests.clients.programs import Program
from tests.clients.server import ADMIN, Server
from tests.clients.topology import SHAPES, Topology
from tests.clients.upstreams import live_upstream, said
from tests.samples.apt_packages import deb


@pytest.fixture
def shapes(shapes_of: Callable[..., Topology]) -> Topology:
    return shapes_of("apt", proxy={"proxy": {"metadataMaxAge": 0}})


@pytest.fixture
def apt_get(tmp_path: Path) -> Program:
    return programs.program("apt-get", tmp_path)


@pytest.fixture
def machine(apt_get: Program, tmp_path: Path) -> Machine:
    return Machine(tmp_path / "root", apt_get)


def put(curl: Program, file: Path, url: str, path: str = "pool/main/") -> None:
    curl.run("-sSf", "-u", ":".join(ADMIN), "-T", file, f"{url}{path}").ok()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_package_is_installed_with_what_it_needs_upgraded_and_its_source_fetched(
    shape: str, machine: Machine, curl: Program, shapes: Topology, tmp_path: Path, proves: Callable[..., None]
) -> None:
    proves("apt", "apt", shape)
    name, needed = f"app-{shape}", f"lib-{shape}"
    url = shapes.url(shapes.source(shape))
    put(curl, build_deb(tmp_path, needed, "1.0", "amd64"), url)
    put(curl, build_deb(tmp_path, name, "1.0", depends=f"{needed} (>= 1.0)"), url)
    for file in build_source(tmp_path, name, "1.0"):
        put(curl, file, url)
    machine.add(shapes.near, shapes.name(shape))

    machine.update()
    machine.install(name)
    assert machine.installed() == {name: "1.0", needed: "1.0"}
    assert (machine.root / f"usr/share/{name}/version").read_text() == "1.0"

    machine.run("source", "--only-source", name, cwd=tmp_path / "root").ok()
    assert "the source of" in (machine.root / f"{name}-1.0/hello.txt").read_text()

    put(curl, build_deb(tmp_path, name, "1:0.9", depends=needed), url)
    machine.update()
    machine.run("upgrade", "-y").ok()
    assert machine.installed()[name] == "1:0.9"


def test_a_removed_package_is_gone_after_the_next_update(
    machine: Machine, curl: Program, server: Server, tmp_path: Path
) -> None:
    server.create("apt", "hosted", "removals")
    put(curl, build_deb(tmp_path, "gone", "1.0"), server.at("removals"))
    machine.add(server, "removals")
    machine.update()
    machine.run("install", "-y", "--print-uris", "gone").ok()

    curl.run("-sSf", "-u", ":".join(ADMIN), "-X", "DELETE", server.at("removals", "pool/main/gone_1.0_all.deb")).ok()

    machine.update()
    assert "Unable to locate package gone" in machine.run("install", "-y", "gone").refused().output


def test_distributions_and_components_are_apart(
    machine: Machine, curl: Program, server: Server, tmp_path: Path
) -> None:
    server.create("apt", "hosted", "places")
    url = server.at("places")
    put(curl, build_deb(tmp_path, "in-both", "1.0"), url, "pool/in-both_1.0_all.deb;deb.distribution=one,two")
    put(curl, build_deb(tmp_path, "in-contrib", "1.0"), url, "pool/x.deb;deb.distribution=one;deb.component=contrib")
    put(curl, build_deb(tmp_path, "in-two", "1.0"), url, "pool/in-two_1.0_all.deb?distribution=two")
    machine.add(server, "places", suites="one")
    machine.update()

    assert machine.run("install", "-sy", "in-both").ok()
    for elsewhere in ("in-contrib", "in-two"):
        machine.run("install", "-sy", elsewhere).refused()
    machine.add(server, "places", suites="one two", components="main contrib")
    assert "contrib" in machine.run("update").ok().output
    machine.install("in-both", "in-contrib", "in-two")


def test_a_client_without_the_key_refuses_the_repository(
    machine: Machine, curl: Program, gpg: Program, server: Server, tmp_path: Path
) -> None:
    for name in ("mine", "other"):
        server.create("apt", "hosted", name)
        put(curl, build_deb(tmp_path, "p", "1.0"), server.at(name))
    other = server.get(server.at("other", "key.asc")).content
    machine.add(server, "mine", key=other)

    update = machine.run("update").refused()

    assert "NO_PUBKEY" in update.output or "not signed" in update.output


def test_through_a_rotation_clients_with_the_old_and_with_the_new_key_go_on(
    curl: Program, apt_get: Program, server: Server, tmp_path: Path
) -> None:
    server.create("apt", "hosted", "rotated")
    put(curl, build_deb(tmp_path, "p", "1.0"), server.at("rotated"))
    old, new = Machine(tmp_path / "old", apt_get), Machine(tmp_path / "new", apt_get)
    old.add(server, "rotated")
    old.update()
    path = "/api/v1/repositories/rotated/signing-keys"
    assert server.http.post(path, json={"overlap_days": 7}).status_code == 202
    while server.http.get(path).json()["generating"]:
        pass
    newest = server.http.get(path).json()["keys"][0]["public_key"]
    new.add(server, "rotated", key=newest.encode())

    for machine in (old, new):
        machine.update()
        machine.install("p")


def test_an_imported_key_of_gnupg_signs(
    machine: Machine, curl: Program, gpg: Program, server: Server, tmp_path: Path
) -> None:
    home = gpg.home()
    secret = ("--batch", "--pinentry-mode", "loopback", "--passphrase", "open sesame")
    gpg.run(*secret, "--quick-gen-key", "An operator", "rsa3072", "sign", "0", home=home).ok()
    keypair = gpg.run(*secret, "--armor", "--export-secret-keys", home=home).ok().stdout
    public = gpg.run("--armor", "--export", home=home).ok().stdout
    server.create("apt", "hosted", "imported", aptSigning={"keypair": keypair, "passphrase": "open sesame"})
    put(curl, build_deb(tmp_path, "p", "1.0"), server.at("imported"))
    machine.add(server, "imported", key=public.encode())

    machine.update()
    machine.install("p")

    shown = server.rest("GET", "/repositories/apt/hosted/imported").json()
    assert shown["aptSigning"] is None


def test_updates_under_a_stream_of_uploads_never_meet_a_mismatch(
    apt_get: Program, server: Server, tmp_path: Path
) -> None:
    server.create("apt", "hosted", "stream")
    uploaded: list[str] = []
    enough = threading.Event()

    def upload() -> None:
        while not enough.is_set() and len(uploaded) < 2000:
            name = f"p{len(uploaded)}"
            body = deb(name, "1.0", "amd64")
            server.put(server.at("stream", f"pool/{name}_1.0_amd64.deb"), body).raise_for_status()
            uploaded.append(name)

    machine = Machine(tmp_path / "root", apt_get)
    machine.add(server, "stream")
    seen: set[int] = set()
    uploading = threading.Thread(target=upload)
    uploading.start()
    try:
        while len(seen) < 6 and uploading.is_alive():
            machine.update()
            seen.add(len(packages(machine)))
    finally:
        enough.set()
        uploading.join()
    machine.update()

    assert len(seen) == 6, "the updates saw the repository grow"
    assert packages(machine) == set(uploaded)


def packages(machine: Machine) -> set[str]:
    lists = (machine.root / "var/lib/apt/lists").glob("*_Packages*")
    text = "".join(subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", str(each)], capture_output=True, text=True,
                                  check=True).stdout for each in lists)  # fmt: skip
    return {line.removeprefix("Package: ") for line in text.splitlines() if line.startswith("Package: ")}


def test_the_translated_description_is_shown(machine: Machine, curl: Program, server: Server, tmp_path: Path) -> None:
    server.create("apt", "hosted", "described")
    put(curl, build_deb(tmp_path, "p", "1.0"), server.at("described"))
    machine.add(server, "described")
    machine.update()

    assert list((machine.root / "var/lib/apt/lists").glob("*_i18n_Translation-en*"))


@pytest.mark.parametrize("shape", ("hosted", "proxy"))
def test_a_flat_repository_is_read(shape: str, machine: Machine, curl: Program, server: Server, tmp_path: Path) -> None:
    hosted, proxy = f"flat-{shape}", f"flat-{shape}-proxy"
    server.create("apt", "hosted", hosted, apt={"distribution": "stable", "flat": True})
    put(curl, build_deb(tmp_path, "p", "1.0", "amd64"), server.at(hosted))
    name = hosted
    if shape == "proxy":
        name = proxy
        server.create("apt", "proxy", proxy, remote=server.at(hosted), login=ADMIN, apt={"flat": True})
    machine.add(server, name, suites="flat/", components="")

    machine.update()
    machine.install("p")
    assert machine.installed() == {"p": "1.0"}


def test_the_index_says_what_debians_own_program_says(curl: Program, server: Server, tmp_path: Path) -> None:
    server.create("apt", "hosted", "compared")
    pool = tmp_path / "pool/main"
    pool.mkdir(parents=True)
    for name, version, architecture in (("one", "1.0", "amd64"), ("two", "1:2.0~rc1-3", "all")):
        put(curl, build_deb(pool, name, version, architecture, depends="libc6"), server.at("compared"))
    command = ("dpkg-scanpackages", "--multiversion", "pool")
    theirs = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    server.get(server.at("compared", "dists/stable/InRelease"))

    ours = server.get(server.at("compared", "dists/stable/main/binary-amd64/Packages")).text

    left_out = {"SHA1", "Description-md5"}
    assert fields(ours, left_out) == fields(theirs, left_out)


def fields(index: str, left_out: set[str]) -> list[dict[str, str]]:
    """The paragraphs of an index by package, as python reads mail: with their continued lines."""
    found = [dict(message_from_string(each)) for each in index.strip().split("\n\n")]
    kept = [{name: value for name, value in each.items() if name not in left_out} for each in found]
    return sorted(kept, key=lambda each: each["Package"])


KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@pytest.fixture
def archive(server: Server) -> str:
    """A proxy of the archive that this machine's apt uses; the distribution that it uses there."""
    asked = ("apt-get", "indextargets", "--format", "$(RELEASE)", "Created-By: Packages")
    found = said(*asked).splitlines()
    if not found or not KEYRING.exists():
        programs.missed("this machine's apt has no Debian archive")
    if "apt-live" not in server.http.get("/service/rest/v1/repositories").text:
        server.create(
            "apt", "proxy", "apt-live", remote=live_upstream("apt-get") + "/", apt={"architectures": ["amd64"]}
        )
    return found[0]


@pytest.mark.live
def test_a_live_archive_is_relayed_with_its_own_signatures(
    machine: Machine, server: Server, archive: str, tmp_path: Path, proves: Callable[..., None]
) -> None:
    proves("apt", "apt (live archive)", "proxy")
    machine.add(server, "apt-live", suites=archive, key=KEYRING.read_bytes())

    machine.update()
    machine.run("download", "hello", cwd=tmp_path).ok()
    machine.run("source", "--download-only", "--only-source", "hello", cwd=tmp_path).ok()

    assert list(tmp_path.glob("hello_*.deb"))
    assert list(tmp_path.glob("hello_*.dsc"))
    by_hash = [line for line in server.said(400).splitlines() if "/by-hash/" in line]
    assert by_hash, "apt asked by hash"


@pytest.mark.live
def test_the_patches_of_a_live_archive_are_relayed(server: Server, archive: str) -> None:
    folder = "dists/sid/main/binary-amd64/Packages.diff"
    index = server.get(server.at("apt-live", f"{folder}/Index")).raise_for_status().text
    listed = index.partition("SHA256-Download:\n")[2]
    digest, _, name = list(takewhile(lambda line: line.startswith(" "), listed.splitlines()))[-1].split()
    for path in (name, f"by-hash/SHA256/{digest}"):
        patch = server.get(server.at("apt-live", f"{folder}/{path}"))
        if patch.status_code == 404:
            pytest.skip("the mirror behind this machine has the index of the patches without the patches")
        assert hashlib.sha256(patch.content).hexdigest() == digest


@pytest.mark.live
@pytest.mark.slow
def test_a_group_signs_the_union_with_a_live_archive(
    machine: Machine, curl: Program, server: Server, archive: str, tmp_path: Path, proves: Callable[..., None]
) -> None:
    proves("apt", "apt (live archive)", "group")
    server.create("apt", "hosted", "apt-own", apt={"distribution": archive})
    server.create("apt", "group", "apt-union", members=["apt-own", "apt-live"])
    put(curl, build_deb(tmp_path, "ours", "1.0", depends="hello"), server.at("apt-own"))
    url = server.at("apt-union", f"dists/{archive}/InRelease")
    while server.get(url, timeout=120).status_code == 503:
        time.sleep(1)
    machine.add(server, "apt-union", suites=archive)

    machine.update()
    planned = machine.run("install", "-y", "--print-uris", "--no-install-recommends", "ours").ok()

    assert "/ours_1.0_all.deb" in planned.stdout
    assert re.search(r"/hello_\S+_amd64\.deb", planned.stdout)
    machine.run("download", "hello", cwd=tmp_path).ok()
