"""Publishing: a file enters only if name, form, metadata and digests tell the same story."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain.content import Asset, Component, Coordinates, Digests, Facts, Query
from pakhus.domain.errors import (
    AssetNotFound,
    BadPackage,
    ComponentNotFound,
    DigestMismatch,
    Invalid,
    PakhusError,
    PolicyViolation,
)
from pakhus.formats.pypi import Pypi
from pakhus.formats.pypi.filenames import understand
from pakhus.formats.pypi.files import PackageFile
from pakhus.formats.pypi.metadata import parse, read_metadata
from pakhus.formats.pypi.upload import receive, remove, unyank, yank
from pakhus.kit.context import Annotation, Call, Change, Context, Deposit, Draft, Form, Removal, UploadedAsset
from tests.samples.pypi_packages import core_metadata, multipart, sdist, tarred, wheel, zipped
from tests.unit.formats.test_pypi_simple import asset, component

WHEEL = "foo_bar-1.0-py3-none-any.whl"
PATH = f"packages/foo-bar/1.0/{WHEEL}"


class Received:
    """A draft in memory."""

    def __init__(self, body: bytes) -> None:
        self.body, self.size, self.cancelled = body, len(body), False
        self.digests = Digests(*(hashlib.new(name, body).hexdigest() for name in ("sha256", "sha1", "md5", "sha512")))

    def open(self) -> BinaryIO:
        return io.BytesIO(self.body)

    async def cancel(self) -> None:
        self.cancelled = True


class Ledger:
    """A hosted repository that writes down what enters; `present` is what it already has and will not change."""

    settings = None

    def __init__(self, *, present: Mapping[str, Asset] | None = None, components: Sequence[Component] = ()) -> None:
        self.present, self.components = dict(present or {}), components
        self.drafts: list[Received] = []
        self.changes: list[Change] = []

    async def draft(self, chunks: AsyncIterable[bytes], *, limit: int | None = None) -> Draft:
        self.drafts.append(Received(b"".join([chunk async for chunk in chunks])))
        return self.drafts[-1]

    async def deposit(self, *changes: Change) -> None:
        if any(isinstance(change, Deposit) and change.path in self.present for change in changes):
            raise PolicyViolation("Repository does not allow updating assets: r (r/x cannot be updated)")
        self.changes.extend(changes)

    async def drop(self, files: Mapping[str, Draft | bytes], *, content_type: str = "") -> None:
        raise AssertionError

    async def find(self, query: Query) -> Sequence[Component]:
        return [found for found in self.components if found.version == query.version]

    async def asset(self, path: str) -> Asset | None:
        return self.present.get(path)

    async def read(self, path: str, *, limit: int) -> bytes | None:
        raise AssertionError

    def deposits(self) -> dict[str, Deposit]:
        return {change.path: change for change in self.changes if isinstance(change, Deposit)}


async def _stream(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 1000):
        yield body[start : start + 1000]


def _call(body: bytes, content_type: str = "", **params: str) -> Call:
    ctx = Context("r", "", params, {}, "", None, lambda path: path)
    return Call("POST", ctx, {"content-type": content_type}, _stream(body), len(body))


async def send(
    ledger: Ledger,
    content: bytes,
    filename: str = WHEEL,
    *,
    files: Mapping[str, tuple[str, bytes]] | None = None,
    **fields: str,
) -> None:
    form = [(":action", "file_upload"), ("protocol_version", "1"), *fields.items()]
    body, content_type = multipart(form, {"content": (filename, content), **(files or {})})
    reply = await receive(_call(body, content_type), ledger)
    assert reply.status == 200


def claims(content: bytes, **more: str) -> dict[str, str]:
    return {
        "name": "Foo.Bar",
        "version": "1.0",
        "filetype": "bdist_wheel",
        "pyversion": "py3",
        "md5_digest": hashlib.md5(content).hexdigest(),
        "sha256_digest": hashlib.sha256(content).hexdigest().upper(),
        "blake2_256_digest": hashlib.blake2b(content, digest_size=32).hexdigest(),
        **more,
    }


async def test_a_wheel_is_kept_with_its_metadata_beside_it() -> None:
    ledger, content = Ledger(), wheel("foo-bar", "1.0", requires=["dep>=1; extra == 'x'"], requires_python=">=3.9")
    await send(ledger, content, **claims(content))
    package, metadata = ledger.deposits()[PATH], ledger.deposits()[f"{PATH}.metadata"]
    assert package.coordinates == metadata.coordinates == Coordinates("foo-bar", "1.0")
    assert package.facts.asset["requires_python"] == ">=3.9"
    assert package.facts.asset["requires_dist"] == ["dep>=1; extra == 'x'"]
    assert package.facts.asset["blake2_256"] == claims(content)["blake2_256_digest"]
    assert package.facts.component["summary"] == "A sample"
    assert package.facts.component["project_name"] == "foo-bar"
    assert (package.rewritable, metadata.rewritable) == (False, True)
    assert metadata.body == core_metadata("foo-bar", "1.0", requires=["dep>=1; extra == 'x'"], requires_python=">=3.9")
    assert not ledger.drafts[0].cancelled


async def test_the_files_own_metadata_counts_more_than_the_form() -> None:
    ledger, content = Ledger(), wheel("foo-bar", "1.0", requires_python=">=3.9")
    await send(ledger, content, **claims(content, requires_python=">=2", summary="a lie"))
    facts = ledger.deposits()[PATH].facts
    assert facts.asset["requires_python"] == ">=3.9"
    assert facts.component["summary"] == "A sample"


@pytest.mark.parametrize("filename", ["Foo_Bar-1.0.tar.gz", "foo-bar-1.0.zip", "foo_bar-1.0.tar.bz2"])
async def test_source_distributions_are_kept_under_their_own_name(filename: str) -> None:
    files = {"foo_bar-1.0/PKG-INFO": core_metadata("foo.bar", "1.0")}
    content = zipped(files) if filename.endswith("zip") else tarred(files, "w:bz2" if "bz2" in filename else "w:gz")
    ledger = Ledger()
    await send(ledger, content, filename, filetype="sdist")
    assert list(ledger.deposits()) == [f"packages/foo-bar/1.0/{filename}"]


async def test_an_egg_is_kept() -> None:
    ledger = Ledger()
    content = zipped({"EGG-INFO/PKG-INFO": core_metadata("foo", "1.0")})
    await send(ledger, content, "foo-1.0-py3.11.egg", filetype="bdist_egg")
    assert list(ledger.deposits()) == ["packages/foo/1.0/foo-1.0-py3.11.egg"]


@pytest.mark.parametrize("field", ["md5_digest", "sha256_digest", "blake2_256_digest"])
async def test_each_wrong_digest_is_refused(field: str) -> None:
    ledger, content = Ledger(), wheel("foo-bar", "1.0")
    with pytest.raises(DigestMismatch, match=field):
        await send(ledger, content, **claims(content, **{field: "0" * 64}))
    assert ledger.drafts[0].cancelled


@pytest.mark.parametrize(
    ("field", "value"), [("name", "other"), ("version", "1.1"), ("filetype", "sdist"), ("filetype", "bdist_wininst")]
)
async def test_a_form_that_disagrees_with_the_file_name_is_refused(field: str, value: str) -> None:
    ledger, content = Ledger(), wheel("foo-bar", "1.0")
    with pytest.raises(BadPackage, match=value):
        await send(ledger, content, **claims(content, **{field: value}))
    assert not ledger.changes


WRONG_WHEELS = {
    "about other": wheel("other", "1.0", folder="foo_bar-1.0.dist-info"),
    "of version 2.0": wheel("foo-bar", "2.0", folder="foo_bar-1.0.dist-info"),
    "another name or version": wheel("foo-bar", "1.0", folder="foo_bar-2.0.dist-info"),
    "has no": wheel("foo-bar", "1.0", metadata=b""),
    "more than one": wheel("foo-bar", "1.0", files={"x-1.dist-info/METADATA": core_metadata("x", "1")}),
    "Version is missing": wheel("foo-bar", "1.0", metadata=b"Metadata-Version: 2.1\nName: foo-bar\n"),
    "Requires-Python": wheel("foo-bar", "1.0", requires_python="about three"),
    "bomb": wheel("foo-bar", "1.0", metadata=core_metadata("foo-bar", "1.0") + b"0" * (4 << 20)),
    "at most": wheel("foo-bar", "1.0", metadata=core_metadata("foo-bar", "1.0") + b"0" * (9 << 20)),
    "not a readable zip": b"<html>this is no archive</html>",
    "readable zip": wheel("foo-bar", "1.0")[:-30],
}


@pytest.mark.parametrize("reason", WRONG_WHEELS)
async def test_a_wheel_that_contradicts_itself_is_refused(reason: str) -> None:
    ledger = Ledger()
    with pytest.raises(BadPackage, match=reason):
        await send(ledger, WRONG_WHEELS[reason])
    assert ledger.drafts[0].cancelled
    assert not ledger.changes


WRONG_SDISTS = {
    "about other": sdist("foo", "1.0", metadata=core_metadata("other", "1.0")),
    "has no": sdist("foo", "1.0", metadata=b""),
    "empty": b"",
    "tar": b"x" * 2000,
    "truncated": sdist("foo", "1.0")[:60],
}


@pytest.mark.parametrize("reason", WRONG_SDISTS)
async def test_an_sdist_that_contradicts_itself_is_refused(reason: str) -> None:
    with pytest.raises(BadPackage, match=reason):
        await send(Ledger(), WRONG_SDISTS[reason], "foo-1.0.tar.gz")


@pytest.mark.parametrize("filename", ["foo.whl", "foo-1.0.exe", "foo bar-1.0.tar.gz", "foo-next.tar.gz", ".whl"])
async def test_what_is_not_named_like_a_distribution_is_refused(filename: str) -> None:
    with pytest.raises(BadPackage):
        await send(Ledger(), sdist("foo", "1.0"), filename)


async def test_a_file_that_exists_is_refused_in_words_that_twine_and_nexus_scripts_know() -> None:
    ledger = Ledger(present={PATH: asset(PATH)})
    with pytest.raises(PolicyViolation) as refusal:
        await send(ledger, wheel("foo-bar", "1.0"))
    assert "already exist" in refusal.value.message
    assert "Repository does not allow updating assets: r" in refusal.value.message
    assert refusal.value.status == 400


async def test_a_signature_is_kept_beside_its_file() -> None:
    ledger = Ledger()
    await send(ledger, wheel("foo-bar", "1.0"), files={"gpg_signature": (f"{WHEEL}.asc", b"-----BEGIN")})
    kept = ledger.deposits()[f"{PATH}.asc"]
    assert kept.content_type == "application/pgp-signature"
    assert kept.rewritable


def attestation(name: str, content: bytes, **changed: Any) -> dict[str, Any]:
    subject = [{"name": name, "digest": {"sha256": hashlib.sha256(content).hexdigest()}}]
    statement = json.dumps({"_type": "https://in-toto.io/Statement/v1", "subject": subject}).encode()
    envelope = {"statement": base64.b64encode(statement).decode(), "signature": "c2ln"}
    return {"version": 1, "verification_material": {"certificate": "x"}, "envelope": envelope, **changed}


async def test_attestations_become_the_provenance_of_their_file() -> None:
    ledger, content = Ledger(), wheel("foo-bar", "1.0")
    given = attestation(WHEEL, content)
    await send(ledger, content, attestations=json.dumps([given]))
    kept = ledger.deposits()[f"integrity/foo-bar/1.0/{WHEEL}/provenance"]
    assert kept.facts.asset == {"subject": hashlib.sha256(content).hexdigest()}
    assert isinstance(kept.body, bytes)
    assert json.loads(kept.body)["attestation_bundles"][0]["attestations"] == [given]


CONTENT = wheel("foo-bar", "1.0")


@pytest.mark.parametrize(
    "attestations",
    [
        "{",
        "[]",
        "[1]",
        json.dumps([attestation(WHEEL, CONTENT, version=2)]),
        json.dumps([attestation("foo_bar-2.0-py3-none-any.whl", CONTENT)]),
        json.dumps([attestation(WHEEL, b"other bytes")]),
        json.dumps([attestation(WHEEL, CONTENT, envelope={"statement": "%%%", "signature": ""})]),
        json.dumps([attestation(WHEEL, CONTENT, envelope={})]),
        json.dumps([attestation(WHEEL, CONTENT, verification_material=None)]),
    ],
)
async def test_an_attestation_that_is_not_about_the_file_is_refused(attestations: str) -> None:
    with pytest.raises(BadPackage, match="attestations"):
        await send(Ledger(), CONTENT, attestations=attestations)


@pytest.mark.parametrize(
    ("action", "status"), [("submit", 200), ("verify", 200), ("submit_pkg_info", 200), ("doc_upload", 410)]
)
async def test_actions_of_the_past_are_answered(action: str, status: int) -> None:
    ledger = Ledger()
    body, content_type = multipart([(":action", action)], {"content": ("a.zip", b"x")})
    assert (await receive(_call(body, content_type), ledger)).status == status
    assert ledger.drafts[0].cancelled


@pytest.mark.parametrize(
    ("fields", "files"),
    [
        ([], {"content": (WHEEL, CONTENT)}),
        ([(":action", "unknown")], {"content": (WHEEL, CONTENT)}),
        ([(":action", "file_upload")], {}),
        ([(":action", "file_upload")], {"other": (WHEEL, CONTENT)}),
        ([(":action", "file_upload")], {"content": (WHEEL, CONTENT), "gpg_signature": ("x.asc", b"0" * 70000)}),
    ],
)
async def test_an_incomplete_form_is_refused_and_leaves_nothing(
    fields: list[tuple[str, str]], files: dict[str, tuple[str, bytes]]
) -> None:
    ledger = Ledger()
    body, content_type = multipart(fields, files)
    with pytest.raises(Invalid):
        await receive(_call(body, content_type), ledger)
    assert all(draft.cancelled for draft in ledger.drafts)


async def test_a_malformed_or_truncated_form_is_refused() -> None:
    body, content_type = multipart([(":action", "file_upload")], {"content": (WHEEL, CONTENT)})
    for cut, kind in ((body[:-20], content_type), (body, "multipart/form-data"), (b"x", content_type), (body, "")):
        with pytest.raises(PakhusError) as refusal:
            await receive(_call(cut, kind), Ledger())
        assert refusal.value.status == 400


@given(st.binary(max_size=300))
def test_no_metadata_breaks_the_reader(text: bytes) -> None:
    for prefix in (b"", b"Name: foo\nVersion: 1\n"):
        try:
            fields = parse(prefix + text, "foo-1.zip")
        except BadPackage:
            continue
        assert isinstance(fields["name"], str)


@given(st.binary(max_size=200), st.sampled_from(["foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz", "foo-1.0.zip"]))
def test_no_archive_breaks_the_reader(body: bytes, filename: str) -> None:
    distribution = understand(filename)
    assert distribution is not None
    for prefix in (b"", b"PK\x03\x04", b"\x1f\x8b\x08"):
        with pytest.raises(BadPackage):
            read_metadata(io.BytesIO(prefix + body), filename, distribution)


def test_a_proxied_file_that_cannot_be_read_is_still_a_file() -> None:
    ctx = Context("r", "", {"name": "foo", "version": "1.0", "file": "foo-1.0.tar.gz"}, {}, "", None, str)
    assert PackageFile().inspect(ctx, io.BytesIO(b"garbage")) == Facts(asset={"packagetype": "sdist"})
    assert PackageFile().inspect(ctx, io.BytesIO(sdist("foo", "1.0"))).component["summary"] == "A sample"


async def test_the_rest_upload_reads_everything_from_the_file() -> None:
    ledger = Ledger()
    upload = Pypi.upload
    assert upload is not None
    await upload.run(Form({}, [UploadedAsset("pypi.asset", WHEEL, Received(CONTENT))]), ledger)
    assert PATH in ledger.deposits()


async def test_a_release_is_yanked_and_taken_back() -> None:
    ledger = Ledger(components=[component("1.0", asset(PATH))])
    await yank(_call(b'{"reason": " broken "}', name="foo", version="1.0"), ledger)
    await yank(_call(b"", name="foo", version="1.0"), ledger)
    await unyank(_call(b"", name="foo", version="1.0"), ledger)
    first, second, third = ledger.changes
    assert isinstance(first, Annotation)
    assert isinstance(second, Annotation)
    assert isinstance(third, Annotation)
    assert first.update({"summary": "s"}) == {"summary": "s", "yanked": "broken"}
    assert second.update({}) == {"yanked": ""}
    assert third.update({"summary": "s", "yanked": "x"}) == {"summary": "s"}


async def test_a_distribution_is_removed_with_what_accompanies_it() -> None:
    ledger = Ledger(present={path: asset(path) for path in (PATH, f"{PATH}.metadata")})
    call = _call(b"")
    await remove(replace(call, ctx=call.ctx.at(PATH, {})), ledger)
    assert ledger.changes == [Removal(path=PATH), Removal(path=f"{PATH}.metadata")]
    with pytest.raises(AssetNotFound):
        await remove(replace(call, ctx=call.ctx.at("packages/foo/1/foo-1.zip", {})), ledger)


async def test_only_what_exists_can_be_yanked() -> None:
    with pytest.raises(ComponentNotFound):
        await yank(_call(b"", name="foo", version="9"), Ledger())
    with pytest.raises(Invalid):
        await yank(_call(b"[]", name="foo", version="9"), Ledger())
