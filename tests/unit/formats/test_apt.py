"""apt: control files, versions, packages and the indexes that are made of them."""

from __future__ import annotations

import hashlib
import io
import itertools
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain.errors import BadPackage, DigestMismatch, Invalid
from pakhus.formats.apt import compression, control, deb, model, release, source, stanzas
from pakhus.formats.apt.contents import contents
from pakhus.formats.apt.model import Entry, Index, Model
from pakhus.formats.apt.places import Place, component_of, is_kept, pool_folder, split_matrix
from pakhus.formats.apt.settings import HostedSettings, ProxySettings
from pakhus.formats.apt.suites import FlatSuite, Suite
from pakhus.formats.apt.versions import VERSION, upstream_of, version_key, without_epoch
from pakhus.kit.context import Context
from tests.samples import apt_packages as packages

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
VERSIONS = ("0", "0~", "1.0~rc1", "1.0~", "1.0", "1.0-0", "1.0-1", "1.0-1~bpo1", "1.0a", "1.0+b", "1.00", "1:0.1",
            "1.0.1", "1.0-1.1", "10", "2", "1.0-1+deb12u1", "1.2.3~~a", "1.2.3~a", "a", "1.0.", "1.0-a")  # fmt: skip


@dataclass
class Unsigned:
    """Signs by saying so."""

    moment: datetime = NOW

    def clear(self, text: bytes) -> bytes:
        framed = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n" + text
        return framed + b"-----BEGIN PGP SIGNATURE-----\n\nnobody\n-----END PGP SIGNATURE-----\n"

    def detached(self, data: bytes) -> bytes:
        return b"-----BEGIN PGP SIGNATURE-----\n"

    def public(self, *, armored: bool) -> bytes:
        return b""


def context(path: str = "", settings: object = None, **params: str) -> Context:
    return Context("repository", path, params, {}, "", settings or HostedSettings(), lambda path: path)


def entry(package: str, version: str = "1", architecture: str = "amd64", **more: str) -> Entry:
    path = more.get("filename", f"pool/{package}_{version}_{architecture}.deb")
    sha256 = hashlib.sha256(f"{path}{more.get('salt', '')}".encode()).hexdigest()
    lines = [f"Package: {package}", f"Version: {version}", f"Architecture: {architecture}", f"Filename: {path}"]
    lines += [f"SHA256: {sha256}", f"Description-md5: {package}"]
    files = stanzas.packed(more.get("files", "").split())
    translation = f"Package: {package}\nDescription-md5: {package}\nDescription-en: about {package}".encode()
    section = more.get("section", "")
    return Entry(package, version, architecture, path, sha256, "\n".join(lines).encode(), translation, section, files)


def of(*entries: Entry, component: str = "main") -> Model:
    indexes: dict[Index, model.Entries] = {}
    for each in entries:
        indexes.setdefault(Index(component, "deb", each.architecture), {})[each.key] = each
    return Model(indexes, ("amd64", "arm64"))


def published(held: Model, route: Suite | FlatSuite | None = None, **params: str) -> dict[str, bytes]:
    route = route or Suite()
    params = params or {"dist": "stable"}
    found: dict[str, bytes] = {}
    for paths, chunks in route.dump(context(**params), held, Unsigned()):
        body = b"".join(chunks)
        for path in [paths] if isinstance(paths, str) else paths:
            assert path not in found, f"{path} is published twice"
            found[path] = body
    return found


