"""Images for the docker cases, pushed as the clients do it (Distribution specification 1.1, "Push")."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from urllib.parse import urljoin

import httpx2

from benchmarks.load import SCALE, Sample
from benchmarks.processes import Contestant

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def digest(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


def descriptor(kind: str, body: bytes) -> dict[str, object]:
    return {"mediaType": kind, "digest": digest(body), "size": len(body)}


def push(contestant: Contestant, image: str, tag: str, layers: Sequence[bytes]) -> Sample:
    """MiB a second; the digests are computed before the clock runs."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "tag": tag}).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, config),
        "layers": [descriptor(LAYER, layer) for layer in layers],
    }
    blobs = {digest(body): body for body in (*layers, config)}
    headers = dict(contestant.headers)
    with httpx2.Client(base_url=contestant.url, headers=headers, trust_env=False, timeout=600) as http:
        http.get("/v2/").raise_for_status()
        before, begun = contestant.cpu_seconds(), time.perf_counter()
        for name, body in blobs.items():
            upload(http, f"/v2/{image}/blobs", name, body)
        there = f"/v2/{image}/manifests/{tag}"
        http.put(there, content=json.dumps(manifest), headers={"Content-Type": MANIFEST}).raise_for_status()
        taken, spent = time.perf_counter() - begun, contestant.cpu_seconds() - before
    mebibytes = sum(len(layer) for layer in layers) / SCALE["M"]
    return Sample(mebibytes / taken, spent * 1e6 / max(mebibytes, 1), 0)


def upload(http: httpx2.Client, blobs: str, name: str, body: bytes) -> None:
    """Ask for it, begin, send it in one piece, finish."""
    if http.head(f"{blobs}/{name}").status_code == 200:
        return
    begun = http.post(f"{blobs}/uploads/").raise_for_status()
    place = urljoin(str(begun.url), begun.headers["location"])
    sent = http.patch(place, content=body, headers={"Content-Type": "application/octet-stream"}).raise_for_status()
    end = httpx2.URL(urljoin(place, sent.headers["location"])).copy_merge_params({"digest": name})
    http.put(end).raise_for_status()
