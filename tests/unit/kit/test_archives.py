"""Archives are read within limits; what is broken, hostile or unsafe is refused in words."""

import bz2
import gzip
import io
import lzma
import struct
import sys
import tarfile
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain.errors import BadPackage
from pakhus.kit.archives import Limits, read_tar, read_zip, zip_names

if sys.version_info < (3, 14):
    from backports import zstd
else:
    from compression import zstd

COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda body: lzma.compress(body, lzma.FORMAT_ALONE),
    "zst": zstd.compress,
}
FILES = {"./control": b"Package: x\n", "package/package.json": b"{}", "big": b"x" * 300_000, "empty": b""}


def anything(name: str) -> bool:
    return True


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(files: dict[str, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def names_of(*names: str) -> Callable[[str], bool]:
    return lambda name: name in names


# zip


def test_the_wanted_members_of_a_zip_are_read() -> None:
    body = io.BytesIO(zipped(FILES))
    assert zip_names(body) == list(FILES)
    assert read_zip(body, names_of("./control", "big", "missing")) == {
        "./control": b"Package: x\n",
        "big": FILES["big"],
    }


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd", "..\\x", "C:\\x", "a/..", "\\x", "a\nb"])
def test_an_unsafe_name_is_refused_when_it_is_wanted(name: str) -> None:
    for archive, read in ((zipped({name: b"x", "ok": b"y"}), read_zip), (tarred({name: b"x", "ok": b"y"}), read_tar)):
        with pytest.raises(BadPackage, match="safe"):
            read(io.BytesIO(archive), anything)
        assert read(io.BytesIO(archive), names_of("ok")) == {"ok": b"y"}


def test_a_wanted_member_may_not_stand_twice_in_a_zip() -> None:
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("a", b"1")
        archive.writestr("a", b"2")
        archive.writestr("b", b"3")
    assert read_zip(out, names_of("b")) == {"b": b"3"}
    with pytest.raises(BadPackage, match="a twice"):
        read_zip(out, names_of("a"))


def test_a_zip_bomb_is_refused_by_its_ratio() -> None:
    bomb = io.BytesIO(zipped({"bomb": bytes(8 << 20)}))
    with pytest.raises(BadPackage, match="bomb"):
        read_zip(bomb, anything)
    assert len(read_zip(bomb, anything, Limits(ratio=2000))["bomb"]) == 8 << 20


def test_limits_of_a_zip_hold() -> None:
    body = io.BytesIO(zipped(FILES))
    for limits in (Limits(entries=3), Limits(member=299_999), Limits(total=300_000)):
        with pytest.raises(BadPackage):
            read_zip(body, anything, limits)
    assert len(read_zip(body, anything, Limits(entries=4, member=300_000, total=300_013))) == 4
    with pytest.raises(BadPackage, match="more than 3 members"):
        zip_names(body, Limits(entries=3))


def test_entries_are_counted_whatever_the_archive_says_of_them() -> None:
    body = bytearray(zipped({str(i): b"" for i in range(1000)}))
    end = body.rfind(b"PK\x05\x06")
    body[end + 8 : end + 12] = struct.pack("<HH", 1, 1)
    with pytest.raises(BadPackage, match="more than 999 members"):
        zip_names(io.BytesIO(bytes(body)), Limits(entries=999))


def test_a_member_which_is_larger_than_it_says_is_refused() -> None:
    body = bytearray(zipped({"a": b"x" * 5000}))
    directory = body.find(b"PK\x01\x02")
    body[directory + 24 : directory + 28] = struct.pack("<I", 100)
    with pytest.raises(BadPackage):
        read_zip(io.BytesIO(bytes(body)), anything)


def test_an_encrypted_member_is_refused() -> None:
    body = bytearray(zipped({"secret": b"x" * 50}, zipfile.ZIP_STORED))
    body[6] |= 1
    body[body.find(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(BadPackage, match="secret is encrypted"):
        read_zip(io.BytesIO(bytes(body)), anything)


def test_compression_that_cannot_be_bounded_is_refused() -> None:
    with pytest.raises(BadPackage, match="method 12"):
        read_zip(io.BytesIO(zipped({"a": b"x"}, zipfile.ZIP_BZIP2)), anything)


@given(st.data())
def test_a_damaged_zip_is_refused_or_read_and_never_fails_otherwise(data: st.DataObject) -> None:
    body = bytearray(zipped({"a": b"hello" * 20, "b": b"world"}))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.just(len(body)), st.integers(0, len(body))))
    try:
        read_zip(io.BytesIO(bytes(body[:cut])), anything)
    except BadPackage as refusal:
        assert refusal.message


@pytest.mark.parametrize("body", [b"", b"PK", b"hello", zipped({"a": b"x"})[:-8]])
def test_what_is_no_zip_is_refused(body: bytes) -> None:
    with pytest.raises(BadPackage, match="zip"):
        zip_names(io.BytesIO(body))


# tar


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_the_wanted_files_of_a_tar_are_read_however_it_is_compressed(compression: str, format: int) -> None:
    body = COMPRESSIONS[compression](tarred(FILES, format))
    assert read_tar(io.BytesIO(body), anything) == FILES
    assert read_tar(io.BytesIO(body), names_of("empty")) == {"empty": b""}


@pytest.mark.parametrize("compression", ["gz", "bz2", "xz", "zst"])
def test_concatenated_streams_are_one_archive(compression: str) -> None:
    compress, body = COMPRESSIONS[compression], tarred(FILES)
    written = compress(body[:700]) + compress(body[700:1024]) + compress(body[1024:])
    assert read_tar(io.BytesIO(written), anything) == FILES


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_and_foreign_names_are_read(format: int) -> None:
    files = {"d/" * 100 + "é": b"1", "ø": b"2", "x" * 99: b"3", "y" * 100: b"4"}
    assert read_tar(io.BytesIO(tarred(files, format)), anything) == files


def test_only_regular_files_are_read() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"kind{kind.decode()}")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        archive.addfile(tarfile.TarInfo("file"))
    out.seek(0)
    assert read_tar(out, anything) == {"file": b""}


def test_of_a_repeated_name_the_last_is_kept_and_with_first_only_the_first() -> None:
    body = tarred({"a": b"1"})[:1024] + tarred({"a": b"2", "b": b"3"})
    assert read_tar(io.BytesIO(body), anything) == {"a": b"2", "b": b"3"}
    assert read_tar(io.BytesIO(body), anything, first_only=True) == {"a": b"1"}


def test_first_only_reads_no_further() -> None:
    body = gzip.compress(tarred({"a": b"1"})[:1024], mtime=0) + b"\x1f\x8b broken"
    assert read_tar(io.BytesIO(body), names_of("a"), first_only=True) == {"a": b"1"}


@pytest.mark.parametrize("compression", ["gz", "bz2", "xz", "zst"])
def test_a_tar_bomb_is_stopped_at_the_total_and_never_held(compression: str) -> None:
    body = io.BytesIO(COMPRESSIONS[compression](tarred({"bomb": bytes(64 << 20), "after": b"x"})))
    tracemalloc.start()
    try:
        with pytest.raises(BadPackage, match="unpacks to more than"):
            read_tar(body, names_of("after"), Limits(total=32 << 20))
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_limits_of_a_tar_hold() -> None:
    body = tarred(FILES)
    for limits in (Limits(entries=3), Limits(member=299_999), Limits(total=300_000)):
        with pytest.raises(BadPackage):
            read_tar(io.BytesIO(body), anything, limits)
    assert read_tar(io.BytesIO(body), names_of("empty"), Limits(member=0))


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_an_absurd_extended_header_is_refused_unread(kind: bytes) -> None:
    with pytest.raises(BadPackage, match="extended header of 107374182400 bytes"):
        read_tar(io.BytesIO(header("x", 100 << 30, kind)), anything)


@pytest.mark.parametrize("record", [b"5 path=x\n", b"99 path=x\n", b"path=x\n", b"0 a=b\n", b"13 size=-512\n\n", b"x"])
def test_a_malformed_extended_header_is_refused(record: bytes) -> None:
    body = header("x", len(record), tarfile.XHDTYPE) + record.ljust(512, b"\0") + header("a", 0) + bytes(1024)
    with pytest.raises(BadPackage, match="corrupt"):
        read_tar(io.BytesIO(body), anything)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_truncated_tar_is_refused(compression: str) -> None:
    body = COMPRESSIONS[compression](tarred(FILES))
    for part in (3, 2):
        with pytest.raises(BadPackage, match="truncated|not a tar"):
            read_tar(io.BytesIO(body[: len(body) // part]), anything)


def test_a_skipped_file_must_be_there_in_full() -> None:
    with pytest.raises(BadPackage, match="truncated"):
        read_tar(io.BytesIO(header("big", 10 << 20) + bytes(1 << 20)), names_of("other"))


@pytest.mark.parametrize("body", [b"", b"hello", b"h" * 2000, gzip.compress(b"x" * 900, mtime=0), zipped({"a": b"x"})])
def test_what_is_no_tar_is_refused(body: bytes) -> None:
    with pytest.raises(BadPackage):
        read_tar(io.BytesIO(body), anything)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_damaged_tar_is_refused_or_read_and_never_fails_otherwise(compression: str) -> None:
    body = COMPRESSIONS[compression](tarred({"a": b"hello" * 300, "é" * 120: b"world"}))

    @given(
        st.lists(st.tuples(st.integers(0, len(body) - 1), st.integers(0, 255)), max_size=3), st.integers(0, len(body))
    )
    def holds(damage: list[tuple[int, int]], cut: int) -> None:
        damaged = bytearray(body)
        for position, byte in damage:
            damaged[position] = byte
        try:
            read_tar(io.BytesIO(bytes(damaged[:cut])), anything, Limits(total=8 << 20))
        except BadPackage as refusal:
            assert refusal.message

    holds()
