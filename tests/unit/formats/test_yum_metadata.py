"""The metadata of RPM repositories: cutting lists, merging documents, mirrors, and where uploads belong."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
from collections.abc import Iterable
from xml.etree.ElementTree import fromstring
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain.errors import BadPackage, Invalid, UpstreamRefused
from pakhus.formats.yum import advisories, compressed, comps, documents, index, mirrors, modules, slices, upstream
from pakhus.formats.yum.elements import escaped
from pakhus.formats.yum.layout import HostedOptions, admitted, bases, document_kind, identified, namespace
from pakhus.formats.yum.listed import Held, Identity, kept_of
from pakhus.formats.yum.package import read_package
from pakhus.kit.compressed import zstd
from tests.samples.rpm_packages import Relation, rpm

PREFIXES = {"urn:a": "", "urn:r": "rpm"}
ROOT = "<list xmlns='urn:a' xmlns:rpm='urn:r'>"

# Lists


def cut(text: str, *, step: int = 7) -> list[str]:
    content = text.encode()

    def chunks() -> Iterable[bytes]:
        return (content[at : at + step] for at in range(0, len(content), step))

    return [each.decode() for each in slices.elements(chunks, "package", PREFIXES)]


@pytest.mark.parametrize("step", [1, 2, 5, 1000])
def test_elements_are_cut_out_as_they_are(step: int) -> None:
    one = """<package a="x>y" b='/>' ><packager/><packaged></packaged> <rpm:e n="&lt;package&gt;"/></package >"""
    text = f"<?xml version='1.0' encoding='utf-8'?>\n{ROOT}\n{one}\n<packages/><package/>{one}</list>\n"

    assert cut(text, step=step) == [one, "<package/>", one]


@pytest.mark.parametrize(
    "special",
    [
        "<!-- </package> -->",
        "<![CDATA[</package><package>]]>",
        "<?target </package>?>",
        "<o:e xmlns:o='urn:r'/>",
        "<rpm:e xmlns:rpm='urn:r'/>",
        "<x xmlns=''/>",
    ],
)
def test_what_cannot_be_cut_is_rebuilt(special: str) -> None:
    text = f"{ROOT}<package>1</package><package a='&quot;&#10;'>{special}<b>t</b></package><package>3</package></list>"

    found = cut(text)

    assert len(found) == 3
    assert found[0] == "<package>1</package>"
    rebuilt = fromstring(f"{ROOT}{found[1]}</list>")[0]
    assert rebuilt.get("a") == '"\n'
    assert rebuilt.findtext("{*}b") == "t"
    assert found[2] == "<package>3</package>"


def test_other_encodings_are_rebuilt_as_utf_8() -> None:
    text = "<?xml version='1.0' encoding='{}'?>" + ROOT + "<package>ä</package></list>"
    for encoding in ("iso-8859-1", "utf-16"):
        content = text.format(encoding).encode(encoding)
        found = list(slices.elements(lambda content=content: [content], "package", PREFIXES))  # type: ignore[misc]
        assert [fromstring(ROOT + each.decode() + "</list>")[0].text for each in found] == ["ä"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<list",
        "<list><package></list>",
        "<list><package/>",
        "<!DOCTYPE list [<!ENTITY a 'b'>]><list><package>&a;</package></list>",
        "<!DOCTYPE list SYSTEM 'http://example.org/'><list/>",
        "<list><undeclared:package/></list>",
    ],
)
def test_a_malformed_or_hostile_list_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        cut(text)


@given(
    st.lists(
        st.tuples(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"))), st.booleans()), max_size=5
    ),
    st.integers(1, 50),
)
def test_cutting_loses_nothing(texts: list[tuple[str, bool]], step: int) -> None:
    legal = [(escaped_twice(text), quoted) for text, quoted in texts]
    body = "".join(
        f"<package a={quoteattr(text)}>{escape(text)}</package>" if full else f"<package a={quoteattr(text)} />"
        for text, full in legal
    )

    found = [fromstring(f"{ROOT}{each}</list>")[0] for each in cut(f"{ROOT}{body}</list>", step=step)]

    assert [(each.get("a"), each.text or "") for each in found] == [
        (text, text if full else "") for text, full in legal
    ]


def escaped_twice(text: str) -> str:
    """Without what XML cannot carry."""
    return fromstring(f"<a>{escaped(text)}</a>").text or ""


@given(st.text())
def test_any_text_can_stand_in_the_lists(text: str) -> None:
    element = fromstring(f'<a b="{escaped(text)}">{escaped(text)}</a>'.encode("utf-8", "surrogatepass"))

    assert (element.text or "").replace("\r", "") == "".join(c for c in element.text or "" if c != "\r")


# Packages


def test_a_kept_package_is_listed_as_it_was_read() -> None:
    package = read_package(io.BytesIO(rpm("ab", relations={"requires": [Relation('x<"y">&')]})))
    xml = base64.b64decode(kept_of(package)["xml"])
    held = Held(Identity("ab", "0", "1.0", "1", "noarch"), 'p<"/a.rpm', "f" * 64, 10, 20, 30, 40, 50, xml)

    fragments = held.fragments()

    root = fromstring(b"<m xmlns:rpm='urn:r'>" + fragments.primary + b"</m>")
    location, entry = root.find("package/location"), root.find("package/format/{urn:r}requires/{urn:r}entry")
    assert location is not None
    assert location.attrib == {"href": 'p<"/a.rpm'}
    assert entry is not None
    assert entry.attrib == {"name": 'x<"y">&'}
    for each in (fragments.filelists, fragments.other):
        assert fromstring(each).get("pkgid") == "f" * 64


def test_an_upstreams_package_without_what_identifies_it_is_refused() -> None:
    body = f"<metadata xmlns='{index.COMMON}'><package><name>a</name></package></metadata>".encode()
    with pytest.raises(Invalid):
        list(upstream._packages(body, {}))


@pytest.mark.parametrize(
    "location",
    [
        "href='../../x'",
        "href='repodata/../x'",
        "href='/etc/passwd'",
        "href='other/x'",
        "xml:base='http://a/' href='repodata/x'",
    ],
)
def test_files_outside_of_an_upstreams_metadata_are_not_asked_for(location: str) -> None:
    entry = f"<repomd><data type='primary'><checksum type='sha256'>0</checksum><location {location}/></data></repomd>"

    assert upstream.records(entry.encode()) == {}


# Compression


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress, zstd.compress, bytes])
def test_documents_of_every_compression_are_unpacked(pack: object) -> None:
    content = b"<text/>" * 100_000

    assert compressed.whole(pack(content), 1 << 20) == content  # type: ignore[operator]


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress, zstd.compress])
def test_a_bomb_is_stopped_and_a_truncated_document_refused(pack: object) -> None:
    bomb = pack(bytes(50 << 20))  # type: ignore[operator]

    with pytest.raises(Invalid, match="unpacks to more"):
        compressed.whole(bomb, 1 << 20)
    with pytest.raises(Invalid):
        compressed.whole(bomb[:-10], 1 << 30)


# Documents


def test_groups_of_one_id_get_the_packages_of_all() -> None:
    def body(name: str, *packages: str) -> bytes:
        entries = "".join(f"<packagereq type='default'>{each}</packagereq>" for each in packages)
        return (
            f"<comps><group><id>g</id><name>{name}</name><name xml:lang='de'>D</name>"
            f"<packagelist>{entries}</packagelist></group><environment><id>e</id><grouplist><groupid>{name}</groupid></grouplist></environment>"
            f"<langpacks><match name='{name}' install='x-%s'/></langpacks></comps>"
        ).encode()

    root = fromstring(comps.merged([body("first", "a", "b"), body("second", "b", "c")]))

    assert [each.text for each in root.iterfind("group/name")] == ["first", "D"]
    assert [each.text for each in root.iter("packagereq")] == ["a", "b", "c"]
    assert [each.text for each in root.iter("groupid")] == ["first", "second"]
    assert [each.get("name") for each in root.iter("match")] == ["first", "second"]


def module(kind: str = "modulemd", **about: str) -> str:
    return f"document: {kind}\nversion: 2\ndata:\n" + "".join(f'  {name}: "{value}"\n' for name, value in about.items())


def test_modules_are_kept_as_written_and_the_first_of_each_counts() -> None:
    one, two = module(name="a", stream="1", note="first"), module(name="a", stream="2")
    defaults = module("modulemd-defaults", module="a", stream="1")
    streams = [f"---\n{one}...\n---\n{defaults}", f"{module(name='a', stream='1', note='second')}---\n{two}"]

    merged = modules.merged([each.encode() for each in streams]).decode()

    assert [text for _, text in modules.checked(merged.encode())] == [
        each.rstrip("\n") for each in (one, defaults, two)
    ]


def test_a_mark_within_a_text_does_not_divide_a_document() -> None:
    text = module(name="a", stream="1") + "  description: >-\n    ---\n    a --- b\n"

    assert len(modules.checked(text.encode())) == 1


def test_advisories_of_one_id_list_the_packages_of_all() -> None:
    def body(title: str, *packages: str) -> bytes:
        entries = "".join(f"<collection><package name='{each}'/></collection>" for each in packages)
        update = f"<id>A &amp; 1</id><title>{title}</title><pkglist>{entries}</pkglist>"
        return f"<updates><update>{update}</update></updates>".encode()

    merged = advisories.merged([body("first", "a"), body("second", "a", "b"), body("first", "a")])

    (update,) = fromstring(merged)
    assert update.findtext("title") == "first"
    assert [each.get("name") for each in update.iter("package")] == ["a", "b"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("group", b"<comps><group/></comps>"),
        ("group", b"<other/>"),
        ("modules", b""),
        ("modules", b"--- []"),
        ("modules", b"document: modulemd\n"),
        ("modules", b"\xff"),
        ("updateinfo", b"<updates><update/></updates>"),
        ("updateinfo", b"<other/>"),
    ],
)
def test_a_document_of_another_kind_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(BadPackage):
        documents.kept_of(kind, body)


# Mirrors


def test_a_mirrorlist_is_read_line_by_line() -> None:
    body = (
        b"# comment\nhttps://a.example/x\n\nrsync://b.example/x/\nhttp://c.example/y/\nhttps://d.example/$basearch/\n"
    )

    assert mirrors.MirrorDocument().parse(None, body).urls == ["https://a.example/x/", "http://c.example/y/"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "body",
    [
        b"""<metalink xmlns="http://www.metalinker.org/" xmlns:mm0="http://fedorahosted.org/mirrormanager"><files>
