"""Docker: names, digests, manifests and pages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain import errors
from pakhus.domain.errors import BadPackage, DigestMismatch, Invalid, PakhusError
from pakhus.formats.docker import Docker
from pakhus.formats.docker.lists import Referrers, Tags, next_page, page_of
from pakhus.formats.docker.manifest import DOCKER_LIST, OCI_INDEX, OCI_MANIFEST, read_manifest
from pakhus.formats.docker.names import check_digest, check_name, check_tag, digest_of
from pakhus.formats.docker.settings import DockerOptions, HostedSettings, ProxySettings
from pakhus.formats.docker.upstream import located
from pakhus.kit.context import Context

DIGEST = "sha256:" + "0" * 64


def context(path: str = "", *, params: dict[str, str] | None = None, settings: Any = None, **query: str) -> Context:
    link = lambda inner: f"http://host/{inner}"  # noqa: E731
    return Context("repo", path, params or {}, query, "", settings or HostedSettings(), link)


def descriptor(**more: Any) -> dict[str, Any]:
    return {"mediaType": "application/x", "digest": DIGEST, "size": 1, **more}


def image(**more: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, "config": descriptor(), "layers": [], **more}).encode()


@pytest.mark.parametrize("name", ["a", "a/b", "library/nginx", "a-b", "a__b", "a---b", "a.b/c_d"])
def test_good_names_are_taken(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "A", "a/", "/a", "a//b", "a..b", "a_-b", "a___b", "-a", "a" * 256, "a b", "a\n"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(Invalid):
        check_name(name)


@pytest.mark.parametrize("tag", ["", ".a", "-a", "a" * 129, "a/b", "a b", "ä"])
def test_bad_tags_are_refused(tag: str) -> None:
    with pytest.raises(Invalid):
        check_tag(tag)


@pytest.mark.parametrize("digest", ["", "sha256:", "sha256:" + "g" * 64, "sha256:" + "A" * 64, "md5:" + "0" * 32, "x"])
def test_bad_digests_are_refused(digest: str) -> None:
    with pytest.raises(DigestMismatch):
        check_digest(digest)


def test_an_image_needs_its_config_and_layers() -> None:
    layers = [descriptor(digest="sha256:" + "1" * 64), descriptor()]
    found = read_manifest(image(layers=layers), OCI_MANIFEST)
    assert found.blobs == [DIGEST, "sha256:" + "1" * 64]
    assert found.layers == ["sha256:" + "1" * 64, DIGEST]
    assert found.manifests == ()


def test_a_foreign_layer_may_be_elsewhere() -> None:
    kind = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    other = "sha256:" + "2" * 64
    found = read_manifest(image(layers=[descriptor(mediaType=kind, digest=other, urls=["https://example.org/l"])]))
    assert found.blobs == [DIGEST]
    assert found.foreign == {other: "https://example.org/l"}


def test_what_a_referrer_is_comes_from_its_artifact_type_or_its_config() -> None:
    assert read_manifest(image(artifactType="application/y")).artifact_type == "application/y"
    assert read_manifest(image()).artifact_type == "application/x"
    assert read_manifest(image(subject=descriptor())).subject == DIGEST


def test_the_kind_is_what_it_says_or_was_sent_as() -> None:
    index = json.dumps({"schemaVersion": 2, "manifests": [descriptor()]}).encode()
    assert read_manifest(index).media_type == OCI_INDEX
    assert read_manifest(index, DOCKER_LIST).media_type == DOCKER_LIST
    assert read_manifest(index).manifests == [DIGEST]
    with pytest.raises(BadPackage):
        read_manifest(image(mediaType=OCI_MANIFEST), OCI_INDEX)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
    )
)
def test_whatever_is_sent_is_a_manifest_or_refused(value: Any) -> None:
    names = ("config", "layers", "manifests", "subject", "annotations", "mediaType", "artifactType")
    for name in names:
        body = json.dumps({"schemaVersion": 2, "config": descriptor(), name: value}).encode()
        try:
            read_manifest(body)
        except PakhusError as error:
            assert error.status == 400


@given(st.lists(st.text("abc", min_size=1, max_size=3), unique=True), st.integers(1, 5))
def test_pages_lose_nothing_and_repeat_nothing(names: list[str], size: int) -> None:
    names.sort()
    seen: list[str] = []
    last = ""
    while True:
        page, last = page_of(context(n=str(size), last=last), names, str)
        seen += page
        if not last:
            break
    assert seen == names


def test_the_next_page_is_read_from_the_link_header() -> None:
    assert next_page({"link": '</v2/a/tags/list?n=1&last=x>; rel="next"'}) == "/v2/a/tags/list?n=1&last=x"
    assert next_page({"link": "<x>; rel=prev"}) == ""
    assert next_page({}) == ""


def test_pages_of_an_upstream_are_one_list() -> None:
    tags = Tags()
    joined = b"\f".join([b'{"name": "a", "tags": ["b"]}', b'{"name": "a", "tags": null}', b'{"tags": ["a"]}'])
    assert tags.parse(context(), joined) == ["a", "b"]


def test_the_first_member_has_its_way_with_a_referrer() -> None:
    first, second = [{"digest": "sha256:1", "size": 1}], [{"digest": "sha256:1", "size": 2}, {"digest": "sha256:2"}]
    merged = {each["digest"]: each for each in Referrers().merge(context(), [first, second])}
    assert merged == {"sha256:1": first[0], "sha256:2": second[1]}


def test_docker_hub_has_a_folder_for_official_images() -> None:
    hub = ProxySettings.model_validate({"dockerProxy": {"indexType": "HUB"}})
    plain = ProxySettings.model_validate({"dockerProxy": {"indexType": "REGISTRY"}})
    assert located(context(params={"image": "nginx"}, settings=hub), "x") == "v2/library/nginx/x"
    assert located(context(params={"image": "team/nginx"}, settings=hub), "x") == "v2/team/nginx/x"
    assert located(context(params={"image": "nginx"}, settings=plain), "x") == "v2/nginx/x"


def test_settings_show_what_was_given_and_no_more() -> None:
    given_settings = {"docker": {"v1Enabled": False, "forceBasicAuth": True, "httpPort": 8082}}
    assert HostedSettings.model_validate(given_settings).model_dump(by_alias=True, mode="json") == given_settings


def test_a_repository_has_the_doors_of_its_settings() -> None:
    doors = Docker().doors(HostedSettings(docker=DockerOptions(http_port=1, https_port=2, subdomain="x")))
    assert (list(doors.ports), list(doors.tls_ports), doors.label) == ([1], [2], "x")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.NotFound("x", path="v2/a/manifests/1"), "MANIFEST_UNKNOWN"),
        (errors.NotFound("x", path="v2/a/blobs/sha256:1"), "BLOB_UNKNOWN"),
        (errors.NotFound("x", path="v2/a/tags/list"), "NAME_UNKNOWN"),
        (errors.UpstreamDown("x"), "UNKNOWN"),
        (errors.UploadOutOfOrder(3), "BLOB_UPLOAD_INVALID"),
        (errors.Forbidden("x"), "DENIED"),
    ],
)
def test_refusals_have_the_specifications_codes(error: PakhusError, code: str) -> None:
    reply = Docker().problem(error)
    assert json.loads(reply.body)["errors"][0]["code"] == code
    assert reply.status == error.status


def test_a_digest_is_of_the_algorithm_that_is_asked_for() -> None:
    assert digest_of(b"").startswith("sha256:e3b0c442")
    assert digest_of(b"", "sha512:").startswith("sha512:cf83e135")
