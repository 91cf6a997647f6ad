"""Helm: two versions of a chart by PUT and by ChartMuseum's API, one with its provenance, and another chart."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any

from pakhus.kit.wire import dump_yaml, parse_yaml
from tests.samples import Page, Release, Request, Sample


def chart_yaml(name: str, version: str, **more: Any) -> bytes:
    return dump_yaml({"apiVersion": "v2", "name": name, "version": version, "description": f"Runs {name}", **more})


def archive(files: Mapping[str, bytes]) -> bytes:
    """The same bytes for the same files, whenever it is called."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), mtime=0)


def chart(name: str, version: str, *, files: Mapping[str, bytes] | None = None, **more: Any) -> bytes:
    """A chart archive; `more` are members of its Chart.yaml."""
    config = b'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ .Release.Name }}"}\n'
    return archive(
        {
            f"{name}/Chart.yaml": chart_yaml(name, version, **more),
            f"{name}/values.yaml": b"replicas: 1\n",
            f"{name}/templates/config.yaml": config,
            **(files or {}),
        }
    )


def provenance(name: str, version: str, content: bytes) -> bytes:
    """A provenance file whose signature nobody made: only its form counts here."""
    digest = hashlib.sha256(content).hexdigest()
    return (
        b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n"
        + chart_yaml(name, version)
        + f"\n...\nfiles:\n  {name}-{version}.tgz: sha256:{digest}\n".encode()
        + b"-----BEGIN PGP SIGNATURE-----\n\nbm90IHJlYWw=\n-----END PGP SIGNATURE-----\n"
    )


def form(**files: bytes) -> Request:
    """What cm-push sends."""
    body = b"".join(
        b'--limit\r\nContent-Disposition: form-data; name="%b"; filename="%b"\r\n\r\n%b\r\n'
        % (name.encode(), name.encode(), content)
        for name, content in files.items()
    )
    return Request(
        "POST", "api/charts", body + b"--limit--\r\n", {"content-type": "multipart/form-data; boundary=limit"}
    )


def _versions(body: bytes) -> set[str]:
    entries = parse_yaml(body)["entries"]
    return {f"{name} {each['version']}" for name, versions in entries.items() for each in versions}


ALPHA_1, ALPHA_2, BETA = chart("alpha", "1.0.0"), chart("alpha", "2.0.0-rc.1+build"), chart("beta", "0.1.0")
SIGNED = provenance("alpha", "1.0.0", ALPHA_1)
NAMED = frozenset({"alpha 1.0.0", "alpha 2.0.0-rc.1+build", "beta 0.1.0"})

SAMPLE = Sample(
    format="helm",
    first=Release(
        [Request("PUT", "alpha-1.0.0.tgz", ALPHA_1), Request("POST", "api/prov", SIGNED)],
        {"alpha-1.0.0.tgz": ALPHA_1, "alpha-1.0.0.tgz.prov": SIGNED},
        [Request("DELETE", "api/charts/alpha/1.0.0")],
    ),
    second=Release(
        [form(chart=ALPHA_2)],
        {"alpha-2.0.0-rc.1+build.tgz": ALPHA_2},
        [Request("DELETE", "alpha-2.0.0-rc.1+build.tgz")],
    ),
    other=Release(
        [Request("POST", "api/charts", BETA)],
        {"charts/beta-0.1.0.tgz": BETA},
        [Request("DELETE", "api/charts/beta/0.1.0")],
    ),
    pages=(
        Page("index.yaml", _versions, NAMED, NAMED - {"alpha 1.0.0"}),
        Page(
            "index.yaml",
            lambda body: {entry["urls"][0] for entry in json.loads(body)["entries"]["alpha"]},
            frozenset({"alpha-1.0.0.tgz", "alpha-2.0.0-rc.1+build.tgz"}),
            frozenset({"alpha-2.0.0-rc.1+build.tgz"}),
        ),
    ),
    absent="alpha-9.9.9.tgz",
    malformed=(
        Request("PUT", "alpha-1.0.1.tgz", ALPHA_1),
        Request("PUT", "alpha-1.0.0.tgz", b"not an archive"),
        Request("PUT", "alpha-1.0.0.tgz.prov", provenance("alpha", "2.0.0", ALPHA_1)),
        Request("POST", "api/charts", archive({"alpha/values.yaml": b""})),
        Request("POST", "api/charts", chart("alpha", "one")),
        Request("POST", "api/charts", chart("../alpha", "1.0.0")),
        Request("POST", "api/charts", archive({"alpha/Chart.yaml": chart_yaml("beta", "1.0.0")})),
        Request("POST", "api/charts", b""),
        Request("POST", "api/prov", b"no provenance"),
        form(),
        form(chart=ALPHA_2, prov=SIGNED),
        form(chart=chart("alpha", "1.0.0", icon="other"), prov=SIGNED),
        form(other=ALPHA_1),
    ),
)
