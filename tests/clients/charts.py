"""Charts for the tests of Helm repositories, and the calls that these tests share."""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.clients.programs import Program
from tests.clients.server import ADMIN
from tests.samples.helm import chart_yaml

CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-{{ .Chart.Name }}
data:
  version: {{ .Chart.Version | quote }}
"""


def chart_folder(place: Path, name: str, version: str, dependencies: Sequence[Mapping[str, str]] = ()) -> Path:
    """The source of a chart with one template, as its author has it."""
    folder = place / name
    (folder / "templates").mkdir(parents=True)
    more = {"dependencies": [dict(each) for each in dependencies]} if dependencies else {}
    (folder / "Chart.yaml").write_bytes(chart_yaml(name, version, **more))
    (folder / "templates" / "config.yaml").write_text(CONFIG)
    return folder


def packaged(helm: Program, place: Path, name: str, version: str, *flags: str | Path, values: str = "") -> Path:
    """The archive that `helm package` makes; with other `values` it is another one."""
    folder = chart_folder(Path(tempfile.mkdtemp(dir=helm.scratch)), name, version)
    (folder / "values.yaml").write_text(values)
    place.mkdir(parents=True, exist_ok=True)
    helm.run("package", folder, "--destination", place, *flags).ok()
    return place / f"{name}-{version}.tgz"


def added(helm: Program, url: str, *, user: tuple[str, str] = ADMIN) -> Path:
    """A home whose Helm knows the repository as `mine`."""
    home = helm.home()
    helm.run("repo", "add", "mine", url, "--username", user[0], "--password", user[1], home=home).ok()
    return home


@dataclass(frozen=True)
class Keys:
    """Somebody's key rings in the old form, which is the one that Helm reads."""

    owner: str
    secret: Path
    public: Path

    @property
    def signing(self) -> tuple[str | Path, ...]:
        return ("--sign", "--key", self.owner, "--keyring", self.secret)


def keys(gpg: Program, place: Path) -> Keys:
    """A new key without passphrase. The agent's socket must have a short path."""
    with tempfile.TemporaryDirectory(prefix="gpg-") as folder:
        home = Path(folder)
        home.chmod(0o700)
        owner, env = "Chart Author <author@example.org>", {"GNUPGHOME": folder}
        gpg.run("--batch", "--passphrase", "", "--quick-generate-key", owner, "rsa2048", "sign", env=env).ok()
        secret, public = place / "secring.gpg", place / "pubring.gpg"
        gpg.run("--batch", "--output", secret, "--export-secret-keys", env=env).ok()
        gpg.run("--batch", "--output", public, "--export", env=env).ok()
        subprocess.run(
            ["gpgconf", "--kill", "gpg-agent"], env={"GNUPGHOME": folder, "PATH": "/usr/bin:/bin"}, check=False
        )
    return Keys(owner, secret, public)


CONFIG_MAPS = {"name": "configmaps", "namespaced": True, "kind": "ConfigMap", "verbs": ["get", "create"]}
CLUSTER = {
    "/version": {"major": "1", "minor": "31", "gitVersion": "v1.31.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [CONFIG_MAPS]},
}
"""All that Helm asks a cluster when it only plays an installation through."""


class _Cluster(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = CLUSTER.get(self.path.partition("?")[0])
        body = json.dumps(found or {"kind": "Status", "status": "Failure", "code": 404}).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def cluster() -> Iterator[dict[str, str]]:
    """The environment in which Helm finds a cluster that knows config maps and has none."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Cluster) as api:
        threading.Thread(target=api.serve_forever, daemon=True).start()
        yield {"HELM_KUBEAPISERVER": f"http://127.0.0.1:{api.server_address[1]}", "HELM_KUBETOKEN": "none"}
        api.shutdown()
