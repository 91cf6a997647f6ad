"""apt repositories on a whole server: places, sources, settings, faults."""

from __future__ import annotations

import hashlib
import re
import tarfile
from pathlib import Path
from typing import Any

import httpx2
import pytest
from backports import zstd

from pakhus.database import assets
from pakhus.domain.repository import RepositoryType
from pakhus.formats.apt import release
from pakhus.formats.apt.compression import plain
from tests.contract.serving import ADMIN, Serving
from tests.integration.upstream import Upstream
from tests.samples import Request
from tests.samples.apt_packages import deb, dsc, tar

pytestmark = pytest.mark.asyncio(loop_scope="module")

HELLO = deb("hello", "1.0", "amd64")


async def hosted(near: Serving, name: str, **settings: Any) -> None:
    await near.create("apt", "hosted", name, **settings)


async def put(near: Serving, name: str, path: str, body: bytes) -> httpx2.Response:
    return await near.ask(name, Request("PUT", path, body))


async def listed(
    near: Serving, name: str, distribution: str = "stable", index: str = "main/binary-amd64/Packages"
) -> set[str] | None:
    """The packages of an index, read as a client does: by the hash of what the InRelease names."""
    entry = await near.get(name, f"dists/{distribution}/InRelease")
    if entry.status_code == 404:
        return None
    assert entry.status_code == 200, entry.text
    sums = entry.text.partition("SHA256:\n")[2]
    found = re.search(rf"^ ([0-9a-f]{{64}}) +\d+ {re.escape(index)}\.xz$", sums, re.M)
    if found is None:
        return set()
    folder = f"dists/{distribution}/{index.rpartition('/')[0]}"
    answer = await near.get(name, f"{folder}/by-hash/SHA256/{found[1]}")
    assert answer.status_code == 200
    assert hashlib.sha256(answer.content).hexdigest() == found[1]
    text = plain("x.xz", answer.content).decode()
    return {line.removeprefix("Package: ") for line in text.splitlines() if line.startswith("Package: ")}


async def test_the_default_distribution_can_be_updated_from_before_anything_is_in_it(near: Serving, name: str) -> None:
    await hosted(near, name, apt={"distribution": "bookworm", "architectures": ["amd64", "riscv64"]})

    assert await listed(near, name, "bookworm") == set()
    assert await listed(near, name, "bookworm", "main/binary-riscv64/Packages") == set()
    assert await listed(near, name, "stable") is None


async def test_the_last_package_leaves_an_empty_distribution(near: Serving, name: str) -> None:
    await hosted(near, name)
    await put(near, name, "pool/hello_1.0_amd64.deb", HELLO)
    assert await listed(near, name) == {"hello"}

    await near.ask(name, Request("DELETE", "pool/hello_1.0_amd64.deb"))

    assert await listed(near, name) == set()


async def test_one_file_is_listed_in_several_distributions_and_leaves_them_one_by_one(near: Serving, name: str) -> None:
    await hosted(near, name, storage={"writePolicy": "ALLOW_ONCE"})
    path = "pool/main/h/hello/hello_1.0_amd64.deb"
    for distribution in ("one", "two"):
        assert (await put(near, name, f"{path};deb.distribution={distribution}", HELLO)).status_code == 201
    again = await put(near, name, f"{path};deb.distribution=one", HELLO)
    other = await put(near, name, f"{path};deb.distribution=three", deb("hello", "1.0", "amd64", Section="other"))

    assert (again.status_code, other.status_code) == (400, 400)
    assert (await listed(near, name, "one"), await listed(near, name, "two")) == ({"hello"}, {"hello"})

    await near.ask(name, Request("DELETE", f"{path}?distribution=one"))
    assert await listed(near, name, "one") == set()
    assert await listed(near, name, "two") == {"hello"}
    gone = await near.ask(name, Request("DELETE", f"{path};deb.distribution=one"))
    assert gone.status_code == 404


async def test_the_same_version_may_differ_between_distributions(near: Serving, name: str) -> None:
    await hosted(near, name)
    for distribution in ("one", "two"):
        body = deb("hello", "1.0", "amd64", Section=distribution)
        path = f"pool/{distribution}/hello_1.0_amd64.deb;deb.distribution={distribution}"
        assert (await put(near, name, path, body)).status_code == 201

    for distribution in ("one", "two"):
        await listed(near, name, distribution)
        index = (await near.get(name, f"dists/{distribution}/main/binary-amd64/Packages")).text
        assert f"Filename: pool/{distribution}/hello_1.0_amd64.deb" in index
        assert index.count("Package: hello") == 1


