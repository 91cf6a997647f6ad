"""Yum repositories over HTTP: what is taken and where, what the metadata tells, and upstreams of several kinds."""

from __future__ import annotations

import base64
import gzip
import hashlib
import lzma
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from pakhus.engine import openpgp
from tests.contract.serving import Serving, serving
from tests.integration.upstream import Upstream, upstream
from tests.samples import Request
from tests.samples.rpm_metadata import Metadata, read
from tests.samples.rpm_packages import rpm

COMPS = """<comps><group><id>{id}</id><name>{name}</name><packagelist>
<packagereq type="default">{package}</packagereq></packagelist></group></comps>"""
MODULE = """---
document: modulemd
version: 2
data: {{name: {name}, stream: "{stream}", version: 1, context: abc, arch: noarch, summary: "{summary}"}}
...
"""
ADVISORY = """<updates><update from="a" status="final" type="security" version="1"><id>{id}</id><title>{title}</title>
<pkglist><collection><package name="{package}" version="1" release="1" epoch="0" arch="noarch">
<filename>{package}.rpm</filename></package></collection></pkglist></update></updates>"""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(tmp_path / "data") as found:
        await hosted(found)
        yield found


async def hosted(server: Serving, name: str = "hosted", **options: Any) -> None:
    await server.create("yum", "hosted", name, yum=options)


async def put(server: Serving, path: str, body: bytes | str, repository: str = "hosted") -> int:
    content = body.encode() if isinstance(body, str) else body
    return (await server.ask(repository, Request("PUT", path, content))).status_code


