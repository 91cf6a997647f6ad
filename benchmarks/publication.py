"""`python -m benchmarks.publication [--packages N …]`: one more package among N, until a client can see it.

Beside Pakhus: reprepro, which keeps a database of what it publishes, and apt-ftparchive, which looks at every package
again but for a cache. Each signs or not as it does by default; nobody but Pakhus writes Contents here. CPU time is
compared, since the machine may be shared; the wall clock is printed beside it.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.clients.server import Server
from tests.samples.apt_packages import deb

from benchmarks.processes import Contestant

KEPT = Path(__file__).parents[1] / ".cache"
TOGETHER = 250
"""Packages in one request, or one call, while a repository is filled."""
LINE = "A line of what a description says at length, as people write it."
DESCRIPTION = "does one thing\n " + "\n ".join([LINE] * 8)
DEPENDS = ", ".join(f"lib{number}-{number} (>= 1.{number})" for number in range(12))


@dataclass(frozen=True)
class Cost:
    """Seconds of one publication."""

    wall: float
    cpu: float


def package(name: str, version: str = "1.0") -> bytes:
    files = {f"usr/share/{name}/file-{number}": b"" for number in range(30)}
    return deb(name, version, "amd64", packing=".gz", files=files, Description=DESCRIPTION, Depends=DEPENDS)


def made(folder: Path, number: int) -> list[Path]:
    """The packages on disk; each of about the size of a small one's control data."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"package-{each}_1.0_amd64.deb" for each in range(number)]
    for each, path in enumerate(paths):
        path.write_bytes(package(f"package-{each}"))
    return paths


def batches(paths: list[Path]) -> Iterator[list[Path]]:
    for start in range(0, len(paths), TOGETHER):
        yield paths[start : start + TOGETHER]


def children() -> float:
    """CPU seconds of all programs that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def run(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout


def of_program(work: Callable[[], object]) -> Cost:
    wall, cpu = time.perf_counter(), children()
    work()
    return Cost(time.perf_counter() - wall, children() - cpu)


def pakhus(work: Path, paths: list[Path], rounds: int) -> list[Cost]:
    server = Server(work / "pakhus").start()
    try:
        server.create("apt", "hosted", "hosted", apt={"distribution": "stable", "architectures": ["amd64"]})
        for batch in batches(paths):
            files = [(f"apt.asset{number}", (path.name, path.read_bytes())) for number, path in enumerate(batch)]
            server.rest("POST", "/components?repository=hosted", files=files, timeout=600)
        entry = server.at("hosted", "dists/stable/InRelease")
        visible(server, entry)
        process = Contestant("pakhus", server.url, server.pid, {})
        found = []
        for number in range(rounds):
            body = package("late", f"1.{number}")
            wall, cpu = time.perf_counter(), process.cpu_seconds()
            server.put(server.at("hosted", f"pool/main/l/late/late_1.{number}_amd64.deb"), body).raise_for_status()
            visible(server, entry)
            found.append(Cost(time.perf_counter() - wall, process.cpu_seconds() - cpu))
            settled(process)
        return found
    finally:
        server.stop()


def visible(server: Server, entry: str) -> None:
    """Until the entry is up to date: the server says 503 while a first publication goes on."""
    while server.get(entry).status_code == 503:
        time.sleep(0.05)


def settled(process: Contestant) -> None:
    """What goes on after an answer belongs to nobody's next measurement."""
    before = process.cpu_seconds()
    while True:
        time.sleep(1.0)
        if (now := process.cpu_seconds()) - before < 0.1:
            return
        before = now


def reprepro(work: Path, paths: list[Path], rounds: int) -> list[Cost]:
    base = work / "reprepro"
    (base / "conf").mkdir(parents=True)
    (base / "conf/distributions").write_text("Codename: stable\nArchitectures: amd64\nComponents: main\n")
    for batch in batches(paths):
        run("reprepro", "-b", base, "includedeb", "stable", *batch)
    found = []
    for number in range(rounds):
        late = work / f"late_2.{number}_amd64.deb"
        late.write_bytes(package("late", f"2.{number}"))
        found.append(of_program(lambda late=late: run("reprepro", "-b", base, "includedeb", "stable", late)))  # type: ignore[misc]
    return found


def ftparchive(work: Path, paths: list[Path], rounds: int) -> list[Cost]:
    base = work / "ftparchive"
    pool, folder = base / "pool", base / "dists/stable/main/binary-amd64"
    folder.mkdir(parents=True)
    pool.mkdir()
    for path in paths:
        os.link(path, pool / path.name)

    def publish() -> None:
        text = run("apt-ftparchive", "--db", base / "cache.db", "packages", "pool", cwd=base)
        (folder / "Packages").write_text(text)
        for packer in ("gzip", "xz", "zstd"):
            run(packer, "-kfq", folder / "Packages")
        (base / "dists/stable/Release").write_text(run("apt-ftparchive", "release", "dists/stable", cwd=base))

    publish()
    found = []
    for number in range(rounds):
        (pool / f"late_3.{number}_amd64.deb").write_bytes(package("late", f"3.{number}"))
        found.append(of_program(publish))
    return found


def median(costs: list[Cost]) -> Cost:
    return sorted(costs, key=lambda cost: cost.cpu)[len(costs) // 2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.publication", description=__doc__)
    parser.add_argument("--packages", nargs="+", type=int, default=[1000, 20_000])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    KEPT.mkdir(exist_ok=True)
    for number in options.packages:
        work = Path(tempfile.mkdtemp(prefix="bench-publication-", dir=KEPT))
        try:
            paths = made(work / "packages", number)
            ours = median(pakhus(work, paths, options.rounds))
            print(f"{number:>6} packages  pakhus          {ours.cpu:8.2f} s CPU {ours.wall:8.2f} s", flush=True)
            for name, measure in (("reprepro", reprepro), ("apt-ftparchive", ftparchive)):
                if shutil.which(name) is None:
                    print(f"{number:>6} packages  {name} is not installed")
                    continue
                theirs = median(measure(work, paths, options.rounds))
                print(
                    f"{number:>6} packages  {name:<15} {theirs.cpu:8.2f} s CPU {theirs.wall:8.2f} s"
                    f"   ours/theirs {ours.cpu / theirs.cpu:.2f} CPU {ours.wall / theirs.wall:.2f} clock",
                    flush=True,
                )
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
