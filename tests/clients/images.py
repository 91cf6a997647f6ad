"""Container images as an OCI layout, made without any client (Image specification 1.1)."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any


def digest(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


def layer_of(files: dict[str, bytes]) -> tuple[bytes, str]:
    """A compressed layer, and the digest of what is in it."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, body in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    return gzip.compress(plain.getvalue(), mtime=0), digest(plain.getvalue())


def layout(folder: Path, **tags: dict[str, bytes]) -> Path:
    """An OCI layout with an image of one layer for each tag."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def kept(body: bytes, kind: str, **more: Any) -> dict[str, Any]:
        (blobs / digest(body).partition(":")[2]).write_bytes(body)
        return {"mediaType": kind, "digest": digest(body), "size": len(body), **more}

    manifests = []
    for tag, files in tags.items():
        layer, diff = layer_of(files)
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["/hello"], "Labels": {"tag": tag}},
            "rootfs": {"type": "layers", "diff_ids": [diff]},
        }
        body = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": kept(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
            "layers": [kept(layer, "application/vnd.oci.image.layer.v1.tar+gzip")],
        }
        named = {"org.opencontainers.image.ref.name": tag}
        manifests.append(kept(json.dumps(body).encode(), body["mediaType"], annotations=named))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": manifests}))
    return folder