<file name="repomd.xml"><mm0:alternates><mm0:alternate><verification><hash type="sha256">BB</hash></verification>
</mm0:alternate></mm0:alternates><verification><hash type="md5">0</hash><hash type="sha256">AA</hash></verification>
<resources><url preference="5">http://b.example/repodata/repomd.xml</url>
<url preference="90">https://a.example/repodata/repomd.xml</url><url>https://c.example/other</url></resources>
</file></files></metalink>""",
        b"""<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="repomd.xml"><hash type="sha-256">aa</hash>
<hash type="sha-256">bb</hash><url priority="2">http://b.example/repodata/repomd.xml</url>
<url priority="1">https://a.example/repodata/repomd.xml</url></file></metalink>""",
    ],
)
def test_metalinks_of_both_kinds_are_read(body: bytes) -> None:
    found = mirrors.MirrorDocument().parse(None, body)  # type: ignore[arg-type]

    assert found == mirrors.Mirrors(["https://a.example/", "http://b.example/"], frozenset({"aa", "bb"}))


@pytest.mark.parametrize(
    "body", [b"", b"# nothing\n", b"<html/>", b"<metalink/>", b"<metalink><file name='other'/></metalink>"]
)
def test_a_list_without_mirrors_is_refused(body: bytes) -> None:
    with pytest.raises(UpstreamRefused):
        mirrors.MirrorDocument().parse(None, body)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("https://example.org/pub/fedora/", False),
        ("https://example.org/pub/fedora", False),
        ("https://example.org/mirrors/fedora/", False),
        ("https://example.org/metalink?repo=a&arch=b", True),
        ("https://example.org/mirrorlist/9/BaseOS", True),
        ("https://example.org/x86_64/mirrorlist", True),
        ("https://example.org/?release=9&repo=os", False),
        ("https://example.org/list?release=9&repo=os", True),
    ],
)
def test_a_list_of_mirrors_is_told_from_a_folder_by_its_url(url: str, answer: bool) -> None:
    assert mirrors.is_list(url) is answer


