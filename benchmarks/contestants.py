"""The servers that are compared: ours, nginx as the physical limit, and peers of single formats."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.clients import install
from tests.clients.server import ADMIN, Server

from benchmarks.processes import Contestant, await_port, free_port

NGINX = """
{user}
worker_processes 1;
worker_rlimit_nofile 65536;
daemon off;
pid {work}/nginx.pid;
error_log {work}/error.log;
events {{ worker_connections 8192; }}
http {{
  include /etc/nginx/mime.types;
  access_log {work}/access.log combined buffer=64k;
  client_body_temp_path {work}/body; proxy_temp_path {work}/proxy; fastcgi_temp_path {work}/fastcgi;
  uwsgi_temp_path {work}/uwsgi; scgi_temp_path {work}/scgi;
  sendfile on; tcp_nopush on; keepalive_requests 100000000; open_file_cache max=10000;
  client_max_body_size 0;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    root {root};
    dav_methods PUT DELETE; create_full_put_path on;
  }}
}}
"""

VERDACCIO = """
storage: {work}/storage
packages: {{ '**': {{ access: $all, publish: $all }} }}
auth: {{ htpasswd: {{ file: {work}/htpasswd }} }}
log: {{ type: stdout, format: json, level: fatal }}
"""

REGISTRY = """
version: 0.1
log: {{ level: error, accesslog: {{ disabled: true }} }}
storage: {{ filesystem: {{ rootdirectory: {work}/storage }}, cache: {{ blobdescriptor: inmemory }} }}
http: {{ addr: "127.0.0.1:{port}" }}
"""


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@contextmanager
def running(name: str, command: list[str | Path], port: int, work: Path, **env: str) -> Iterator[Contestant]:
    """A peer's process, from its first answered connection to the end of the measurement."""
    log = work / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(part) for part in command], stdout=out, stderr=out, env={**os.environ, **env}, cwd=work
        )
    try:
        await_port(port, process, log)
        yield Contestant(name, f"http://127.0.0.1:{port}", process.pid, {})
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()


@contextmanager
def pakhus(work: Path) -> Iterator[tuple[Server, Contestant]]:
    server = Server(work / "pakhus", settings={"PAKHUS_LOG_LEVEL": "warning"})
    server.data.mkdir(parents=True, exist_ok=True)
    server.start()
    try:
        yield server, Contestant("pakhus", server.url, server.pid, basic(*ADMIN))
    finally:
        server.stop()
        server.http.close()


def start_to_ready(work: Path) -> tuple[float, float]:
    """Seconds from the start of an empty server to its first "ready", and its resident memory then, in MiB."""
    begun = time.perf_counter()
    with pakhus(work) as (_, contestant):
        return time.perf_counter() - begun, contestant.memory()


@contextmanager
def nginx(work: Path) -> Iterator[tuple[Path, Contestant]]:
    """nginx with one worker and the folder it serves."""
    work = work / "nginx"
    root, port = work / "root", free_port()
    root.mkdir(parents=True)
    configuration = work / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    configuration.write_text(NGINX.format(work=work, root=root, port=port, user=user))
    program = install.places()["nginx"]()
    with running("nginx", [program, "-p", work, "-c", configuration, "-e", work / "error.log"], port, work) as it:
        yield root, it


@contextmanager
def verdaccio(work: Path, packages: Mapping[str, Mapping[str, object]]) -> Iterator[Contestant]:
    """verdaccio with these packuments in its own storage."""
    work, port = work / "verdaccio", free_port()
    for name, packument in packages.items():
        folder = work / "storage" / name
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(json.dumps({**packument, "_uplinks": {}, "_distfiles": {}}))
    (work / "config.yaml").write_text(VERDACCIO.format(work=work))
    pins = install.PINS["peers"]
    place = install.node_tool("verdaccio", pins["verdaccio"], overrides=pins["verdaccio-overrides"])
    command: list[str | Path] = [install.node() / "node", place / "bin/verdaccio", "-c", work / "config.yaml"]
    with running("verdaccio", [*command, "-l", f"127.0.0.1:{port}"], port, work, NODE_ENV="production") as it:
        yield it


@contextmanager
def registry(work: Path) -> Iterator[Contestant]:
    """Debian's docker-registry, open to everybody: with passwords it would compute bcrypt for every request."""
    work, port = work / "registry", free_port()
    work.mkdir()
    configuration = work / "config.yml"
    configuration.write_text(REGISTRY.format(work=work, port=port))
    program = install.places()["docker-registry"]()
    with running("registry", [program, "serve", configuration], port, work) as it:
        yield it


@contextmanager
def pypiserver(work: Path, files: Mapping[str, bytes]) -> Iterator[Contestant]:
    """pypiserver over a folder with these files."""
    work, port = work / "pypiserver", free_port()
    folder = work / "packages"
    folder.mkdir(parents=True)
    for name, body in files.items():
        (folder / name).write_bytes(body)
    program = install.python_tool("pypiserver", install.PINS["peers"]["pypiserver"], "pypi-server")
    arguments = ["run", "-i", "127.0.0.1", "-p", str(port), "--disable-fallback", folder]
    with running("pypiserver", [program, *arguments], port, work) as it:
        yield it


@contextmanager
def devpi(work: Path) -> Iterator[Contestant]:
    """An empty devpi-server, with no mirror."""
    work, port = work / "devpi", free_port()
    work.mkdir(parents=True)
    folder = install.python_tool("devpi", install.PINS["peers"]["devpi"], "devpi-server").parent
    initial = [folder / "devpi-init", "--serverdir", work / "server", "--no-root-pypi", "--root-passwd", ADMIN[1]]
    subprocess.run([str(part) for part in initial], check=True, capture_output=True)
    command = [folder / "devpi-server", "--serverdir", work / "server", "--host", "127.0.0.1", "--port", str(port)]
    with running("devpi", command, port, work) as it:
        yield it
