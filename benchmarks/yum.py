"""Publishing an index of RPM packages: one more among many, beside `createrepo_c --update` doing the same.

Packages have dependencies, files and changelogs as many as those of a distribution have at the median.
"""

from __future__ import annotations

import re
import subprocess
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
from tests.clients import install
from tests.clients.server import ADMIN
from tests.samples.rpm_packages import EQUAL, Relation, rpm

from benchmarks import contestants
from benchmarks.report import Report

UPLOADS = 4
REGULAR, FOLDER = 0o100644, 0o040755


def package(number: int) -> bytes:
    name = f"package-{number:05}"
    files = [(f"/usr/share/{name}/folder-{n % 4}/file-{n}.txt", REGULAR, 0) for n in range(30)]
    files += [(f"/usr/bin/{name}", REGULAR, 0), (f"/usr/share/{name}", FOLDER, 0)]
    requires = [Relation(f"package-{(number * 7 + n) % 20_000:05}", EQUAL, "1.0-1") for n in range(12)]
    provides = [Relation(name, EQUAL, "1.0-1"), Relation(f"lib{name}.so.1()(64bit)")]
    changes = [(1_600_000_000 - n * 86_400, "A Packager <p@example.org> - 1.0-1", f"- Change {n}") for n in range(10)]
    return rpm(name, files=files, relations={"provides": provides, "requires": requires}, changelogs=changes)


def publication(work: Path, report: Report, count: int, rounds: int) -> None:
    """From the upload of a package until the index tells of it."""
    createrepo = install.debian_tool("createrepo_c", install.PINS["apt"]["createrepo_c"])
    pool = work / "pool"
    pool.mkdir()
    for number in range(count):
        (pool / f"package-{number:05}-1.0-1.noarch.rpm").write_bytes(package(number))

    def indexed(*flags: str) -> float:
        return timed(lambda: subprocess.run([createrepo, "--quiet", "--no-database", *flags, pool], check=True))

    indexed()
    with contestants.pakhus(work) as (server, ours):
        url = server.create("yum", "hosted", "bench")
        report.figure(f"yum, upload of {count} packages", count / upload_all(url, pool), "packages/s")
        first = timed(lambda: counted(server.http, url, count))
        report.figure(f"yum, first index of {count} packages after that", first, "s")
        ours.forget_peak()
        found: dict[str, list[float]] = {"pakhus": [], "createrepo_c --update": [], "createrepo_c": []}
        for turn in range(rounds):
            number = count + turn
            name, body = f"package-{number:05}-1.0-1.noarch.rpm", package(number)

            def published(name: str = name, body: bytes = body, number: int = number) -> None:
                server.http.put(f"{url}Packages/{name}", content=body, timeout=300).raise_for_status()
                counted(server.http, url, number + 1)

            found["pakhus"].append(timed(published))
            (pool / name).write_bytes(body)
            found["createrepo_c --update"].append(indexed("--update"))
            found["createrepo_c"].append(indexed())
        report.durations(f"yum, one more package among {count} is listed", found)
        report.figure(f"yum, peak memory while publishing {count} packages", ours.memory("VmHWM"), "MiB")


def timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def upload_all(url: str, pool: Path) -> float:
    """Seconds for all packages of a folder, over a few connections."""

    def some(files: list[Path]) -> None:
        with httpx2.Client(auth=ADMIN, timeout=300, trust_env=False) as http:
            for file in files:
                http.put(f"{url}Packages/{file.name}", content=file.read_bytes()).raise_for_status()

    files = sorted(pool.glob("*.rpm"))
    with ThreadPoolExecutor(UPLOADS) as threads:
        return timed(lambda: list(threads.map(some, [files[n::UPLOADS] for n in range(UPLOADS)])))


def counted(http: httpx2.Client, url: str, wanted: int) -> None:
    """Until the list of packages has as many as it should: a client that asks again and again."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        entry = http.get(f"{url}repodata/repomd.xml", timeout=300).raise_for_status().text
        found = re.search(r'href="(repodata/[^"]*primary\.xml[^"]*)"', entry)
        assert found is not None, entry
        primary = http.get(url + found[1], timeout=300).raise_for_status().content
        head = zlib.decompressobj(31).decompress(primary, 4096)
        listed = re.search(rb'packages="(\d+)"', head)
        if listed is not None and int(listed[1]) == wanted:
            return
    raise AssertionError(f"the index did not come to list {wanted} packages")