async def test_a_file_that_another_package_takes_the_place_of_leaves_its_distribution(near: Serving, name: str) -> None:
    await hosted(near, name)
    await put(near, name, "pool/x.deb;deb.distribution=one", HELLO)
    assert await listed(near, name, "one") == {"hello"}

    await put(near, name, "pool/x.deb;deb.distribution=two", deb("other", "1.0", "amd64"))

    assert await listed(near, name, "one") == set()
    assert await listed(near, name, "two") == {"other"}


async def test_post_to_the_root_goes_to_the_default_distribution_as_body_or_form(near: Serving, name: str) -> None:
    await hosted(near, name, apt={"distribution": "bookworm"})
    raw = await near.http.post(near.at(name), content=HELLO, headers={"content-type": "multipart/form-data"})
    form = await near.http.post(near.at(name), files={"file": ("other_1.0_all.deb", deb("other", "1.0"))})

    assert (raw.status_code, form.status_code) == (201, 201), raw.text + form.text
    assert await listed(near, name, "bookworm") == {"hello", "other"}
    assert (await near.get(name, "pool/main/o/other/other_1.0_all.deb")).status_code == 200


async def test_the_rest_upload_takes_a_source_package_whole(near: Serving, name: str) -> None:
    await hosted(near, name)
    archive = tar({"hello-1.0/x": b"x"})
    files = {
        "apt.asset1": ("hello_1.0.dsc", dsc("hello", "1.0", {"hello_1.0.tar.xz": archive})),
        "apt.asset2": ("hello_1.0.tar.xz", archive),
    }
    url = f"{near.url}/service/rest/v1/components?repository={name}"
    answer = await near.http.post(url, files=files, data={"apt.distribution": "sid", "apt.component": "contrib"})

    assert answer.status_code == 204, answer.text
    assert await listed(near, name, "sid", "contrib/source/Sources") == {"hello"}
    found = (await near.http.get(f"{near.url}/service/rest/v1/search?repository={name}&apt.architecture=source")).json()
    assert [(each["group"], each["name"], each["version"]) for each in found["items"]] == [("source", "hello", "1.0")]


@pytest.mark.parametrize("first", ("dsc", "archive"))
async def test_a_source_is_listed_once_all_its_files_are_there(near: Serving, name: str, first: str) -> None:
    await hosted(near, name)
    original, debian = tar({"hello/x": b"x"}), tar({"debian/rules": b"r"})
    parts = {"hello_1.0.orig.tar.xz": original, "hello_1.0-1.debian.tar.xz": debian}
    control = {"hello_1.0-1.dsc": dsc("hello", "1.0-1", parts)}
    order = [*control.items(), *parts.items()] if first == "dsc" else [*parts.items(), *control.items()]
    for filename, body in order:
        assert await listed(near, name, index="main/source/Sources") == set()
        assert (await put(near, name, f"pool/main/h/hello/{filename}", body)).status_code == 201
    assert await listed(near, name, index="main/source/Sources") == {"hello"}

    await near.ask(name, Request("DELETE", "pool/main/h/hello/hello_1.0.orig.tar.xz"))
    assert await listed(near, name, index="main/source/Sources") == set()


async def test_a_file_that_the_dsc_does_not_mean_is_refused_in_either_order(near: Serving, name: str) -> None:
    await hosted(near, name)
    meant, other = tar({"hello/x": b"x"}), tar({"hello/x": b"y"})
    control = dsc("hello", "1.0", {"hello_1.0.tar.xz": meant})
    await put(near, name, "pool/a/hello_1.0.dsc", control)
    after = await put(near, name, "pool/a/hello_1.0.tar.xz", other)
    await put(near, name, "pool/b/hello_1.0.tar.xz", other)
    before = await put(near, name, "pool/b/hello_1.0.dsc", control)

    assert (after.status_code, before.status_code) == (400, 400)
    assert "hello_1.0.tar.xz" in after.text
    assert "hello_1.0.tar.xz" in before.text


async def test_installer_packages_have_an_index_of_their_own(near: Serving, name: str) -> None:
    await hosted(near, name)
    await put(near, name, "pool/main/h/hello/hello_1.0_amd64.udeb", HELLO)

    assert await listed(near, name) == set()
    assert await listed(near, name, index="main/debian-installer/binary-amd64/Packages") == {"hello"}


