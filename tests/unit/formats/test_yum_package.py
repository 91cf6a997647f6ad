"""Reading RPM packages: what they say, and what is refused of broken and hostile ones."""

from __future__ import annotations

import io
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain.errors import BadPackage
from pakhus.formats.yum import header, package
from pakhus.formats.yum.package import Package, PackagedFile, read_package
from tests.samples.rpm_packages import (
    BINARY,
    EQUAL,
    INT16,
    INT32,
    LEAD,
    MAGIC,
    MAIN,
    SIGNATURE,
    STRING,
    STRINGS,
    Relation,
    assembled,
    rpm,
)
from tests.samples.rpm_packages import header as written

LESS, PRE = 2, 1 << 9
GHOST, REGULAR, FOLDER = 1 << 6, 0o100644, 0o040755


def read(content: bytes) -> Package:
    return read_package(io.BytesIO(content))


def refused(content: bytes) -> str:
    with pytest.raises(BadPackage) as refusal:
        read(content)
    return refusal.value.message


# What they say


def test_a_package_says_who_it_is() -> None:
    found = read(rpm("tool", "1.0~rc1", "2.el9", "x86_64", epoch=3))

    assert (found.name, found.epoch, found.version, found.release, found.arch) == (
        "tool",
        "3",
        "1.0~rc1",
        "2.el9",
        "x86_64",
    )
    assert found.texts["description"] == "All about\ntool & more"
    assert (found.installed_size, found.archive_size) == (1234, 20)


def test_the_header_range_is_where_the_header_stands() -> None:
    content = rpm("tool")
    found = read(content)

    assert content[found.header_start :].startswith(MAGIC)
    assert content[found.header_end :] == b"no archive"


def test_a_source_package_has_the_architecture_src() -> None:
    assert read(rpm("tool", arch="x86_64", more={1106: (INT32, [1])})).arch == "src"


def test_files_are_told_apart_by_their_kind() -> None:
    files = [("/etc/tool", FOLDER, 0), ("/etc/tool/a", REGULAR, 0), ("/var/log/tool", REGULAR, GHOST)]

    found = read(rpm("tool", files=files)).files

    assert found == [
        PackagedFile("/etc/tool", "dir"),
        PackagedFile("/etc/tool/a"),
        PackagedFile("/var/log/tool", "ghost"),
    ]
    assert [each.primary for each in found] == [True, True, False]


def test_dependencies_keep_their_comparison_and_their_time() -> None:
    requires = [Relation("a", LESS | EQUAL, "1:2.0-3"), Relation("b", PRE), Relation("(c if d)")]

    found = read(rpm("tool", relations={"requires": requires})).dependencies["requires"]

    assert [(each.name, each.comparison, each.epoch, each.version, each.release, each.pre) for each in found] == [
        ("a", "LE", "1", "2.0", "3", False),
        ("b", "", "", "", "", True),
        ("(c if d)", "", "", "", "", False),
    ]


def test_what_a_package_requires_of_itself_is_left_out() -> None:
    files = [("/usr/bin/tool", REGULAR, 0), ("/usr/share/tool", REGULAR, 0)]
    requires = [
        Relation("rpmlib(CompressedFileNames)", LESS | EQUAL, "3.0.4-1"),
        Relation("/usr/bin/tool"),
        Relation("/usr/share/tool"),
        Relation("tool", EQUAL, "1.0-1"),
        Relation("tool", EQUAL, "0.9-1"),
    ]

    found = read(rpm("tool", files=files, relations={"requires": requires})).dependencies["requires"]

    assert [(each.name, each.version) for each in found] == [("/usr/share/tool", ""), ("tool", "0.9")]


def test_of_the_c_librarys_versions_the_highest_counts() -> None:
    names = [f"libc.so.6(GLIBC_2.{minor})(64bit)" for minor in (4, 34, 9)] + ["libc.so.6()(64bit)", "libm.so.6"]
    requires = [Relation(name) for name in names]

    found = read(rpm("tool", relations={"requires": requires})).dependencies["requires"]

    assert [each.name for each in found] == ["libm.so.6", "libc.so.6(GLIBC_2.34)(64bit)"]


def test_the_ten_newest_changes_are_listed_oldest_first() -> None:
    changes = [(2_000 - number, "A <a@b.c> - 1  ", f"- {number}") for number in range(12)]

    found = read(rpm("tool", changelogs=changes)).changelogs

    assert [each.text for each in found] == [f"- {number}" for number in range(9, -1, -1)]
    assert found[0].author == "A <a@b.c> - 1"


def test_changes_of_one_day_keep_their_order() -> None:
    changes = [(1_000, "A", "third"), (1_000, "A", "second"), (1_000, "A", "first"), (900, "A", "before")]

    found = read(rpm("tool", changelogs=changes)).changelogs

    assert [(each.time, each.text) for each in found] == [
        (900, "before"),
        (1_000, "first"),
        (1_001, "second"),
        (1_002, "third"),
    ]