# Places


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("comps.xml", "group"),
        ("c9-comps.xml", "group"),
        ("comps-BaseOS.x86_64.xml.gz", "group"),
        ("modules.yaml", "modules"),
        ("abc-modules.yml.zst", "modules"),
        ("updateinfo.xml.xz", "updateinfo"),
        ("compsx.xml", ""),
        ("primary.xml.gz", ""),
        ("comps.xml.asc", ""),
    ],
)
def test_documents_are_known_by_their_names(name: str, kind: str) -> None:
    assert document_kind(name) == kind


def test_a_document_sent_into_repodata_lies_beside_it() -> None:
    assert admitted("el9/repodata/comps.xml", HostedOptions(repodata_depth=1)).path == "el9/comps.xml"


def test_folders_are_told_from_the_root_on() -> None:
    assert list(bases("a/b/c.rpm")) == ["", "a/", "a/b/"]
    assert list(bases("c.rpm")) == [""]
    assert [namespace("a/b/c.rpm", HostedOptions(repodata_depth=depth)) for depth in (0, 1, 2)] == ["", "a", "a"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [("p/tool-more-1.0~rc1-2.el9.x86_64.rpm", ("tool-more", "1.0~rc1-2.el9")), ("tool.rpm", None), ("a.txt", None)],
)
def test_a_file_name_tells_the_package(path: str, expected: tuple[str, str] | None) -> None:
    found = identified(path)

    assert (None if found is None else (found.name, found.version)) == expected