async def test_a_bomb_is_answered_as_a_bad_package_and_leaves_nothing(near: Serving, name: str) -> None:
    await hosted(near, name)
    whole = deb("bomb", "1.0", packing=".zst")
    huge = tarfile.TarInfo("zeros")
    huge.size = 3 << 30
    zeros = zstd.compress(huge.tobuf(tarfile.GNU_FORMAT)) + zstd.compress(bytes(1 << 30), 1) * 3
    marker = whole.index(b"data.tar.zst")
    header = f"{'data.tar.zst':<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(zeros):<10}`\n".encode()
    answer = await put(near, name, "pool/bomb.deb", whole[:marker] + header + zeros)

    assert answer.status_code == 400
    services = near.application.services
    repository = services.catalog.get(name)
    assert await services.database.read(assets.page, repository.id, name, after=0, limit=10) == []
    assert await services.stores.get("default").drafts() == 0


async def test_a_setting_that_cannot_be_is_refused(near: Serving, name: str) -> None:
    url = f"{near.url}/service/rest/v1/repositories/apt/hosted"
    for wrong in ({"distribution": "../x"}, {"distribution": "a b"}, {"architectures": ["x y"]}, {"validDays": -1},
                  {"origin": "a\nSuite: b"}):  # fmt: skip
        body = {"name": name, "online": True, "storage": {"blobStoreName": "default"}, "apt": wrong}
        assert (await near.http.post(url, json=body)).status_code == 400, wrong


async def test_a_proxy_that_enforces_its_distribution_has_no_other(near: Serving, name: str) -> None:
    await hosted(near, name)
    for distribution in ("one", "two"):
        await put(near, name, f"pool/{distribution}.deb;deb.distribution={distribution}", HELLO)
    login = {"type": "username", "username": ADMIN[0], "password": ADMIN[1]}
    proxy = f"{name}-proxy"
    settings = {"proxy": {"remoteUrl": near.at(name)}, "httpClient": {"authentication": login}}
    await near.create("apt", "proxy", proxy, apt={"distribution": "one", "enforceDistribution": True}, **settings)

    assert (await near.get(proxy, "dists/one/InRelease")).status_code == 200
    assert (await near.get(proxy, "dists/two/InRelease")).status_code == 404


async def test_a_flat_repository_is_there_when_it_is_switched_on(near: Serving, name: str) -> None:
    await hosted(near, name)
    await put(near, name, "pool/hello.deb", HELLO)
    assert (await near.get(name, "flat/InRelease")).status_code == 404

    services = near.application.services
    kept = services.catalog.get(name).settings
    body = {**kept, "name": name, "apt": {**kept["apt"], "flat": True}}
    await services.repositories.update("apt", RepositoryType.HOSTED, name, body)
    assert (await near.get(name, "flat/InRelease")).status_code == 200
    assert "Package: hello" in (await near.get(name, "flat/Packages")).text


async def test_what_rest_says_of_the_settings_can_be_sent_back(near: Serving, name: str) -> None:
    await hosted(near, name, apt={"distribution": "bookworm"})
    url = f"{near.url}/service/rest/v1/repositories/apt/hosted/{name}"
    shown = (await near.http.get(url)).json()

    assert shown["apt"]["distribution"] == "bookworm"
    assert shown["aptSigning"] is None
    assert (await near.http.put(url, json=shown)).status_code == 204
    assert (await near.http.get(url)).json() == shown


async def test_an_index_of_a_member_that_is_not_what_its_release_says_keeps_the_group_as_it_was(
    near: Serving, far: Upstream, name: str, tmp_path: Path
) -> None:
    await hosted(near, f"{name}-source")
    await put(near, f"{name}-source", "pool/hello_1.0_amd64.deb", HELLO)
    await listed(near, f"{name}-source")
    said = (await near.get(f"{name}-source", "dists/stable/InRelease")).content
    for path in ("InRelease", *(each for each in release.read(said).files if each.endswith(".xz"))):
        far.files[f"dists/stable/{path}"] = (await near.get(f"{name}-source", f"dists/stable/{path}")).content
    entry = far.files["dists/stable/InRelease"].decode()
    far.files["dists/stable/InRelease"] = entry.replace("Acquire-By-Hash: yes", "Acquire-By-Hash: no").encode()
    await near.create("apt", "proxy", f"{name}-proxy", proxy={"remoteUrl": far.url, "metadataMaxAge": 0})
    await near.create("apt", "group", f"{name}-group", group={"memberNames": [f"{name}-proxy"]})
    assert await listed(near, f"{name}-group") == {"hello"}

    far.files["dists/stable/InRelease"] += b"\n"
    far.files["dists/stable/main/binary-amd64/Packages.xz"] += b"more"

    assert await listed(near, f"{name}-group") == {"hello"}


async def test_problems_are_told_in_words(near: Serving, name: str) -> None:
    await hosted(near, name)
    answer = await put(near, name, "pool/hello_2.0_amd64.deb", HELLO)

    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/plain")
    assert "does not agree with its control file" in answer.text
