"""What `npm publish` sends, checked against the tarball that came with it."""

from __future__ import annotations

import base64
import gzip
import io
import json
import tarfile
from typing import Any

import pytest

from pakhus.domain.errors import BadPackage, DigestMismatch, Invalid
from pakhus.formats.npm import manifest
from pakhus.formats.npm.publish import Release, receive, releases
from pakhus.formats.npm.tarball import Tarball
from pakhus.kit.context import Call
from tests.unit.formats.npm_packages import (
    chunked,
    context,
    dist,
    document,
    keep,
    packed,
    tarball,
)

WEB = {"name": "web", "version": "1.0.0", "description": "A web", "license": "MIT", "keywords": ["a", "b"]}


class Receiving:
    """The one thing of a hosted repository that receiving needs."""

    draft = staticmethod(keep)


async def accepted(sent: Any, name: str = "web") -> list[Release]:
    body = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    call = Call("PUT", context(name), {}, chunked(body))
    read, attachments = await receive(call, Receiving())  # type: ignore[arg-type]
    return await releases(name, read, attachments)


async def test_publication_becomes_a_deposit() -> None:
    body = tarball(WEB)
    (release,) = await accepted(document("web", "1.0.0", body, description="A web", custom={"x": 1}))
    deposit = release.deposit
    assert deposit.path == "web/-/web-1.0.0.tgz"
    assert deposit.coordinates is not None and deposit.coordinates.version == "1.0.0"
    known = deposit.facts.component
    assert known["manifest"]["custom"] == {"x": 1}
    assert known["manifest"]["dist"] == {**dist(body), "fileCount": 2, "tarball": "web/-/web-1.0.0.tgz"}
    assert known["description"] == "A web"
    assert known["readme"] == "# hello"
    assert known["deprecated"] == ""


async def test_scoped_publication_is_filed_without_its_scope() -> None:
    name = "@acme/web"
    (release,) = await accepted(document(name, "1.0.0", tarball({**WEB, "name": name})), name)
    assert release.deposit.path == "@acme/web/-/web-1.0.0.tgz"


async def test_several_versions_are_published_at_once() -> None:
    first = document("web", "1.0.0", tarball(WEB))
    second = document("web", "1.1.0", tarball({**WEB, "version": "1.1.0"}))
    for member in ("versions", "_attachments"):
        first[member] |= second[member]
    assert [release.version for release in await accepted(first)] == ["1.0.0", "1.1.0"]


async def test_versions_without_a_tarball_are_no_publication() -> None:
    sent = document("web", "1.0.0", tarball(WEB))
    sent["versions"]["0.9.0"] = {"name": "web", "version": "0.9.0"}
    assert [release.version for release in await accepted(sent)] == ["1.0.0"]


@pytest.mark.parametrize(
    "promise",
    [
        {"integrity": dist(b"other")["integrity"]},
        {"shasum": "0" * 40},
        {"integrity": "sha512-short"},
        {"integrity": "whatever"},
        {"shasum": "zz"},
    ],
)
async def test_wrong_promises_are_refused(promise: dict[str, str]) -> None:
    body = tarball(WEB)
    with pytest.raises(DigestMismatch):
        await accepted(document("web", "1.0.0", body, dist={**dist(body), **promise}))


async def test_shasum_is_checked_beside_a_right_integrity() -> None:
    body = tarball(WEB)
    both = {"integrity": dist(body)["integrity"] + " sha1-" + base64.b64encode(b"\0" * 20).decode()}
    with pytest.raises(DigestMismatch):
        await accepted(document("web", "1.0.0", body, dist=both))


async def test_publication_without_promises_gets_them() -> None:
    body = tarball(WEB)
    (release,) = await accepted(document("web", "1.0.0", body, dist=None))
    assert release.manifest["dist"]["integrity"] == dist(body)["integrity"]


@pytest.mark.parametrize("inside", [{"name": "other"}, {"version": "1.0.1"}, {"name": None}, {"version": 1}])
async def test_tarball_of_another_package_is_refused(inside: dict[str, Any]) -> None:
    with pytest.raises(BadPackage):
        await accepted(document("web", "1.0.0", tarball({**WEB, **inside})))


@pytest.mark.parametrize("stated", [{"name": "other"}, {"version": "1.0.1"}])
async def test_manifest_of_another_package_is_refused(stated: dict[str, Any]) -> None:
    sent = document("web", "1.0.0", tarball(WEB))
    sent["versions"]["1.0.0"] |= stated
    with pytest.raises(Invalid):
        await accepted(sent)


@pytest.mark.parametrize("version", ["1.0", "latest", "../1.0.0", "v1.0.0"])
async def test_versions_that_are_not_semantic_are_refused(version: str) -> None:
    with pytest.raises(Invalid):
        await accepted(document("web", version, tarball({**WEB, "version": version})))


