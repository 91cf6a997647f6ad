"""What is accepted as a chart or as its provenance, and what file names tell."""

from __future__ import annotations

import gzip
import hashlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain.errors import BadPackage
from pakhus.formats.helm import Helm
from pakhus.formats.helm.chart import LIMITS, Chart, read_chart, read_provenance
from pakhus.formats.helm.names import chart_path, split
from pakhus.kit.wire import dump_yaml
from tests.samples.helm import archive, chart, chart_yaml, provenance


def read(content: bytes) -> Chart:
    return read_chart(io.BytesIO(content))


def test_numbers_and_dates_are_read_as_helm_reads_them() -> None:
    text = b"apiVersion: v2\nname: web\nversion: 1.2.3\nappVersion: 1.10\nannotations: {a: 1, b: yes}\nx: 2026-01-02\n"

    found = read(archive({"web/Chart.yaml": text}))

    assert found.coordinates.version == "1.2.3"
    assert found.fields["appVersion"] == "1.1"
    assert found.fields["annotations"] == {"a": "1", "b": "true"}
    assert found.fields["x"] == "2026-01-02"


def test_dependencies_of_the_first_api_version_are_in_a_file_of_their_own() -> None:
    dependencies = [{"name": "db", "version": "1.x", "repository": "https://example.org"}]
    text = b"apiVersion: v1\nname: web\nversion: 1.0.0\n"

    found = read(archive({"web/Chart.yaml": text, "web/requirements.yaml": dump_yaml({"dependencies": dependencies})}))

    assert found.fields["dependencies"] == dependencies


def test_charts_inside_a_chart_are_not_the_chart() -> None:
    inner = {"web/charts/db/Chart.yaml": chart_yaml("db", "9.0.0")}

    assert read(chart("web", "1.0.0", files=inner)).path == "web-1.0.0.tgz"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"text", "not a tar"),
        (archive({"Chart.yaml": chart_yaml("web", "1.0.0")}), "no <name>/Chart.yaml"),
        (archive(dict.fromkeys(("a/Chart.yaml", "b/Chart.yaml"), chart_yaml("a", "1.0.0"))), "more than one"),
        (archive({"web/Chart.yaml": chart_yaml("db", "1.0.0")}), "folder is web"),
        (archive({"web/Chart.yaml": b"- list"}), "a mapping"),
        (archive({"web/Chart.yaml": b"a: ["}), "malformed YAML"),
        (archive({"web/Chart.yaml": b"name: web\nversion: 1.0.0"}), "apiVersion"),
        (archive({"web/Chart.yaml": b"apiVersion: v2\nversion: 1.0.0"}), "name"),
        (chart("web", "latest"), "semantic version"),
        (chart("we b", "1.0.0"), "name"),
        (chart("web", "1.0.0", type="plugin"), "type"),
        (chart("web", "1.0.0", keywords="web"), "keywords should be a list"),
        (chart("web", "1.0.0", maintainers=["me"]), "a mapping"),
        (chart("web", "1.0.0", dependencies=[{"name": []}]), "name should be a string"),
        (chart("web", "1.0.0")[:150], "truncated"),
    ],
)  # fmt: skip
def test_a_bad_chart_is_refused_with_the_reason(content: bytes, reason: str) -> None:
    with pytest.raises(BadPackage, match=reason):
        read(content)


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    zeros = gzip.compress(bytes(1 << 20), mtime=0)
    header = gzip.decompress(archive({"web/values.yaml": b""}))[:512]
    size = b"%011o\0" % LIMITS.total
    header = header[:124] + size + header[136:148] + b" " * 8 + header[156:]
    checksum = b"%06o\0 " % sum(header)
    bomb = gzip.compress(header[:148] + checksum + header[156:], mtime=0) + zeros * (LIMITS.total // (1 << 20) + 1)

    with pytest.raises(BadPackage, match="unpacks to more"):
        read(bomb)


def test_provenance_names_the_chart_and_its_digest() -> None:
    content = chart("web", "1.0.0")

    found = read_provenance(provenance("web", "1.0.0", content).replace(b"\n", b"\r\n"))

    assert found.chart.path == "web-1.0.0.tgz"
    assert found.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace(b"-----END", b"-----"),
        lambda text: text.replace(b"\n...\n", b"\n"),
        lambda text: text.replace(b"sha256:", b"md5:"),
        lambda text: text.replace(b"web-1.0.0.tgz", b"web-2.0.0.tgz"),
        lambda text: text + b"\xff",
        lambda text: b"before\n" + text,
    ],
)
def test_a_spoilt_provenance_file_is_refused(spoil: object) -> None:
    assert callable(spoil)
    with pytest.raises(BadPackage):
        read_provenance(spoil(provenance("web", "1.0.0", chart("web", "1.0.0"))))


@pytest.mark.parametrize(
    ("file", "found"),
    [
        ("web-1.0.0", ("web", "1.0.0")),
        ("web-2-1.0.0-rc.1+x", ("web-2", "1.0.0-rc.1+x")),
        ("cert-manager-v1.5.0", ("cert-manager", "v1.5.0")),
        ("web-7", ("web", "7")),
        ("web", None),
        ("web-latest", None),
    ],
)
def test_a_file_name_is_split(file: str, found: tuple[str, str] | None) -> None:
    assert split(file) == found


@given(
    st.from_regex(r"[a-z]+(-[a-z0-9]+)?", fullmatch=True),
    st.from_regex(r"v?[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(-[a-z]{1,4}(\.[0-9])?)?(\+[a-z]{1,3})?", fullmatch=True),
)
def test_a_chart_is_found_again_by_its_file_name(name: str, version: str) -> None:
    assert split(chart_path(name, version).removesuffix(".tgz")) == (name, version)


def test_chartmuseums_folder_is_the_root() -> None:
    helm = Helm()

    assert helm.canonical("charts/web-1.0.0.tgz") == "web-1.0.0.tgz"
    assert helm.canonical("api/charts") == "api/charts"
    assert helm.canonical("charts/x/y.tgz") == "charts/x/y.tgz"
