"""Load: wrk for many small requests, a plain socket for one large body."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from benchmarks.processes import Contestant

SCALE = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
BLOCK = bytes(range(256)) * 4096
"""1 MiB."""

PUTS = """
local body = string.rep("0123456789abcdef", {size} / 16)
local thread_number = 0
function setup(thread) thread:set("id", thread_number); thread_number = thread_number + 1 end
function init() count = 0 end
function request()
  count = count + 1
  -- the same bytes would be one blob: each upload has its own
  local own = string.format("{round}-%d-%d-", id, count)
  return wrk.format("PUT", wrk.path .. own, nil, own .. string.sub(body, #own + 1))
end
"""


@dataclass(frozen=True)
class Sample:
    """One run: requests or MiB a second, CPU microseconds a request (or a MiB), answers that were no success."""

    rate: float
    cpu_us: float
    errors: int


@dataclass
class Series:
    """All runs of one contestant."""

    samples: list[Sample] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return median(sample.rate for sample in self.samples)

    @property
    def cpu_us(self) -> float:
        return median(sample.cpu_us for sample in self.samples)

    @property
    def span(self) -> tuple[float, float]:
        rates = [sample.rate for sample in self.samples]
        return min(rates), max(rates)

    @property
    def errors(self) -> int:
        return sum(sample.errors for sample in self.samples)


Shot = Callable[[int], Sample]
"""One measurement; it gets the number of its round, so that uploads of two rounds do not collide."""


def alternate(shots: Mapping[str, Shot], rounds: int) -> dict[str, Series]:
    """A B A B …: what else the machine does meanwhile hits all of them."""
    found = {name: Series() for name in shots}
    for turn in range(rounds):
        for name, shot in shots.items():
            found[name].samples.append(shot(turn))
    return found


def wrk(
    server: Contestant,
    path: str,
    *,
    seconds: int,
    connections: int = 32,
    headers: Mapping[str, str] | None = None,
    script: Path | None = None,
    in_bytes: bool = False,
) -> Sample:
    """`wrk` at a path of the server. `in_bytes`: the rate is MiB a second, for bodies of many MiB."""
    command: list[str | Path] = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"]
    for name, value in {**server.headers, **(headers or {})}.items():
        command += ["-H", f"{name}: {value}"]
    if script:
        command += ["-s", script]
    before = server.cpu_seconds()
    done = subprocess.run([*command, server.url + path], capture_output=True, text=True, timeout=seconds + 60)
    spent = server.cpu_seconds() - before
    if done.returncode:
        raise SystemExit(f"wrk failed: {done.stderr or done.stdout}")
    requests, _, amount, unit = found(r"(\d+) requests in ([\d.]+)\w+, ([\d.]+)([KMG]?)B read", done.stdout)
    mebibytes = float(amount) * SCALE[unit] / SCALE["M"]
    rate = found(r"Requests/sec:\s+([\d.]+)", done.stdout)[0]
    transfer, size = found(r"Transfer/sec:\s+([\d.]+)([KMG]?)B", done.stdout)
    measured = float(transfer) * SCALE[size] / SCALE["M"] if in_bytes else float(rate)
    return Sample(measured, spent * 1e6 / max(1.0, mebibytes if in_bytes else float(requests)), errors_of(done.stdout))


def found(pattern: str, text: str) -> Sequence[str]:
    match = re.search(pattern, text)
    if not match:
        raise SystemExit(f"wrk said nothing like {pattern}:\n{text}")
    return match.groups()


def errors_of(text: str) -> int:
    """Refusals and broken connections; a request cut off at the end of the run counts as none."""
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+)", text)
    return sum(int(number) for match in (refused, broken) if match for number in match.groups())


def transfer(server: Contestant, path: str, *, upload: int = 0) -> Sample:
    """One large body over a socket: an upload of that many bytes, or a whole download. MiB a second."""
    address = urlsplit(server.url)
    before, begun = server.cpu_seconds(), time.perf_counter()
    with socket.create_connection((address.hostname or "", address.port or 80)) as line:
        line.settimeout(600)
        request = {"Host": address.netloc, "Connection": "close", **server.headers}
        if upload:
            request |= {"Content-Length": str(upload), "Content-Type": "application/octet-stream"}
        head = f"{'PUT' if upload else 'GET'} {path} HTTP/1.1\r\n"
        line.sendall((head + "".join(f"{k}: {v}\r\n" for k, v in request.items()) + "\r\n").encode())
        sent = 0
        while sent < upload:
            line.sendall(BLOCK[: min(len(BLOCK), upload - sent)])
            sent += len(BLOCK)
        status, received = answer(line)
    taken, spent = time.perf_counter() - begun, server.cpu_seconds() - before
    mebibytes = (upload or received) / SCALE["M"]
    return Sample(mebibytes / taken, spent * 1e6 / max(mebibytes, 1), 0 if 200 <= status < 300 else 1)


def answer(line: socket.socket) -> tuple[int, int]:
    """Status and number of bytes of the body, which are thrown away."""
    buffer, head = memoryview(bytearray(1 << 20)), b""
    while b"\r\n\r\n" not in head:
        piece = line.recv(1 << 16)
        if not piece:
            break
        head += piece
    received = len(head) - head.find(b"\r\n\r\n") - 4
    while size := line.recv_into(buffer):
        received += size
    return int(head.split(None, 2)[1]) if head else 0, received
