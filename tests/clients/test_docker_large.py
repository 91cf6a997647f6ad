"""A layer larger than the memory a server may take: pushed in one request, pulled, and pulled through a proxy."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients.server import Server
from tests.clients.topology import Topology

MIB = 1 << 20
SIZE = 1024
"""MiB."""
MOST = 256
"""MiB that a server is ever resident with, from its start on."""
LONGEST = 300
"""Seconds, of which a machine that is not busy takes a tenth."""


def layer() -> Iterator[bytes]:
    """No two pieces are the same, and none of them stays."""
    for number in range(SIZE):
        yield number.to_bytes(4, "big") * (MIB // 4)


def digest_of(pieces: Iterator[bytes]) -> str:
    sha256 = hashlib.sha256()
    for piece in pieces:
        sha256.update(piece)
    return f"sha256:{sha256.hexdigest()}"


def push(server: Server, repository: str, digest: str) -> None:
    """Begin, send everything in one PATCH of no told length, finish: as docker does."""
    begun = server.http.post(f"/v2/{repository}/big/blobs/uploads/").raise_for_status()
    sent = server.http.patch(begun.headers["location"], content=layer(), timeout=LONGEST).raise_for_status()
    server.http.put(sent.headers["location"], params={"digest": digest}, timeout=LONGEST).raise_for_status()


def pulled(server: Server, repository: str, digest: str) -> str:
    """The digest of what came."""
    with server.http.stream("GET", f"/v2/{repository}/big/blobs/{digest}", timeout=LONGEST) as answer:
        answer.raise_for_status()
        assert int(answer.headers["content-length"]) == SIZE * MIB
        return digest_of(answer.iter_raw(MIB))


def most(server: Server) -> float:
    """How much memory the process ever had, in MiB (`VmHWM`, proc(5))."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]) / 1024


@pytest.mark.timeout(2 * LONGEST)
def test_a_large_layer_is_pushed_and_pulled_in_little_memory(shapes_of: Callable[..., Topology]) -> None:
    shapes = shapes_of("docker")
    digest = digest_of(layer())

    push(shapes.far, shapes.name("upstream"), digest)
    assert pulled(shapes.far, shapes.name("upstream"), digest) == digest
    assert pulled(shapes.near, shapes.name("proxy"), digest) == digest

    for server in (shapes.far, shapes.near):
        assert most(server) < MOST, f"{server.url}: {most(server):.0f} MiB"