async def metadata(server: Serving, repository: str = "hosted", base: str = "") -> Metadata:
    async def get(path: str) -> bytes:
        answer = await server.get(repository, path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.content

    return await read(get, base)


# Hosted


async def test_an_upload_is_listed_where_it_lies_and_removed_again(server: Serving) -> None:
    assert (await metadata(server)).listed == {}

    assert await put(server, "Packages/a/alpha-1.0-1.noarch.rpm", rpm("alpha")) == 200
    assert await put(server, "odd name.rpm", rpm("beta", "2.0", epoch=3, arch="x86_64")) == 200
    assert (await metadata(server)).listed == {
        "alpha-1.0-1.noarch": "Packages/a/alpha-1.0-1.noarch.rpm",
        "beta-3:2.0-1.x86_64": "odd name.rpm",
    }

    removed = await server.ask("hosted", Request("DELETE", "odd name.rpm"))
    assert removed.status_code == 204
    assert list((await metadata(server)).listed) == ["alpha-1.0-1.noarch"]


async def test_builds_for_several_architectures_are_one_component(server: Serving) -> None:
    for arch in ("x86_64", "aarch64"):
        await put(server, f"alpha-1.0-1.{arch}.rpm", rpm("alpha", arch=arch))

    found = (await server.http.get(f"{server.url}/service/rest/v1/components?repository=hosted")).json()["items"]

    assert [(each["group"], each["name"], each["version"]) for each in found] == [(None, "alpha", "1.0-1")]
    assert {each["yum"]["architecture"] for each in found[0]["assets"]} == {"x86_64", "aarch64"}


@pytest.mark.parametrize(
    ("path", "status"), [("a/b/x.rpm", 200), ("a/b/c/x.rpm", 200), ("a/x.rpm", 400), ("x.rpm", 400)]
)
async def test_a_strict_repository_takes_what_it_can_list(server: Serving, path: str, status: int) -> None:
    await hosted(server, "deep", repodataDepth=2)

    assert await put(server, path, rpm("alpha"), "deep") == status
    assert await put(server, "a/b/notes.txt", b"text", "deep") == 400


async def test_a_permissive_repository_takes_anything_and_lists_packages_at_its_depth(server: Serving) -> None:
    await hosted(server, "deep", repodataDepth=1, deployPolicy="PERMISSIVE")
    for path in ("above.rpm", "el8/below.rpm", "el9/x86_64/below.rpm"):
        assert await put(server, path, rpm("alpha"), "deep") == 200
    assert await put(server, "el8/notes.txt", b"text", "deep") == 200

    assert (await metadata(server, "deep", "el8/")).listed == {"alpha-1.0-1.noarch": "below.rpm"}
    assert (await metadata(server, "deep", "el9/")).listed == {"alpha-1.0-1.noarch": "x86_64/below.rpm"}
    assert (await server.get("deep", "el8/notes.txt")).text == "text"
    for nowhere in ("repodata/repomd.xml", "el9/x86_64/repodata/repomd.xml", "el7/repodata/repomd.xml"):
        assert (await server.get("deep", nowhere)).status_code == 404


async def test_another_depth_holds_for_what_is_there_already(server: Serving) -> None:
    await put(server, "el8/a.rpm", rpm("alpha"))
    await hosted(server, "deep", repodataDepth=2)
    await put(server, "el8/x86_64/b.rpm", rpm("beta"), "deep")
    for name, base, listed in (("hosted", "el8/", "a.rpm"), ("deep", "el8/", "x86_64/b.rpm")):
        await server.application.services.repositories.update(
            "yum", server.application.services.catalog.get(name).type, name, {"name": name, "yum": {"repodataDepth": 1}}
        )

        assert list((await metadata(server, name, base)).listed.values()) == [listed]


@pytest.mark.parametrize(("compression", "suffix"), [("GZIP", ".xml.gz"), ("ZSTD", ".xml.zst")])
async def test_the_lists_are_compressed_as_the_repository_says(server: Serving, compression: str, suffix: str) -> None:
    await hosted(server, "other", compression=compression)
    await put(server, "a.rpm", rpm("alpha"), "other")

    found = await metadata(server, "other")

    assert all(found.names[kind].endswith(suffix) for kind in ("primary", "filelists", "other"))
    assert list(found.listed) == ["alpha-1.0-1.noarch"]


async def test_a_changed_compression_is_published_at_once(server: Serving) -> None:
    await put(server, "a.rpm", rpm("alpha"))
    await metadata(server)
    services = server.application.services
    body = {"name": "hosted", "yum": {"compression": "ZSTD"}}
    await services.repositories.update("yum", services.catalog.get("hosted").type, "hosted", body)

    assert (await metadata(server)).names["primary"].endswith(".zst")


async def test_documents_are_merged_into_the_metadata(server: Serving) -> None:
    await put(server, "repodata/comps.xml", COMPS.format(id="a", name="First", package="one"))
    await put(server, "more-comps.xml", COMPS.format(id="a", name="Second", package="two"))
    await put(server, "repodata/modules.yaml", MODULE.format(name="m", stream="1", summary="first"))
    await put(server, "x-modules.yaml.gz", gzip.compress(MODULE.format(name="m", stream="2", summary="x").encode()))
    await put(server, "updateinfo.xml.xz", lzma.compress(ADVISORY.format(id="A-1", title="t", package="one").encode()))

    found = await metadata(server)

    comps = found.files["group"].decode()
    assert comps.count("<group>") == 1
    assert all(each in comps for each in ("<name>First</name>", ">one<", ">two<"))
    assert "Second" not in comps
    assert found.files["group_gz"] == found.files["group"]
    assert found.files["modules"].decode().count("document: modulemd\n") == 2
    assert "<id>A-1</id>" in found.files["updateinfo"].decode()


async def test_a_document_is_removed_under_the_path_that_it_was_sent_to(server: Serving) -> None:
    await put(server, "repodata/comps.xml", COMPS.format(id="a", name="First", package="one"))
    assert "group" in (await metadata(server)).files

    removed = await server.ask("hosted", Request("DELETE", "repodata/comps.xml"))

    assert removed.status_code == 204
    assert "group" not in (await metadata(server)).files
    assert (await server.ask("hosted", Request("DELETE", "repodata/comps.xml"))).status_code == 404


async def test_a_document_may_be_replaced_where_packages_may_not(server: Serving) -> None:
    await server.create("yum", "hosted", "once", storage={"writePolicy": "ALLOW_ONCE"}, yum={})
    for name in ("First", "Second"):
        assert await put(server, "repodata/comps.xml", COMPS.format(id="a", name=name, package="one"), "once") == 200
    assert await put(server, "a.rpm", rpm("alpha"), "once") == 200
    assert await put(server, "a.rpm", rpm("alpha", "2.0"), "once") == 400

    assert b"<name>Second</name>" in (await metadata(server, "once")).files["group"]


async def test_the_rest_upload_takes_nexus_fields(server: Serving) -> None:
    answer = await server.http.post(
        f"{server.url}/service/rest/v1/components?repository=hosted",
        data={"yum.directory": "/Packages/", "yum.asset.filename": "alpha.rpm"},
        files={"yum.asset": ("any.rpm", rpm("alpha"))},
    )

    assert answer.status_code == 204, answer.text
    assert (await metadata(server)).listed == {"alpha-1.0-1.noarch": "Packages/alpha.rpm"}


async def test_packages_are_found_by_their_architecture(server: Serving) -> None:
    for arch in ("x86_64", "aarch64"):
        await put(server, f"alpha-{arch}.rpm", rpm(f"alpha-{arch}", arch=arch))

    found = await server.http.get(f"{server.url}/service/rest/v1/search?yum.architecture=aarch64")

    assert [each["name"] for each in found.json()["items"]] == ["alpha-aarch64"]


async def rest(server: Serving, method: str, path: str, json: Any = None) -> httpx2.Response:
    return await server.http.request(method, f"{server.url}/service/rest/v1/repositories/yum/{path}", json=json)


async def test_the_rest_api_takes_and_shows_nexus_settings(server: Serving) -> None:
    storage = {"blobStoreName": "default", "strictContentTypeValidation": True, "writePolicy": "ALLOW_ONCE"}
    body = {"name": "made", "online": True, "storage": storage, "yum": {"repodataDepth": 10, "deployPolicy": "STRICT"}}

    made = await rest(server, "POST", "hosted", body)
    assert (made.status_code, made.content) == (201, b"")
    shown = (await rest(server, "GET", "hosted/made")).json()["yum"]
    assert (shown["repodataDepth"], shown["deployPolicy"]) == (10, "STRICT")

    for wrong in ({"repodataDepth": -1}, {"deployPolicy": "LAX"}, {"compression": "LZMA"}):
        assert (await rest(server, "PUT", "hosted/made", {**body, "yum": wrong})).status_code == 400


def verified(folder: Path, key: bytes, signature: bytes, content: bytes) -> str:
    """What gpgv says of a detached signature, for which the key must be the only one."""
    armored = key.decode().partition("\n\n")[2].partition("\n=")[0].partition("-----END")[0]
    for name, body in (("key", base64.b64decode(armored)), ("signature", signature), ("content", content)):
        (folder / name).write_bytes(body)
    command = ["gpgv", "--keyring", *(str(folder / name) for name in ("key", "signature", "content"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


async def test_metadata_are_signed_by_the_key_that_an_administrator_brings(server: Serving, tmp_path: Path) -> None:
    pair = {"keypair": str(openpgp.generated("Packagers <p@example.org>", "ed25519")), "passphrase": ""}
    storage = {"blobStoreName": "default", "strictContentTypeValidation": True, "writePolicy": "ALLOW"}
    common = {"online": True, "storage": storage, "yumSigning": pair}
    hosted = {"name": "signed", "yum": {"repodataDepth": 0, "deployPolicy": "STRICT"}, **common}
    assert (await rest(server, "POST", "hosted", hosted)).status_code == 201
    group = {"name": "signed-group", "group": {"memberNames": ["signed"]}, **common}
    assert (await rest(server, "POST", "group", group)).status_code == 201
    assert "BEGIN" not in (await rest(server, "GET", "hosted/signed")).text

    keys = {(await server.get(name, "repodata/repomd.xml.key")).text for name in ("signed", "signed-group")}
    assert len(keys) == 1
    assert "PUBLIC KEY" in keys.pop()
    for name in ("signed", "signed-group"):
        names = ("repomd.xml.key", "repomd.xml", "repomd.xml.asc")
        files = [(await server.get(name, f"repodata/{each}")).content for each in names]
        assert "Packagers <p@example.org>" in verified(tmp_path, files[0], files[2], files[1])


# Groups


async def test_a_group_has_the_first_of_what_two_members_have(server: Serving) -> None:
    await hosted(server, "second")
    await server.create("yum", "group", "group", group={"memberNames": ["hosted", "second"]})
    await put(server, "same.rpm", rpm("alpha"))
    await put(server, "same.rpm", rpm("beta"), "second")
    await put(server, "elsewhere.rpm", rpm("alpha", payload=b"another build"), "second")
    await put(server, "only.rpm", rpm("gamma"), "second")
    await put(server, "updateinfo.xml", ADVISORY.format(id="A-1", title="first", package="one"))
    await put(server, "updateinfo.xml", ADVISORY.format(id="A-1", title="second", package="two"), "second")

    found = await metadata(server, "group")

    assert found.listed == {"alpha-1.0-1.noarch": "same.rpm", "gamma-1.0-1.noarch": "only.rpm"}
    updates = found.files["updateinfo"].decode()
    assert updates.count("<update ") == 1
    assert all(each in updates for each in (">first<", 'name="one"', 'name="two"'))
    for path in found.listed.values():
        assert (await server.get("group", path)).status_code == 200


@pytest.fixture
async def far() -> AsyncIterator[Upstream]:
    async with upstream() as made:
        yield made


def published(packages: dict[str, bytes], *, comment: bool = False, name: str = "alpha") -> dict[str, bytes]:
    """What a simple generator has: names without digests, sha1, quotes of the other kind, perhaps comments."""
    digest = hashlib.sha1(packages["a.rpm"]).hexdigest()
    note = "<!-- made by hand -->" if comment else ""
    description = "<![CDATA[1 < 2 & </package>]]>" if comment else "1 &lt; 2 &amp; &lt;/package>"
    lists = {
        "primary": f"""<?xml version='1.0'?><metadata xmlns='http://linux.duke.edu/metadata/common'
xmlns:rpm='http://linux.duke.edu/metadata/rpm' packages='1'>{note}<package type='rpm'>
<name>{name}</name><arch>noarch</arch>
<version epoch='0' ver='1.0' rel='1'/><checksum type='sha' pkgid='YES'>{digest}</checksum><summary>s</summary>
<description>{description}</description><packager/><location href='a.rpm'/><format><rpm:license>MIT</rpm:license>
<rpm:unknown attribute='kept'/></format></package></metadata>""",
        "filelists": f"""<filelists xmlns='http://linux.duke.edu/metadata/filelists' packages='1'>
<package pkgid='{digest}' name='{name}' arch='noarch'>
<version epoch='0' ver='1.0' rel='1'/><file>/a &amp; b</file></package></filelists>""",
        "other": f"""<otherdata xmlns='http://linux.duke.edu/metadata/other' packages='1'>
<package pkgid='{digest}' name='{name}' arch='noarch'><version epoch='0' ver='1.0' rel='1'/></package></otherdata>""",
    }
    files = {f"repodata/{kind}.xml": text.encode() for kind, text in lists.items()} | packages
    data = "".join(
        f"<data type='{kind}'><checksum type='sha'>{hashlib.sha1(files[f'repodata/{kind}.xml']).hexdigest()}</checksum>"
        f"<location href='repodata/{kind}.xml'/></data>"
        for kind in lists
    )
    files["repodata/repomd.xml"] = f"<repomd xmlns='http://linux.duke.edu/metadata/repo'>{data}</repomd>".encode()
    return files


async def grouped(server: Serving, remote: str, **proxy: Any) -> None:
    await server.create("yum", "proxy", "proxy", proxy={"remoteUrl": remote, **proxy}, negativeCache={"enabled": False})
    await server.create("yum", "group", "group", group={"memberNames": ["hosted", "proxy"]})


@pytest.mark.parametrize("comment", [False, True])
async def test_a_group_tells_of_an_upstreams_package_what_the_upstream_does(
    server: Serving, far: Upstream, comment: bool
) -> None:
    far.files = published({"a.rpm": rpm("alpha")}, comment=comment)
    await grouped(server, far.url)
    await put(server, "b.rpm", rpm("beta"))

    found = await metadata(server, "group")

    assert set(found.listed) == {"alpha-1.0-1.noarch", "beta-1.0-1.noarch"}
    alpha = found.packages()[0]
    assert alpha.findtext("{*}description") == "1 < 2 & </package>"
    unknown = alpha.find("{*}format/{*}unknown")
    assert unknown is not None
    assert unknown.attrib == {"attribute": "kept"}
    assert [each.text for each in found.packages("filelists")[0].iterfind("{*}file")] == ["/a & b"]
    assert (await server.get("group", "a.rpm")).content == far.files["a.rpm"]


async def test_a_group_goes_on_with_what_it_has_when_an_upstream_turns_bad(server: Serving, far: Upstream) -> None:
    far.files = published({"a.rpm": rpm("alpha")})
    await grouped(server, far.url, metadataMaxAge=0)
    await put(server, "b.rpm", rpm("beta"))
    before = await metadata(server, "group")

    far.files["repodata/primary.xml"] += b" "
    far.files["repodata/repomd.xml"] += b"\n"
    await put(server, "c.rpm", rpm("gamma"))

    assert (await metadata(server, "group")).listed == before.listed


@pytest.mark.parametrize(
    "entry",
    [b"no xml", b"<repomd/>", b'<!DOCTYPE r [<!ENTITY a "b">]><repomd/>', b"<repomd><data type='primary'/></repomd>"],
)
async def test_an_upstream_without_usable_metadata_is_an_error_and_no_empty_list(
    server: Serving, far: Upstream, entry: bytes
) -> None:
    far.files = {"repodata/repomd.xml": entry}
    await grouped(server, far.url)

    assert (await server.get("group", "repodata/repomd.xml")).status_code == 503


# Proxies


@pytest.mark.parametrize("folder", ["", "el/9/"])
async def test_a_package_that_is_not_what_the_list_promises_is_not_kept(
    server: Serving, far: Upstream, folder: str
) -> None:
    far.files = {folder + path: body for path, body in published({"a.rpm": rpm("alpha")}).items()}
    far.files |= {f"{folder}a.rpm": rpm("alpha", payload=b"another"), f"{folder}new.rpm": rpm("new")}
    await grouped(server, far.url)

    answer = await server.get("proxy", f"{folder}new.rpm")
    assert answer.content == far.files[f"{folder}new.rpm"]
    with pytest.raises(httpx2.RemoteProtocolError):
        await server.get("proxy", f"{folder}a.rpm")

    far.files[f"{folder}a.rpm"] = rpm("alpha")
    assert (await server.get("proxy", f"{folder}a.rpm")).content == rpm("alpha")


async def test_a_package_that_brings_a_newer_entry_brings_its_signature(server: Serving, far: Upstream) -> None:
    far.files = published({"a.rpm": rpm("alpha")}) | {"repodata/repomd.xml.asc": b"first"}
    await grouped(server, far.url)
    assert (await server.get("proxy", "repodata/repomd.xml.asc")).content == b"first"
    far.files |= {"repodata/repomd.xml": far.files["repodata/repomd.xml"] + b"\n", "repodata/repomd.xml.asc": b"second"}
    await server.application.services.repositories.invalidate("proxy")

    await server.get("proxy", "a.rpm")

    assert (await server.get("proxy", "repodata/repomd.xml")).content == far.files["repodata/repomd.xml"]
    assert (await server.get("proxy", "repodata/repomd.xml.asc")).content == b"second"


async def test_a_package_is_proxied_from_an_upstream_without_lists(server: Serving, far: Upstream) -> None:
    far.files = {"x/a.rpm": rpm("alpha"), "repodata/repomd.xml": b"not to be read"}
    await grouped(server, far.url)

    assert (await server.get("proxy", "x/a.rpm")).content == rpm("alpha")


async def test_a_mirrorlist_is_followed_to_a_mirror_that_answers(server: Serving, far: Upstream) -> None:
    far.files = {f"pub/{path}": body for path, body in published({"a.rpm": rpm("alpha")}).items()}
    lines = ("# a comment", "ftp://example.org/", f"{far.url}gone/", f"{far.url}pub")
    far.files["mirrorlist"] = "\n".join(lines).encode()
    await grouped(server, f"{far.url}mirrorlist?repo=a&arch=noarch")

    assert (await server.get("proxy", "a.rpm")).content == far.files["pub/a.rpm"]
    assert (await metadata(server, "group")).listed == {"alpha-1.0-1.noarch": "a.rpm"}


def metalinked(far: Upstream, entry: bytes, *folders: str) -> bytes:
    urls = "".join(
        f"<url protocol='http' preference='{90 - at}'>{far.url}{folder}/repodata/repomd.xml</url>"
        for at, folder in enumerate(folders)
    )
    return f"""<metalink version='3.0' xmlns='http://www.metalinker.org/'><files><file name='repomd.xml'>
<verification><hash type='sha256'>{hashlib.sha256(entry).hexdigest()}</hash></verification>
<resources>{urls}<url protocol='rsync'>rsync://example.org/repodata/repomd.xml</url></resources></file></files></metalink>
""".encode()


async def test_a_metalink_keeps_mirrors_away_that_lag_behind(server: Serving, far: Upstream) -> None:
    now, old = published({"a.rpm": rpm("alpha")}), published({"a.rpm": rpm("alpha", "0.9")}, name="old")
    far.files = {f"good/{path}": body for path, body in now.items()} | {
        f"bad/{path}": body for path, body in old.items()
    }
    far.files |= {"good/repodata/repomd.xml.asc": b"now", "bad/repodata/repomd.xml.asc": b"then"}
    far.files["metalink"] = metalinked(far, now["repodata/repomd.xml"], "bad", "good")
    await grouped(server, f"{far.url}metalink?repo=a")

    assert (await server.get("proxy", "repodata/repomd.xml")).content == now["repodata/repomd.xml"]
    assert (await server.get("proxy", "repodata/repomd.xml.asc")).content == b"now"
    assert list((await metadata(server, "group")).listed) == ["alpha-1.0-1.noarch"]


async def test_no_mirror_that_is_good_is_an_error(server: Serving, far: Upstream) -> None:
    far.files = {f"bad/{path}": body for path, body in published({"a.rpm": rpm("alpha")}).items()}
    far.files["metalink"] = metalinked(far, b"another one", "bad")
    await grouped(server, f"{far.url}metalink?repo=a")

    assert (await server.get("proxy", "repodata/repomd.xml")).status_code == 503
