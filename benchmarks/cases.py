"""What is measured. A case sets up its contestants, lets them alternate, and reports; it asserts nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx2
from tests.clients.server import ADMIN, Server

from benchmarks import contestants, images, packages, yum
from benchmarks.load import BLOCK, PUTS, Sample, alternate, transfer, wrk
from benchmarks.processes import Contestant
from benchmarks.report import Report

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
FILES = {"1k": KIB, "100k": 100 * KIB, "1m": MIB, "100m": 100 * MIB}


@dataclass(frozen=True)
class Bench:
    """How long and how often, and where the servers keep their files."""

    work: Path
    report: Report
    rounds: int = 3
    seconds: int = 3
    versions: int = 1000


Case = Callable[[Bench], None]


def get(bench: Bench, size: str) -> None:
    """The same file again and again, with credentials, from a warm server."""
    with ExitStack() as stack:
        server, ours = stack.enter_context(contestants.pakhus(bench.work))
        root, theirs = stack.enter_context(contestants.nginx(bench.work))
        body = (BLOCK * (FILES[size] // MIB + 1))[: FILES[size]]
        (root / "file.bin").write_bytes(body)
        server.create("raw", "hosted", "bench")
        server.put("/repository/bench/file.bin", body).raise_for_status()
        many = FILES[size] >= MIB

        def shot(contestant: Contestant, path: str) -> Sample:
            return wrk(contestant, path, seconds=bench.seconds, connections=4 if many else 32, in_bytes=many)

        shot(ours, "/repository/bench/file.bin")
        found = alternate(
            {
                "pakhus": lambda turn: shot(ours, "/repository/bench/file.bin"),
                "nginx": lambda turn: shot(theirs, "/file.bin"),
            },
            bench.rounds,
        )
        bench.report.compare(f"GET {size}, authenticated", found, "MiB/s" if many else "req/s")


def put_small(bench: Bench) -> None:
    """1 KiB uploads, each with its own bytes under its own path, over kept connections."""
    with ExitStack() as stack:
        server, ours = stack.enter_context(contestants.pakhus(bench.work))
        _, theirs = stack.enter_context(contestants.nginx(bench.work))
        server.create("raw", "hosted", "bench")
        # The password is checked once; else all first requests of a short run would wait for that.
        server.put("/repository/bench/first", b"first").raise_for_status()

        def shot(contestant: Contestant, path: str, turn: int) -> Sample:
            script = bench.work / f"put-{contestant.name}-{turn}.lua"
            script.write_text(PUTS.replace("{size}", str(KIB)).replace("{round}", str(turn)))
            return wrk(contestant, path, seconds=bench.seconds, script=script)

        found = alternate(
            {
                "pakhus": lambda turn: shot(ours, "/repository/bench/small/", turn),
                "nginx": lambda turn: shot(theirs, "/small/", turn),
            },
            bench.rounds,
        )
        bench.report.compare("PUT 1k, durable", found, "req/s")


def put_large(bench: Bench) -> None:
    """One upload of 1 GiB; nginx computes no digest and makes nothing durable."""
    with ExitStack() as stack:
        server, ours = stack.enter_context(contestants.pakhus(bench.work))
        root, theirs = stack.enter_context(contestants.nginx(bench.work))
        server.create("raw", "hosted", "bench")

        def at_nginx(turn: int) -> Sample:
            (root / "large.bin").unlink(missing_ok=True)
            return transfer(theirs, "/large.bin", upload=GIB)

        found = alternate(
            {"pakhus": lambda turn: transfer(ours, f"/repository/bench/{turn}.bin", upload=GIB), "nginx": at_nginx},
            bench.rounds,
        )
        bench.report.compare("PUT 1 GiB, all digests", found, "MiB/s")


def memory(bench: Bench) -> None:
    """5 GiB up and down in one stream each: how much the process grew."""
    with contestants.pakhus(bench.work) as (server, ours):
        server.create("raw", "hosted", "bench")
        idle = ours.memory()
        bench.report.figure("memory, idle", idle, "MiB")
        for what, upload in (("upload", 5 * GIB), ("download", 0)):
            ours.forget_peak()
            sample = transfer(ours, "/repository/bench/large.bin", upload=upload)
            peak = ours.memory("VmHWM")
            note = f"{sample.rate:.0f} MiB/s, {peak - idle:+.0f} MiB over idle, errors {sample.errors}"
            bench.report.figure(f"memory, peak during {what} of 5 GiB", peak, "MiB", note)


def start(bench: Bench) -> None:
    """From the start of the process to ready, with an empty data directory each time."""
    found = []
    for turn in range(bench.rounds):
        place = bench.work / str(turn)
        place.mkdir()
        found.append(contestants.start_to_ready(place))
    seconds = [taken for taken, _ in found]
    bench.report.figure("start to ready", median(seconds), "s", f"{min(seconds):.2f} to {max(seconds):.2f}")
    bench.report.figure("memory when ready", median(mib for _, mib in found), "MiB")


def npm_packument(bench: Bench) -> None:
    """The full packument of a package with a thousand versions, beside verdaccio."""
    document = packages.npm_packument(bench.versions, "http://127.0.0.1")
    with ExitStack() as stack:
        server, ours = stack.enter_context(contestants.pakhus(bench.work))
        theirs = stack.enter_context(contestants.verdaccio(bench.work, {packages.NPM_NAME: document}))
        url = server.create("npm", "hosted", "bench")
        for number in range(bench.versions):
            server.http.put(url + packages.NPM_NAME, json=packages.npm_publication(number, url)).raise_for_status()
        paths = [(ours, f"/repository/bench/{packages.NPM_NAME}"), (theirs, f"/{packages.NPM_NAME}")]
        documents(bench, f"npm packument, {bench.versions} versions", paths)


def pypi_page(bench: Bench) -> None:
    """The simple page of a project with a thousand files, beside pypiserver and devpi."""
    files = dict(packages.wheel(number) for number in range(bench.versions))
    with ExitStack() as stack:
        server, ours = stack.enter_context(contestants.pakhus(bench.work))
        simple = stack.enter_context(contestants.pypiserver(bench.work, files))
        devpi = stack.enter_context(contestants.devpi(bench.work))
        url = server.create("pypi", "hosted", "bench")
        devpi_index(devpi)
        for number, (name, body) in enumerate(files.items()):
            for target in (url, f"{devpi.url}/root/bench/"):
                upload_wheel(server, target, number, name, body)
        page = f"{packages.PYPI_NAME}/"
        paths = [
            (ours, f"/repository/bench/simple/{page}"),
            (simple, f"/simple/{page}"),
            (devpi, f"/root/bench/+simple/{page}"),
        ]
        documents(bench, f"PyPI page, {bench.versions} files", paths)


def devpi_index(devpi: Contestant) -> None:
    """Create the index root/bench and log in for uploads."""
    with httpx2.Client(base_url=devpi.url, trust_env=False) as http:
        known = http.post("/+login", json={"user": "root", "password": ADMIN[1]}).raise_for_status().json()
        token = ("root", known["result"]["password"])
        headers = {"X-Devpi-Auth": contestants.basic(*token)["Authorization"].removeprefix("Basic ")}
        http.put("/root/bench", json={"type": "stage", "bases": []}, headers=headers).raise_for_status()


def upload_wheel(server: Server, target: str, number: int, name: str, body: bytes) -> None:
    login = ADMIN if target.startswith(server.url) else ("root", ADMIN[1])
    fields = packages.upload_fields(number, body)
    answer = server.http.post(target, data=fields, files={"content": (name, body)}, auth=login)
    answer.raise_for_status()


def documents(bench: Bench, title: str, paths: list[tuple[Contestant, str]]) -> None:
    """A document that every contestant has: each is asked once before, so that caches are warm."""
    shots = {}
    for contestant, path in paths:
        wrk(contestant, path, seconds=1, connections=8)
        shots[contestant.name] = lambda turn, it=contestant, path=path: wrk(
            it, path, seconds=bench.seconds, connections=8
        )
    bench.report.compare(title, alternate(shots, bench.rounds), "req/s")


def docker_manifest(bench: Bench) -> None:
    """A manifest by its tag, as every pull begins."""
    with registries(bench) as (ours, theirs):
        for contestant in (ours, theirs):
            images.push(contestant, "bench/app", "1.0", [b"a layer"])
        accept = {"Accept": images.MANIFEST}
        both(bench, "docker manifest by tag", ours, theirs, "/v2/bench/app/manifests/1.0", accept)


def docker_layer(bench: Bench, size: str) -> None:
    """A layer, again and again."""
    layer = (BLOCK * (FILES[size] // MIB))[: FILES[size]]
    with registries(bench) as (ours, theirs):
        for contestant in (ours, theirs):
            images.push(contestant, "bench/app", "1.0", [layer])
        path = f"/v2/bench/app/blobs/{images.digest(layer)}"
        both(bench, f"docker layer of {size}", ours, theirs, path, in_bytes=True)


def docker_push(bench: Bench) -> None:
    """An image of eight layers of 8 MiB, one after the other: asked for, uploaded, finished; then its manifest."""
    with registries(bench) as (ours, theirs):

        def shot(contestant: Contestant, turn: int) -> Sample:
            layers = [f"{turn}-{number}".encode() + 8 * BLOCK for number in range(8)]
            return images.push(contestant, "bench/app", str(turn), layers)

        for contestant in (ours, theirs):
            images.push(contestant, "bench/app", "first", [b"a layer"])
        shots = {"pakhus": lambda turn: shot(ours, turn), "registry": lambda turn: shot(theirs, turn)}
        bench.report.compare("docker push, 8 layers of 8 MiB", alternate(shots, bench.rounds), "MiB/s")


@contextmanager
def registries(bench: Bench) -> Iterator[tuple[Contestant, Contestant]]:
    """Ours with a private repository, and Debian's registry; both have `/v2/bench/…`."""
    with contestants.pakhus(bench.work) as (server, ours), contestants.registry(bench.work) as theirs:
        server.create("docker", "hosted", "bench")
        yield ours, theirs