class TestVersions:
    @pytest.mark.parametrize(("one", "other"), itertools.combinations(VERSIONS, 2))
    def test_they_are_ordered_as_dpkg_orders_them(self, one: str, other: str) -> None:
        if one.startswith("a") or other.startswith("a"):
            pytest.skip("dpkg takes no version that begins with a letter")
        compared = ("dpkg", "--compare-versions", one, "lt", other)
        is_less = subprocess.run(compared, capture_output=True, check=False).returncode == 0
        is_equal = subprocess.run((*compared[:3], "eq", other), capture_output=True, check=False).returncode == 0

        assert (version_key(one) < version_key(other)) is is_less
        assert (version_key(one) == version_key(other)) is is_equal

    @given(st.text("0123456789abc.+~:-", max_size=12))
    def test_every_text_has_a_place(self, text: str) -> None:
        assert version_key(text) == version_key(text)
        assert not version_key(text) < version_key(text)

    def test_the_parts_of_a_version(self) -> None:
        assert without_epoch("1:2.0-3") == "2.0-3"
        assert upstream_of("1:2.0-1-3") == "2.0-1"
        assert upstream_of("2.0") == "2.0"

    @pytest.mark.parametrize("version", ["", "one two", "1.0/2", "x:1", "-1", "1.0\n"])
    def test_what_is_none(self, version: str) -> None:
        assert not VERSION.fullmatch(version)


class TestControl:
    def test_fields_keep_their_lines_and_lose_their_case(self) -> None:
        found = control.fields_of("Package: a\nDescription: short\n long\n .\n more")

        assert found == {"package": "a", "description": "short\n long\n .\n more"}

    @pytest.mark.parametrize("text", ["", "a", " continued", "A: 1\nA: 2", "A: 1\n\nB: 2", "A: 1\nno field", "A\0: 1"])
    def test_what_is_no_paragraph_is_refused(self, text: str) -> None:
        with pytest.raises(BadPackage):
            control.single(text.encode(), "the file")

    def test_comments_and_carriage_returns_are_no_content(self) -> None:
        assert control.single(b"# a comment\r\nA: 1\r\n\r\n", "it") == ("A: 1", {"a": "1"})

    def test_a_field_leaves_with_its_lines(self) -> None:
        assert control.without("A: 1\n one\nB: 2\nC: 3", frozenset({"a", "c"})) == "B: 2"

    @given(st.binary(max_size=200))
    def test_any_bytes_are_a_paragraph_or_refused(self, content: bytes) -> None:
        try:
            text, fields = control.single(content, "it")
        except BadPackage:
            return
        assert fields
        assert "\n\n" not in text


