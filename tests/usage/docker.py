"""Docker: an image, a file and a chart of one's own are pushed, and come back."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.clients.images import layout
from tests.samples.helm import chart
from tests.usage import Trial

BUILD = {"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"}
BUILT = {"image": "team/own", "tag": "1.0"}
COPIED = {**BUILT, "folder": "image", "copy": "copy"}


def image() -> Mapping[str, bytes]:
    """An OCI layout, file by file."""
    with tempfile.TemporaryDirectory() as folder:
        root = layout(Path(folder) / "image", **{"1.0": {"hello": b"world"}})
        return {f"image/{file.relative_to(root)}": file.read_bytes() for file in root.rglob("*") if file.is_file()}


PODMAN = """\
run=$(mktemp -d)
trap 'rm -rf "$run"' EXIT
printf '[storage]\\ndriver = "vfs"\\ngraphroot = "%s/images"\\nrunroot = "%s"\\n' "$HOME" "$run" > ~/storage.conf
export CONTAINERS_STORAGE_CONF=$HOME/storage.conf REGISTRY_AUTH_FILE=$HOME/auth.json XDG_RUNTIME_DIR=$run
podman build --isolation=chroot -t team/own:1.0 .
"""
"""Run by root, podman would keep images and logins where the machine keeps its own."""

SKOPEO = "export REGISTRY_AUTH_FILE=$HOME/auth.json"
COMPARED = "diff <(ls image/blobs/sha256) <(ls copy/blobs/sha256)"


def anew(client: str) -> str:
    """Without the image that is there from the push, the pull fetches everything."""
    there = "{host}/{name}/team/own:1.0"
    return f"{client} image rm -f {there} team/own:1.0\n{client} pull {there}\n{client} image inspect {there}"


TRIALS = {
    "docker": Trial(
        {"docker": "docker"},
        BUILD,
        BUILT,
        before="docker build -t team/own:1.0 .",
        after=anew("docker"),
        env={"DOCKER_BUILDKIT": "0"},
        daemon="docker_engine",
        secure=True,
    ),
    "podman": Trial({"podman": "podman"}, BUILD, BUILT, before=PODMAN, after=anew("podman"), secure=True),
    "skopeo": Trial({"skopeo": "skopeo"}, image(), COPIED, before=SKOPEO, after=COMPARED, secure=True),
    "crane": Trial({"crane": "crane"}, image(), COPIED, after=COMPARED, secure=True),
    "oras": Trial(
        {"oras": "oras"},
        {"hello.txt": "hello"},
        {"artifact": "files/hello", "tag": "1.0", "file": "hello.txt"},
        after="rm hello.txt\noras pull {host}/{name}/files/hello:1.0\ngrep -qx hello hello.txt",
        secure=True,
    ),
    "helm": Trial(
        {"helm": "helm"},
        {"mychart-0.1.0.tgz": chart("mychart", "0.1.0")},
        {"chart": "mychart", "version": "0.1.0"},
        after="rm *.tgz\nhelm pull oci://{host}/{name}/mychart\ntest -f mychart-0.1.0.tgz",
        secure=True,
    ),
}