def both(
    bench: Bench,
    title: str,
    ours: Contestant,
    theirs: Contestant,
    path: str,
    headers: Mapping[str, str] | None = None,
    in_bytes: bool = False,
) -> None:
    """The same path of both, warmed once."""

    def shot(contestant: Contestant, seconds: int) -> Sample:
        connections = 4 if in_bytes else 32
        return wrk(contestant, path, seconds=seconds, connections=connections, headers=headers, in_bytes=in_bytes)

    shot(ours, 1)
    shot(theirs, 1)
    shots = {"pakhus": lambda turn: shot(ours, bench.seconds), "registry": lambda turn: shot(theirs, bench.seconds)}
    bench.report.compare(title, alternate(shots, bench.rounds), "MiB/s" if in_bytes else "req/s")


CASES: dict[str, Case] = {
    "get-1k": lambda bench: get(bench, "1k"),
    "get-100k": lambda bench: get(bench, "100k"),
    "get-100m": lambda bench: get(bench, "100m"),
    "put-1k": put_small,
    "put-1g": put_large,
    "npm-packument": npm_packument,
    "pypi-page": pypi_page,
    "yum-1k": lambda bench: yum.publication(bench.work, bench.report, 1_000, bench.rounds),
    "yum-20k": lambda bench: yum.publication(bench.work, bench.report, 20_000, bench.rounds),
    "docker-manifest": docker_manifest,
    "docker-layer-1m": lambda bench: docker_layer(bench, "1m"),
    "docker-layer-100m": lambda bench: docker_layer(bench, "100m"),
    "docker-push": docker_push,
    "memory": memory,
    "start": start,
}
