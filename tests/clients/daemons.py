"""The daemons behind `docker` and `ctr`, each with all of its state in a short temporary folder of its own.

They need root. Where one cannot start, its tests are missed: a failure in CI, skipped elsewhere.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.clients.programs import environment, missed, path_of

READY_WITHIN = 60.0
ENDED_WITHIN = 30.0
CONTAINERD = 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
"""No plugin of Kubernetes: it wants a network."""


@dataclass(frozen=True)
class Daemon:
    """A daemon that answers. `env` tells its command where."""

    env: Mapping[str, str]


@contextmanager
def docker() -> Iterator[Daemon]:
    """A Docker engine without a network for containers; the loopback address may speak plain HTTP to it."""
    with place_for("docker") as place:
        socket = f"unix://{place}/s"
        command = [
            *(str(path_of("dockerd")), "--config-file", str(written(place / "daemon.json", "{}")), "--host", socket),
            *("--data-root", str(place / "data"), "--exec-root", str(place / "exec"), "--pidfile", str(place / "pid")),
            *("--iptables=false", "--ip6tables=false", "--bridge=none"),
        ]
        env = {"DOCKER_HOST": socket}
        with running(place, command, [str(path_of("docker")), "info"], env):
            yield Daemon(env)


@contextmanager
def containerd() -> Iterator[Daemon]:
    """A containerd for images only."""
    with place_for("containerd") as place:
        address = f"{place}/s"
        config = written(place / "config.toml", CONTAINERD)
        command = [
            *(str(path_of("containerd")), "--config", str(config), "--address", address),
            *("--root", str(place / "root"), "--state", str(place / "state")),
        ]
        env = {"CONTAINERD_ADDRESS": address}
        with running(place, command, [str(path_of("ctr")), "images", "list"], env):
            yield Daemon(env)


def written(file: Path, text: str) -> Path:
    """A configuration of its own, so that the machine's is not read."""
    file.write_text(text)
    return file


@contextmanager
def place_for(daemon: str) -> Iterator[Path]:
    """A folder with a path short enough for sockets."""
    if os.geteuid():
        missed(f"{daemon} needs root")
    place = Path(tempfile.mkdtemp(prefix="d-"))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def running(place: Path, command: list[str], ask: list[str], env: Mapping[str, str]) -> Iterator[None]:
    """The process, from its first answer to the question on; then it is ended by its own pid, with its children."""
    log = place / "log"
    (place / "home").mkdir()
    given = environment(place / "home")
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=given)
    try:
        if not answers(process, lambda: answered(ask, {**given, **env})):
            missed(f"{command[0]} does not start here:\n{log.read_text(errors='replace')[-2000:]}")
        yield
    finally:
        process.terminate()  # it takes its own containerd along
        try:
            process.wait(ENDED_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answered(ask: list[str], env: Mapping[str, str]) -> bool:
    return subprocess.run(ask, env=dict(env), capture_output=True).returncode == 0


def answers(process: subprocess.Popen[bytes], question: Callable[[], bool]) -> bool:
    """Whether it does in time. Another process can only be asked, hence the polling."""
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        if question():
            return True
        time.sleep(0.1)
    return False