class TestPackages:
    @pytest.mark.parametrize("packing", packages.PACKERS)
    def test_a_package_is_read_however_it_is_packed(self, packing: str) -> None:
        body = packages.deb("hello", "1:2.0-1", "arm64", packing=packing, files={"usr/bin/hello": b"", "etc/x": b"y"})
        found = deb.read_deb(io.BytesIO(body))

        assert (found.name, found.version, found.architecture) == ("hello", "1:2.0-1", "arm64")
        assert found.files == ("usr/bin/hello", "etc/x")
        assert found.filename(".deb") == "hello_2.0-1_arm64.deb"
        assert found.text == packages.control("hello", "1:2.0-1", "arm64").decode().strip()

    @pytest.mark.parametrize("packing", ["", ".gz", ".xz", ".zst"])
    def test_a_package_that_is_cut_off_is_refused_wherever_that_is(self, packing: str) -> None:
        body = packages.deb("hello", "1.0", packing=packing)
        for length in range(0, len(body) - 1, max(1, len(body) // 97)):
            with pytest.raises(BadPackage):
                deb.read_deb(io.BytesIO(body[:length]))

    def test_a_bomb_is_refused_before_it_goes_off(self) -> None:
        bomb = packages.PACKERS[".zst"](packages.tar({"zeros": b"\0" * (1 << 20)}, "") * 1)
        zeros = compression.zstd.compress(b"\0" * (300 << 20), 1)
        control_bomb = packages.ar({"debian-binary": b"2.0\n", "control.tar.zst": zeros, "data.tar.zst": bomb})

        with pytest.raises(BadPackage):
            deb.read_deb(io.BytesIO(control_bomb))

    def test_a_name_must_agree_with_what_is_inside(self) -> None:
        found = deb.read_deb(io.BytesIO(packages.deb("hello", "1:2.0", "all")))

        for filename in ("hello_2.0_all.deb", "hello_1%3a2.0_all.deb", "whatever.deb"):
            deb.check_filename(found, filename)
        for filename in ("hello_2.1_all.deb", "hallo_2.0_all.deb", "hello_2.0_amd64.deb"):
            with pytest.raises(BadPackage):
                deb.check_filename(found, filename)

    @given(st.binary(max_size=300))
    def test_any_bytes_after_the_magic_are_refused(self, tail: bytes) -> None:
        with pytest.raises(BadPackage):
            deb.read_deb(io.BytesIO(b"!<arch>\n" + tail))

    def test_an_index_does_not_repeat_what_the_maker_claimed_of_the_file(self) -> None:
        body = packages.deb("hello", "1.0", SHA256="0" * 64, Filename="/etc/passwd", Size="1")
        found = deb.read_deb(io.BytesIO(body))
        digests = _digests(body)
        stanza = stanzas.binary_stanza(found, "pool/hello.deb", len(body), digests)

        fields = control.fields_of(stanza)
        assert (fields["filename"], fields["size"], fields["sha256"]) == (
            "pool/hello.deb",
            str(len(body)),
            digests.sha256,
        )

    def test_a_description_is_found_by_the_digest_that_apt_computes(self) -> None:
        # apt's own: `apt-ftparchive packages` says so of a package with this description.
        assert stanzas.description_md5("short\n long") == hashlib.md5(b"short\n long\n").hexdigest()


def _digests(body: bytes) -> object:
    from pakhus.domain.content import Digests

    sums = {name: hashlib.new(name, body).hexdigest() for name in ("sha256", "sha1", "md5", "sha512")}
    return Digests(**sums)


class TestSources:
    def test_a_source_package_is_read_signed_or_not(self) -> None:
        plain = packages.dsc("hello", "1.0", {"hello_1.0.tar.xz": b"tar"})
        signed = Unsigned().clear(plain)

        for body in (plain, signed):
            found = source.read_dsc(io.BytesIO(body))
            assert (found.name, found.version, found.filename) == ("hello", "1.0", "hello_1.0.dsc")
            found.parts[0].check(3, _digests(b"tar"))  # type: ignore[arg-type]
            with pytest.raises(DigestMismatch):
                found.parts[0].check(3, _digests(b"rat"))  # type: ignore[arg-type]

    def test_its_stanza_names_the_dsc_too(self) -> None:
        body = packages.dsc("hello", "1.0", {"hello_1.0.tar.xz": b"tar"}, Testsuite="autopkgtest")
        stanza = source.read_dsc(io.BytesIO(body)).stanza("pool/h", len(body), _digests(body))  # type: ignore[arg-type]
        fields = control.fields_of(stanza)

        assert fields["package"] == "hello"
        assert fields["directory"] == "pool/h"
        assert fields["testsuite"] == "autopkgtest"
        assert [line.split()[2] for line in fields["checksums-sha256"].split("\n") if line] == [
            "hello_1.0.tar.xz",
            "hello_1.0.dsc",
        ]

    @pytest.mark.parametrize("body", [b"", b"Source: a\n", b"Source: a\nVersion: 1\n", b"Source: ../a\nVersion: 1\n"])
    def test_what_is_no_source_package_is_refused(self, body: bytes) -> None:
        with pytest.raises(BadPackage):
            source.read_dsc(io.BytesIO(body))


class TestPlaces:
    def test_parameters_of_the_path(self) -> None:
        assert split_matrix("pool/a.deb;deb.distribution=x,y;deb.component=c;deb.distribution=z") == (
            "pool/a.deb",
            {"distribution": ("x", "y", "z"), "component": ("c",)},
        )

    @pytest.mark.parametrize("words", [("../x",), ("",), ("a b",), ("a", "b/c"), ("a\nb",), ("x/y",)])
    def test_names_that_would_leave_their_folder_are_refused(self, words: tuple[str, ...]) -> None:
        with pytest.raises(Invalid):
            Place(*words)

    def test_the_pool_is_laid_out_as_debians(self) -> None:
        assert pool_folder("main", "hello") == "pool/main/h/hello"
        assert pool_folder("contrib", "libfoo") == "pool/contrib/libf/libfoo"
        assert pool_folder("main", "lib") == "pool/main/l/lib"

    @pytest.mark.parametrize(
        ("path", "component"),
        [
            ("pool/contrib/h/hello/hello_1_all.deb", "contrib"),
            ("pool/contrib/libh/libhello/x.deb", "contrib"),
            ("pool/h/hello/hello_1_all.deb", "main"),
            ("pool/a/b/hello/hello_1_all.deb", "main"),
            ("pool/hello.deb", "main"),
        ],
    )
    def test_a_path_like_debians_tells_the_component(self, path: str, component: str) -> None:
        assert component_of(path) == component

    def test_only_files_of_packages_are_kept(self) -> None:
        kept = ("a_1_all.deb", "a.udeb", "a_1.dsc", "a_1.orig.tar.gz", "a_1-1.debian.tar.xz", "a_1-1.diff.gz",
                "a_1.orig.tar.gz.asc", "a_1_amd64.changes", "a_1.orig-sub.tar.xz")  # fmt: skip
        assert [each for each in kept if not is_kept(each)] == []
        assert not any(is_kept(each) for each in ("Packages", "Release", "a.txt", "InRelease", "key.asc", "a.tar"))


class TestIndexes:
    def test_all_is_in_every_architecture(self) -> None:
        files = published(of(entry("one", architecture="all"), entry("two", architecture="amd64")))

        assert _names(files, "amd64") == {"one", "two"}
        assert _names(files, "arm64") == _names(files, "all") == {"one"}

    def test_every_encoding_has_the_same_content_and_its_digest_in_the_release(self) -> None:
        files = published(of(entry("one")))
        found = release.read(files["dists/stable/InRelease"])
        plain = files["dists/stable/main/binary-amd64/Packages"]

        for ending in ("", ".gz", ".xz", ".zst"):
            name = f"main/binary-amd64/Packages{ending}"
            body = files[f"dists/stable/{name}"]
            assert compression.plain(name, body) == plain
            assert found.files[name] == hashlib.sha256(body).hexdigest()
            assert files[f"dists/stable/main/binary-amd64/by-hash/SHA256/{found.files[name]}"] == body
        assert found.by_hash

    def test_what_the_release_promises_is_there_or_plain(self) -> None:
        files = published(of(entry("one", files="usr/bin/one")))
        found = release.read(files["dists/stable/Release"])
        missing = [path for path in found.files if f"dists/stable/{path}" not in files]

        assert [path for path in missing if path.endswith((".gz", ".xz", ".zst"))] == []
        assert all("Contents" in path or "Translation" in path for path in missing)

    def test_the_same_model_gives_the_same_bytes(self) -> None:
        assert published(of(entry("b"), entry("a"))) == published(of(entry("a"), entry("b")))

    def test_a_group_reads_what_a_hosted_repository_writes(self) -> None:
        held = of(entry("one", architecture="all"), entry("two"), entry("three", architecture="arm64"))
        files = published(held)
        ctx = context("dists/stable/InRelease", ProxySettings(), dist="stable")
        wanted = Suite().listed(ctx, files["dists/stable/InRelease"])
        read = Suite().parse(ctx, {path: files[path] for path in ["dists/stable/InRelease", *wanted]})

        assert all("/by-hash/" in path for path in wanted)
        assert published(read) == published(held)

    def test_a_group_takes_the_wanted_architectures_only(self) -> None:
        files = published(of(entry("one"), entry("two", architecture="arm64")))
        settings = ProxySettings.model_validate({"apt": {"architectures": ["arm64"]}})
        ctx = context("dists/stable/InRelease", settings, dist="stable")
        read = Suite().parse(ctx, files)

        assert {index.architecture for index in read.indexes} == {"arm64"}

    def test_an_index_that_the_release_does_not_vouch_for_is_refused(self) -> None:
        files = published(of(entry("one")))
        ctx = context("dists/stable/InRelease", ProxySettings(), dist="stable")
        wanted = Suite().listed(ctx, files["dists/stable/InRelease"])
        forged = {path: files[path] for path in ["dists/stable/InRelease", *wanted]}
        forged[wanted[0]] += b"x"

        with pytest.raises(BadPackage):
            Suite().parse(ctx, forged)

    def test_an_index_that_the_upstream_promises_and_has_not_is_no_empty_index(self) -> None:
        files = published(of(entry("one")))
        ctx = context("dists/stable/InRelease", ProxySettings(), dist="stable")

        with pytest.raises(BadPackage):
            Suite().parse(ctx, {"dists/stable/InRelease": files["dists/stable/InRelease"]})

    def test_the_first_member_wins_and_no_path_has_two_meanings(self) -> None:
        mine, theirs = entry("a", filename="pool/a.deb"), entry("a", filename="pool/other.deb")
        shadowed = entry("b", filename="pool/a.deb", salt="other bytes")
        merged = model.merged([of(mine), of(theirs, shadowed, entry("c"))])

        found = {each for entries in merged.indexes.values() for each in entries.values()}
        assert found == {mine, entry("c")}

    def test_contents_name_every_owner_once(self) -> None:
        told = contents(
            [
                entry("b", files="usr/bin/x usr/bin/b", section="utils"),
                entry("a", files="usr/bin/x"),
                entry("b", "2", files="usr/bin/x", section="utils"),
            ]
        )

        assert told.decode().splitlines() == ["usr/bin/b utils/b", "usr/bin/x utils/b,a"]

    def test_descriptions_are_translated_into_english(self) -> None:
        files = published(of(entry("one"), entry("one", "2")))
        told = compression.plain("x.xz", files["dists/stable/main/i18n/Translation-en.xz"])

        assert told.count(b"Description-en: about one") == 1

    def test_the_release_says_what_the_operator_wants(self) -> None:
        settings = HostedSettings.model_validate({"apt": {"origin": "Us", "label": "Ours", "validDays": 7}})
        (text,) = [
            b"".join(chunks)
            for paths, chunks in Suite().dump(context(settings=settings, dist="stable"), of(entry("one")), Unsigned())
            if paths == "dists/stable/Release"
        ]
        fields = control.fields_of(text.decode().strip())

        assert (fields["origin"], fields["label"], fields["codename"]) == ("Us", "Ours", "stable")
        assert fields["date"] == "Fri, 02 Jan 2026 03:04:05 UTC"
        assert fields["valid-until"] == "Fri, 09 Jan 2026 03:04:05 UTC"
        assert Suite().lifetime(context(settings=settings)) == 3.5 * 86_400

    def test_a_flat_repository_lists_all_beside_each_other(self) -> None:
        held = of(entry("one"), entry("two", architecture="arm64"))
        files = published(held, FlatSuite(), folder="flat/")

        assert files["flat/Packages"].count(b"Package: ") == 2
        ctx = context("flat/InRelease", ProxySettings(), folder="flat/")
        assert published(FlatSuite().parse(ctx, files), FlatSuite(), folder="flat/") == files

    @pytest.mark.parametrize("ending", [".gz", ".xz", ".zst", ".bz2"])
    def test_an_index_of_an_upstream_may_not_be_endless(self, ending: str) -> None:
        import bz2

        packers = {**compression.ENCODERS, ".bz2": bz2.compress}
        packed = packers[ending](b"\0" * (8 << 20))

        assert compression.plain(f"x{ending}", packed, 8 << 20) == b"\0" * (8 << 20)
        with pytest.raises(BadPackage):
            compression.plain(f"x{ending}", packed, 1 << 20)
        with pytest.raises(BadPackage):
            compression.plain(f"x{ending}", packed[: len(packed) // 2])


def _names(files: Mapping[str, bytes], architecture: str) -> set[str]:
    body = files[f"dists/stable/main/binary-{architecture}/Packages"].decode()
    return {line.removeprefix("Package: ") for line in body.splitlines() if line.startswith("Package: ")}
