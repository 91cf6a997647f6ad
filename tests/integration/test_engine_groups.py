"""What groups show to whom, what policies let in, and who wins."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from pakhus.database import accounts, assets, repositories
from pakhus.database.repositories import described
from pakhus.domain.repository import RepositoryType
from tests.contract.serving import Serving
from tests.integration.upstream import Upstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>org</groupId><artifactId>a</artifactId><version>{}</version></project>"""


async def hosted(near: Serving, name: str, *paths: str, format: str = "raw", **body: Any) -> str:
    await near.create(format, "hosted", name, **body)
    for path in paths:
        assert (await near.http.put(near.at(name, path), content=name.encode())).status_code == 201
    return name


async def group(near: Serving, name: str, *members: str, **body: Any) -> str:
    await near.create(body.pop("format", "raw"), "group", name, group={"memberNames": list(members), **body})
    return name


async def change(near: Serving, type: str, name: str, **body: Any) -> None:
    services = near.application.services
    kept = services.catalog.get(name)
    await services.repositories.update(kept.format, RepositoryType(type), name, {**kept.settings, "name": name, **body})


@asynccontextmanager
async def user(near: Serving, *privileges: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of somebody who has just these rights."""
    name, password = f"u{secrets.token_hex(6)}", secrets.token_urlsafe(12)
    services = near.application.services
    hashed = await services.passwords.hash(password)

    def add(tx: Any) -> None:
        accounts.put_role(tx, accounts.Role(name, name, privileges=privileges))
        accounts.put_user(
            tx, accounts.User(name, "default", name, "", f"{name}@example.org", "active", hashed, (name,))
        )

    await services.database.write(add)
    async with httpx2.AsyncClient(auth=(name, password), timeout=60, trust_env=False) as http:
        yield http


def view(repository: str, actions: str = "read", format: str = "raw") -> tuple[str, ...]:
    return tuple(f"nx-repository-view-{format}-{repository}-{action}" for action in actions.split(","))


# -- members -------------------------------------------------------------------------------------------------------


async def test_the_first_member_that_has_a_file_gives_it(near: Serving, name: str) -> None:
    first, second = await hosted(near, f"{name}-1", "x"), await hosted(near, f"{name}-2", "x", "y")
    await group(near, name, first, second)
    assert (await near.get(name, "x")).text == first
    assert (await near.get(name, "y")).text == second
    await change(near, "group", name, group={"memberNames": [second, first]})
    assert (await near.get(name, "x")).text == second


async def test_a_member_that_is_offline_is_passed_over(near: Serving, name: str) -> None:
    first, second = await hosted(near, f"{name}-1", "x"), await hosted(near, f"{name}-2", "x")
    await group(near, name, first, second)
    await change(near, "hosted", first, online=False)
    assert (await near.get(first, "x")).status_code == 503
    assert (await near.get(name, "x")).text == second
    await change(near, "hosted", first, online=True)
    assert (await near.get(name, "x")).text == first


@pytest.mark.parametrize("method", ("GET", "HEAD", "PUT", "DELETE"))
async def test_a_repository_that_is_offline_answers_503(near: Serving, name: str, method: str) -> None:
    await hosted(near, name, "x", online=True)
    await change(near, "hosted", name, online=False)
    assert (await near.http.request(method, near.at(name, "x"))).status_code == 503


async def test_a_member_in_trouble_is_not_taken_for_one_without_the_file(
    near: Serving, far: Upstream, name: str
) -> None:
    await near.create("raw", "proxy", f"{name}-proxy", proxy={"remoteUrl": far.url}, httpClient={"autoBlock": False})
    behind = await hosted(near, f"{name}-1", "x")
    await group(near, name, f"{name}-proxy", behind)
    far.answers(500)
    assert (await near.get(name, "x")).text == behind
    assert (await near.get(name, "absent")).status_code == 503
    far.handler = None
    assert (await near.get(name, "absent")).status_code == 404


async def test_a_group_that_comes_to_contain_itself_still_answers(near: Serving, name: str) -> None:
    """The API refuses circles, but two changes at the same moment, or a restored database, may make one."""
    leaf = await hosted(near, f"{name}-1", "x")
    inner = await group(near, f"{name}-inner", leaf)
    outer = await group(near, f"{name}-outer", inner)
    circle = {"group": {"memberNames": [outer, leaf]}}
    with pytest.raises(Exception, match="cannot be added"):
        await change(near, "group", inner, **circle)
    await force(near, inner, [outer, leaf])
    for start in (inner, outer):
        assert (await near.get(start, "x")).text == leaf
        assert (await near.get(start, "absent")).status_code == 404
        assert (await near.get(start, "")).status_code == 200


async def force(near: Serving, name: str, members: list[str]) -> None:
    services = near.application.services
    kept = services.catalog.get(name)
    settings = {**kept.settings, "group": {"memberNames": members}}
    changed = described(name, kept.format, kept.type, settings, id=kept.id)
    await services.database.write(repositories.change, changed, settings)
    await services.catalog.refresh()


# -- rights --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", (1, 2))
async def test_a_right_to_the_group_is_no_right_to_its_members(near: Serving, name: str, depth: int) -> None:
    """Neither in files, nor in documents, nor in listings."""
    open_, closed = f"{name}-open", f"{name}-closed"
    for repository, version in ((open_, "1.0"), (closed, "2.0")):
        await near.create("maven2", "hosted", repository, maven={"versionPolicy": "MIXED"})
        pom = POM.format(version).encode()
        path = f"org/a/{version}/a-{version}.pom"
        assert (await near.http.put(near.at(repository, path), content=pom)).status_code == 201
    outer = await group(near, f"{name}-g", open_, closed, format="maven2")
    inside = view(outer, "read,browse", "maven2")
    if depth == 2:
        outer = await group(near, f"{name}-gg", outer, format="maven2")
        inside += view(outer, "read,browse", "maven2")
    async with user(near, *inside, *view(open_, "read,browse", "maven2")) as http:
        assert (await http.get(near.at(outer, "org/a/1.0/a-1.0.pom"))).status_code == 200
        assert (await http.get(near.at(outer, "org/a/2.0/a-2.0.pom"))).status_code == 404
        document = (await http.get(near.at(outer, "org/a/maven-metadata.xml"))).text
        assert "1.0" in document
        assert "2.0" not in document
        assert "2.0" not in (await http.get(near.at(outer, "org/a/"))).text
    assert "2.0" in (await near.get(outer, "org/a/maven-metadata.xml")).text


async def test_a_folder_of_a_group_lists_what_may_be_browsed(near: Serving, name: str) -> None:
    open_, closed = await hosted(near, f"{name}-1", "f/open"), await hosted(near, f"{name}-2", "f/closed")
    await group(near, name, open_, closed)
    async with user(near, *view(name, "read,browse"), *view(open_, "read,browse")) as http:
        listing = (await http.get(near.at(name, "f/"))).text
        assert "open" in listing
        assert "closed" not in listing
        assert (await http.get(near.at(name, "f/closed"))).status_code == 404
    assert "closed" in (await near.get(name, "f/")).text


async def test_a_right_to_the_member_is_no_right_to_the_group(near: Serving, name: str) -> None:
    member = await hosted(near, f"{name}-1", "x")
    await group(near, name, member)
    async with user(near, *view(member, "read,browse")) as http:
        assert (await http.get(near.at(member, "x"))).status_code == 200
        assert (await http.get(near.at(name, "x"))).status_code == 403


@pytest.mark.parametrize("both", (True, False))
@pytest.mark.parametrize("method", ("PUT", "DELETE"))
async def test_writing_through_a_group_takes_rights_on_both(near: Serving, name: str, method: str, both: bool) -> None:
    member = await hosted(near, f"{name}-1", "x")
    await group(near, name, member, writableMember=member)
    for only in (name, member):
        async with user(near, *view(only, "read,add,edit,delete")) as http:
            assert (await http.request(method, near.at(name, "x"), content=b"mine")).status_code == 403
    assert (await near.get(member, "x")).text == member
    if both:
        rights = view(name, "read,add,edit,delete") + view(member, "read,add,edit,delete")
        async with user(near, *rights) as http:
            assert (await http.request(method, near.at(name, "x"), content=b"mine")).status_code in (201, 204)
        assert (await near.get(member, "x")).status_code == (200 if method == "PUT" else 404)


async def test_adding_is_not_changing(near: Serving, name: str) -> None:
    await hosted(near, name, "x")
    async with user(near, *view(name, "read,add")) as http:
        assert (await http.put(near.at(name, "y"), content=b"new")).status_code == 201
        assert (await http.put(near.at(name, "x"), content=b"new")).status_code == 403
        assert (await http.delete(near.at(name, "x"))).status_code == 403
    async with user(near, *view(name, "read,edit")) as http:
        assert (await http.put(near.at(name, "x"), content=b"new")).status_code == 201
        assert (await http.put(near.at(name, "z"), content=b"new")).status_code == 403


# -- policies ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "first", "second", "delete"),
    [("ALLOW", 201, 201, 204), ("ALLOW_ONCE", 201, 400, 204), ("DENY", 400, 400, 400)],
)
async def test_the_write_policy_decides(
    near: Serving, name: str, policy: str, first: int, second: int, delete: int
) -> None:
    await hosted(near, name, storage={"writePolicy": policy})
    assert (await near.http.put(near.at(name, "x"), content=b"1")).status_code == first
    assert (await near.http.put(near.at(name, "x"), content=b"2")).status_code == second
    if policy == "DENY":
        await change(near, "hosted", name, storage={"writePolicy": "ALLOW"})
        await near.http.put(near.at(name, "x"), content=b"1")
        await change(near, "hosted", name, storage={"writePolicy": policy})
    assert (await near.get(name, "x")).text == ("2" if policy == "ALLOW" else "1")
    assert (await near.http.delete(near.at(name, "x"))).status_code == delete


@pytest.mark.parametrize(("strict", "status"), ((True, 400), (False, 201)))
async def test_a_strict_repository_refuses_what_is_not_what_its_name_says(
    near: Serving, name: str, strict: bool, status: int
) -> None:
    await hosted(near, name, storage={"strictContentTypeValidation": strict})
    answer = await near.http.put(near.at(name, "page.jar"), content=b"<html>not found</html>")
    assert answer.status_code == status
    assert (await near.http.put(near.at(name, "real.jar"), content=b"PK\x03\x04rest")).status_code == 201
    assert (await near.get(name, "page.jar")).status_code == (404 if strict else 200)


async def test_of_many_writers_of_one_path_each_is_whole_and_one_is_last(near: Serving, name: str) -> None:
    await hosted(near, name)
    bodies = [bytes([number]) * 300_000 for number in range(10)]
    answers = await asyncio.gather(*(near.http.put(near.at(name, "x"), content=body) for body in bodies))
    assert {answer.status_code for answer in answers} == {201}
    found = await near.get(name, "x")
    assert found.content in bodies
    assert len(await rows(near, name)) == 1


async def test_of_many_writers_once_means_one(near: Serving, name: str) -> None:
    await hosted(near, name, storage={"writePolicy": "ALLOW_ONCE"})
    bodies = [bytes([number]) * 300_000 for number in range(10)]
    answers = await asyncio.gather(*(near.http.put(near.at(name, "x"), content=body) for body in bodies))
    statuses = [answer.status_code for answer in answers]
    assert sorted(statuses) == [201] + [400] * 9
    assert (await near.get(name, "x")).content == bodies[statuses.index(201)]


async def rows(near: Serving, name: str) -> list[Any]:
    services = near.application.services
    repository = services.catalog.get(name)
    return await services.database.read(assets.page, repository.id, repository.name, after=0, limit=100)


# -- blobs ---------------------------------------------------------------------------------------------------------


async def test_equal_bytes_are_kept_once_under_a_random_key(near: Serving, name: str) -> None:
    body = secrets.token_bytes(200_000)
    for repository in (f"{name}-1", f"{name}-2"):
        await hosted(near, repository)
        for path in ("x", "y"):
            await near.http.put(near.at(repository, path), content=body)
    blobs = [asset.blob for repository in (f"{name}-1", f"{name}-2") for asset in await rows(near, repository)]
    assert len({blob.key for blob in blobs}) == 1
    assert blobs[0].key not in (blobs[0].digests.sha256, blobs[0].digests.sha1)
    await near.http.delete(near.at(f"{name}-1", "x"))
    assert (await near.get(f"{name}-2", "x")).content == body