@pytest.mark.parametrize("file", ["../web-1.0.0.tgz", "a/b/web.tgz", "a\\b.tgz", "@a/../../b.tgz"])
async def test_attachments_with_paths_are_refused(file: str) -> None:
    sent = document("web", "1.0.0", tarball(WEB))
    sent["_attachments"] = {file: next(iter(sent["_attachments"].values()))}
    with pytest.raises(Invalid):
        await accepted(sent)


async def test_attachment_that_belongs_to_no_version_is_refused() -> None:
    sent = document("web", "1.0.0", tarball(WEB))
    sent["_attachments"]["web-9.9.9.tgz"] = next(iter(sent["_attachments"].values()))
    with pytest.raises(Invalid):
        await accepted(sent)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"1", b'{"versions": []}', b'{"versions": {"1.0.0": 1}}', b'{"versions":{"1.0.0":[]}}']
)
async def test_malformed_documents_are_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        await accepted(body)


BUNDLE = {
    "mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.3",
    "dsseEnvelope": {"payload": base64.b64encode(b'{"predicateType": "https://slsa.dev/provenance/v1"}').decode()},
}


async def test_provenance_is_kept() -> None:
    sent = document("web", "1.0.0", tarball(WEB))
    text = json.dumps(BUNDLE)
    sent["_attachments"]["web-1.0.0.sigstore"] = {
        "content_type": BUNDLE["mediaType"],
        "data": text,
        "length": len(text),
    }
    (release,) = await accepted(sent)
    assert release.attestations == [{"predicateType": "https://slsa.dev/provenance/v1", "bundle": BUNDLE}]
    assert release.manifest["dist"]["attestations"]["provenance"] == {"predicateType": "https://slsa.dev/provenance/v1"}


async def test_provenance_that_is_no_bundle_is_refused() -> None:
    sent = document("web", "1.0.0", tarball(WEB))
    sent["_attachments"]["web-1.0.0.sigstore"] = {"data": "{}"}
    with pytest.raises(Invalid):
        await accepted(sent)


@pytest.mark.parametrize("folder", ["package", "web-1.0.0", "./package", "any name"])
def test_top_folder_may_have_any_name(folder: str) -> None:
    assert manifest.read_tarball(io.BytesIO(tarball(WEB, folder=folder))).manifest == WEB


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not a tarball",
        packed({}),
        packed({"package.json": b"{}"}),
        packed({"package/lib/package.json": b"{}"}),
        packed({"package/package.json": b"{"}),
        packed({"package/package.json": b"[]"}),
        packed({"package/package.json": b"\xff\xfe"}),
        packed({"package/package.json": b"[" * 100_000}),
        packed({"package/package.json": b" " * (5 << 20)}),
        gzip.compress(b"\0" * 100, mtime=0)[:-4],
        tarball(WEB)[:100],
    ],
)
def test_bad_tarballs_are_refused(body: bytes) -> None:
    with pytest.raises(BadPackage):
        manifest.read_tarball(io.BytesIO(body))


def test_bomb_is_refused_before_it_is_unpacked() -> None:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        member = tarfile.TarInfo("package/package.json")
        member.size = 64 << 20
        archive.addfile(member, io.BytesIO(b" " * member.size))
    with pytest.raises(BadPackage, match="at most"):
        manifest.read_tarball(io.BytesIO(gzip.compress(plain.getvalue(), 1, mtime=0)))


def test_readme_is_shortened_not_refused() -> None:
    assert len(manifest.read_tarball(io.BytesIO(tarball(WEB, readme="é" * 60_000))).readme.encode()) <= 64 << 10
    assert manifest.read_tarball(io.BytesIO(tarball(WEB, readme="x" * (5 << 20)))).manifest == WEB


def test_inspection_tells_the_facts_of_the_component() -> None:
    more = {
        "author": {"name": "Ann", "email": "a@b"},
        "homepage": "http://web",
        "repository": {"type": "git", "url": "git+http://web.git"},
        "dependencies": {"left": "^1"},
    }
    facts = Tarball().inspect(context("web/-/web-1.0.0.tgz"), io.BytesIO(tarball({**WEB, **more}))).component
    assert {name: value for name, value in facts.items() if name != "manifest"} == {
        "description": "A web",
        "license": "MIT",
        "keywords": ["a", "b"],
        "author": "Ann <a@b>",
        "homepage": "http://web",
        "repository": "git+http://web.git",
        "dependencies": {"left": "^1"},
        "readme": "# hello",
    }


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ({"license": {"type": "MIT", "url": "x"}}, {"license": "MIT"}),
        ({"licenses": [{"type": "MIT"}, {"type": "ISC"}]}, {"license": "MIT OR ISC"}),
        ({"keywords": "a, b c"}, {"keywords": ["a", "b", "c"]}),
        ({"author": "Ann <a@b>", "description": 5, "keywords": {"a": 1}, "license": 3}, {"author": "Ann <a@b>"}),
        ({"dependencies": ["a"]}, {}),
    ],
)
def test_old_spellings_of_package_json_are_understood(written: dict[str, Any], known: dict[str, Any]) -> None:
    assert manifest.facts(written) == known
