"""Docker: images of one layer, pushed as a client does: blobs first, then the manifest by tag."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from tests.samples import Page, Release, Request, Sample

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
ARTIFACT = "application/vnd.example.signature.v1"


def digest(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


def descriptor(kind: str, body: bytes) -> dict[str, object]:
    return {"mediaType": kind, "digest": digest(body), "size": len(body)}


def manifest(config: bytes, layers: list[bytes], **more: object) -> bytes:
    body = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer) for layer in layers],
        **more,
    }
    return json.dumps(body).encode()


def upload(image: str, body: bytes) -> Request:
    """A whole blob in one request."""
    return Request("POST", f"v2/{image}/blobs/uploads/?digest={digest(body)}", body)


def push(image: str, reference: str, body: bytes, kind: str = MANIFEST) -> Request:
    return Request("PUT", f"v2/{image}/manifests/{reference}", body, {"content-type": kind})


def image(name: str, tag: str, layer: bytes) -> Release:
    config = json.dumps({"architecture": "amd64", "os": "linux", "made": f"{name}:{tag}"}).encode()
    body = manifest(config, [layer])
    blobs: Mapping[str, bytes] = {f"v2/{name}/blobs/{digest(each)}": each for each in (config, layer)}
    return Release(
        [upload(name, config), upload(name, layer), push(name, tag, body)],
        {**blobs, f"v2/{name}/manifests/{tag}": body, f"v2/{name}/manifests/{digest(body)}": body},
        [
            Request("DELETE", f"v2/{name}/manifests/{digest(body)}"),
            *(Request("DELETE", path) for path in blobs),
        ],
    )


def tags(body: bytes) -> set[str]:
    return set(json.loads(body)["tags"] or ())


def images(body: bytes) -> set[str]:
    return set(json.loads(body)["repositories"])


SAMPLE = Sample(
    format="docker",
    first=image("team/alpha", "1.0", b"layer of alpha 1.0 " * 400),
    second=image("team/alpha", "2.0", b"layer of alpha 2.0 " * 500),
    other=image("beta", "latest", b"layer of beta " * 300),
    pages=(
        Page("v2/team/alpha/tags/list", tags, frozenset({"1.0", "2.0"}), frozenset({"2.0"})),
        Page("v2/_catalog", images, frozenset({"team/alpha", "beta"}), frozenset({"team/alpha", "beta"})),
    ),
    absent="v2/team/alpha/manifests/9.9",
    big=lambda size: image("big", "1", b"0123456789abcdef" * (size // 16)),
    replacing=image("team/alpha", "1.0", b"another layer " * 10).publish,
    malformed=(
        Request("POST", f"v2/beta/blobs/uploads/?digest={digest(b'something else')}", b"a body"),
        Request("POST", "v2/beta/blobs/uploads/?digest=md5:d41d8cd98f00b204e9800998ecf8427e", b""),
        Request("POST", "v2/Beta/blobs/uploads/"),
        push("beta", "1.0", b"no json"),
        push("beta", "1.0", b"{}"),
        push("beta", "1.0", manifest(b"a config that nobody has", [])),
        push("beta", "not/a/tag", b"{}"),
        push("beta", "1.0", b'{"schemaVersion": 2, "config": ' + b" " * (4 << 20) + b"null}"),
        push("beta", digest(b"other"), manifest(b"", [])),
    ),
)