def test_text_in_an_old_encoding_is_read() -> None:
    content = rpm("tool", more={1011: (STRING, "Söhne")})

    assert read(content).texts["vendor"] == "Söhne"
    main = written({1000: (STRING, "a")}, MAIN).replace(b"a\0", b"\xe4\0")
    assert header.Header(main[:16], main[16:48], main[48:]).text(1000) == "ä"


# What is refused


def test_a_truncated_package_is_refused_wherever_it_ends() -> None:
    content = rpm("tool", files=[("/a", REGULAR, 0)])
    for end in range(len(content)):
        assert refused(content[:end])


def test_any_changed_byte_of_header_and_payload_is_seen() -> None:
    content = rpm("tool")
    start = read(content).header_start
    for at in range(start, len(content)):
        broken = bytearray(content)
        broken[at] ^= 1
        assert refused(bytes(broken))


def test_each_digest_is_checked_by_itself() -> None:
    main = written({1000: (STRING, "a"), 5092: (STRINGS, ["0" * 64])}, MAIN)

    assert "sha256" in refused(assembled(main, b"x", t273=(STRING, "0" * 64)))
    assert "sha1" in refused(assembled(main, b"x", t269=(STRING, "0" * 40)))
    assert "payload" in refused(assembled(main, b"x"))
    assert "md5" in refused(assembled(written({1000: (STRING, "a")}, MAIN), b"x", t1004=(BINARY, b"0" * 16)))
    assert "bytes after" in refused(assembled(main, b"x", t1000=(INT32, [7])))


def test_a_package_without_any_digest_of_its_payload_is_refused() -> None:
    assert "no digest" in refused(assembled(written({1000: (STRING, "a")}, MAIN), b"x", t1004=(BINARY, b"")))


@pytest.mark.parametrize(
    ("entries", "size"),
    [(0, 0), (header.MAX_ENTRIES + 1, 0), (0xFFFFFFFF, 16), (1, header.MAX_STORE + 1), (1, 0xFFFFFFFF)],
)
def test_a_header_of_absurd_size_is_refused_before_it_is_read(entries: int, size: int) -> None:
    assert "states a signature" in refused(LEAD + MAGIC + struct.pack(">II", entries, size) + bytes(100))


@pytest.mark.parametrize(
    "more",
    [
        {1000: (INT32, [1])},
        {1000: (STRING, "../etc")},
        {1000: (STRING, "")},
        {1001: (STRING, "1/2")},
        {1002: (STRING, "1 2")},
        {1022: (STRING, "x86-64")},
        {1006: (STRING, "yesterday")},
        {1117: (STRINGS, ["a", "b"]), 1116: (INT32, [0])},
        {1080: (INT32, [1, 2]), 1081: (STRINGS, ["a"]), 1082: (STRINGS, ["b"])},
    ],
)
def test_a_header_that_makes_no_sense_is_refused(more: dict[int, tuple[int, Any]]) -> None:
    assert refused(rpm("tool", files=[("/a", REGULAR, 0)], more=more))


def test_folders_that_are_repeated_to_an_absurd_length_are_refused() -> None:
    count = package.MAX_PATHS // 10_000 + 1
    more = {
        1118: (STRINGS, ["/" + "d" * 10_000 + "/"]),
        1116: (INT32, [0] * count),
        1117: (STRINGS, ["f"] * count),
        1030: (INT16, [REGULAR] * count),
        1037: (INT32, [0] * count),
    }

    assert "characters" in refused(rpm("tool", more=more))


def test_entries_that_point_outside_or_count_too_many_are_refused() -> None:
    for kind, offset, count in ((6, 1 << 30, 1), (8, 0, 1 << 30), (8, 0, 100), (4, 0, 100), (4, 0, 1 << 31)):
        index = struct.pack(">IIII", 1000, kind, offset, count)
        with pytest.raises(BadPackage):
            found = header.Header(bytes(16), index, b"abc\0")
            found.text(1000) if kind == 6 else found.texts(1000) if kind == 8 else found.numbers(1000)


VALID = rpm("tool", files=[("/etc/a", REGULAR, 0)], changelogs=[(1, "a", "b")])


@given(st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_broken_bytes_are_read_or_refused_and_never_crash(changes: list[tuple[int, int]]) -> None:
    broken = bytearray(VALID)
    for at, value in changes:
        broken[at] = value
    try:
        read(bytes(broken))
    except BadPackage as refusal:
        assert refusal.message


@given(st.binary(max_size=400))
def test_any_header_is_read_or_refused(index: bytes) -> None:
    index = index[: len(index) // 16 * 16]
    try:
        found = header.Header(bytes(16), index, b"text\0more\0" * 4)
        for tag in range(1000, 1120):
            for ask in (found.text, found.texts, found.numbers):
                try:
                    ask(tag)
                except BadPackage:
                    continue
    except BadPackage:
        pass


def test_signatures_and_regions_are_not_mistaken_for_content() -> None:
    assert SIGNATURE in header.read_headers(io.BytesIO(VALID)).signature
