"""A server process under measurement: its CPU time and its memory, its children's included, from /proc."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Contestant:
    """A server that takes part. `headers` are what its requests carry."""

    name: str
    url: str
    pid: int
    headers: Mapping[str, str]

    def family(self) -> Iterator[int]:
        """The process and all its descendants."""
        parents: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (fields := stat(int(entry.name))):
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
        waiting = [self.pid]
        while waiting:
            pid = waiting.pop()
            yield pid
            waiting.extend(parents.get(pid, ()))

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        spent = 0
        for pid in self.family():
            if fields := stat(pid):
                spent += int(fields[11]) + int(fields[12])
        return spent / TICK

    def memory(self, field: str = "VmRSS") -> float:
        """Resident memory in MiB: now (`VmRSS`), or the most it ever was (`VmHWM`)."""
        total = 0
        for pid in self.family():
            try:
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))
        return total / 1024

    def forget_peak(self) -> None:
        """Start a new `VmHWM` (proc(5), clear_refs)."""
        for pid in self.family():
            Path(f"/proc/{pid}/clear_refs").write_text("5")


def stat(pid: int) -> Sequence[str] | None:
    """The fields of /proc/<pid>/stat from `state` on; None if the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None


def await_port(port: int, process: subprocess.Popen[bytes], log: Path, within: float = 60) -> None:
    """Until somebody listens there; raises with the log if the process ends first."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"{process.args!r} does not listen on {port}:\n{log.read_text(errors='replace')[-2000:]}")
