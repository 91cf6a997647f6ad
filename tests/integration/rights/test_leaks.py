"""Nothing of what one may not see comes through: no method, header, spelling, group or list leads around a refusal."""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from tests.integration.rights.callers import Caller
from tests.integration.rights.conftest import BASE, REST, World
from tests.samples import installed

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET, OPEN = "team/secret/plan.txt", "team/open/plan.txt"
BODY = b"what nobody else may know"


def at(repository: str, path: str) -> str:
    return f"{BASE}/repository/{repository}/{path}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ann(world: World) -> AsyncIterator[Caller]:
    """May do everything below `/team/open/` of `vault` and of every group, and nothing elsewhere."""
    await world.repository("raw", "hosted", "vault")
    await world.repository("raw", "hosted", "lobby")
    await world.repository("raw", "group", "both", group={"memberNames": ["lobby", "vault"]})
    await world.repository("raw", "group", "outer", group={"memberNames": ["both"]})
    for path in (SECRET, OPEN):
        await world.administer("PUT", at("vault", path), content=BODY)
    await world.administer("PUT", at("lobby", "welcome.txt"), content=b"welcome")
    selector = {"name": "open", "expression": 'path =^ "/team/open/"'}
    await world.administer("POST", f"{REST}/security/content-selectors", json=selector)
    what = {"name": "open", "format": "raw", "repository": "vault", "actions": ["ALL"], "contentSelector": "open"}
    await world.administer("POST", f"{REST}/security/privileges/repository-content-selector", json=what)
    yield await member(world, "ann", "open", "nx-repository-view-raw-both-*", "nx-repository-view-raw-outer-*")


async def member(world: World, name: str, *privileges: str) -> Caller:
    """A user with these privileges, and search."""
    role = {"id": name, "name": name, "privileges": [*privileges, "nx-search-read"], "roles": []}
    await world.administer("POST", f"{REST}/security/roles", json=role)
    person = {"userId": name, "firstName": name, "lastName": "T", "emailAddress": f"{name}@example.org"}
    login = {"status": "active", "roles": [name], "password": f"password-of-{name}"}
    await world.administer("POST", f"{REST}/security/users", json={**person, **login})
    answer = await world.http.post(f"{BASE}/api/v1/tokens", json={"name": "t"}, auth=(name, f"password-of-{name}"))
    return Caller(name, token=answer.json()["token"])


async def test_right_on_a_path_is_a_right_on_that_path(world: World, ann: Caller) -> None:
    assert (await world.ask(ann, "GET", at("vault", OPEN))).content == BODY
    assert (await world.ask(ann, "GET", at("both", OPEN))).content == BODY
    assert (await world.ask(ann, "GET", at("outer", OPEN))).content == BODY
    assert (await world.ask(ann, "GET", at("vault", SECRET))).status_code == 403


VARIANTS: list[dict[str, str]] = [
    {},
    {"range": "bytes=0-3"},
    {"range": "bytes=-1"},
    {"if-none-match": "*"},
    {"if-none-match": "{etag}"},
    {"if-match": '"wrong"'},
    {"if-match": "*"},
    {"if-modified-since": "Wed, 21 Oct 2099 07:28:00 GMT"},
    {"if-unmodified-since": "Wed, 21 Oct 1999 07:28:00 GMT"},
    {"if-range": "{etag}", "range": "bytes=0-3"},
    {"accept": "text/html"},
    {"x-forwarded-for": "127.0.0.1"},
    {"x-http-method-override": "GET"},
]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("headers", VARIANTS, ids=str)
async def test_refusal_tells_nothing_whatever_is_asked_for(
    world: World, ann: Caller, method: str, headers: dict[str, str]
) -> None:
    etag = (await world.ask(world.callers[-1], "HEAD", at("vault", SECRET))).headers["etag"]
    sent = {name: value.replace("{etag}", etag) for name, value in headers.items()}

    there = await world.ask(ann, method, at("vault", SECRET), headers=sent)
    missing = await world.ask(ann, method, at("vault", SECRET.replace("plan", "none")), headers=sent)

    assert there.status_code == missing.status_code == 403
    assert BODY not in there.content
    assert not {"etag", "last-modified", "content-range", "accept-ranges"} & set(there.headers)
    assert set(there.headers) == set(missing.headers)


TRICKS = [
    "team/open/../secret/plan.txt",
    "team/open/%2e%2e/secret/plan.txt",
    "team/open/..%2fsecret/plan.txt",
    "team%2Fsecret%2Fplan.txt",
    "team/%73ecret/plan.txt",
    "team/secret/plan%2Etxt",
    "%74eam/secret/plan.txt",
    "/team/secret/plan.txt",
    "team//secret/plan.txt",
    "./team/secret/plan.txt",
    "team/./secret/plan.txt",
    "team/secret/plan.txt/",
    "team/secret/plan.txt?x=/team/open/",
    "team/secret/plan.txt%3Fx",
    "team/secret/plan.txt%00",
    "team/secret/plan.txt%20",
    "team/secret/plan.txt;x=1",
    "team\\secret\\plan.txt",
    "team/open/..%5csecret/plan.txt",
    "TEAM/SECRET/PLAN.TXT",
    "Team/Open/../secret/plan.txt",
    "team/secret/plan.txt#",
    "team/open%ff/../secret/plan.txt",
    "team/open/%c0%ae%c0%ae/secret/plan.txt",
    "team/ｓecret/plan.txt",
    "team/secret/",
    "team/secret",
]


@pytest.mark.parametrize("path", TRICKS)
@pytest.mark.parametrize("repository", ["vault", "both", "outer"])
async def test_no_spelling_of_a_path_leads_around_a_refusal(
    world: World, ann: Caller, repository: str, path: str
) -> None:
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        answer = await raw(world, ann, method, f"/repository/{repository}/{path}")
        assert answer.status_code in (400, 403, 404, 405), (method, answer.status_code)
        assert BODY not in answer.content
        assert b"plan.txt</a>" not in answer.content
    assert (await world.ask(world.callers[-1], "GET", at("vault", SECRET))).content == BODY


async def test_path_is_decoded_once(world: World, ann: Caller) -> None:
    """What is encoded twice is the name of a file in the folder where it stands."""
    twice = "/repository/vault/team/open/%252e%252e/secret/plan.txt"

    assert (await raw(world, ann, "GET", twice)).status_code == 404
    assert (await raw(world, ann, "PUT", twice)).status_code == 201
    assert (await raw(world, ann, "GET", "/repository/vault/team/open/%252e%252e/secret/plan.txt")).content == b"forged"
    assert (await raw(world, ann, "DELETE", twice)).status_code == 204


@pytest.mark.parametrize(
    "target",
    [
        "/Repository/vault/team/secret/plan.txt",
        "/repository//vault/team/secret/plan.txt",
        "/%72epository/vault/team/secret/plan.txt",
        "/repository/VAULT/team/secret/plan.txt",
        "/repository/lobby/../vault/team/secret/plan.txt",
        "/repository/vault%2Fteam/secret/plan.txt",
        "//repository/vault/team/secret/plan.txt",
        "/service/rest/../../repository/vault/team/secret/plan.txt",
        "/repository/vault;/team/secret/plan.txt",
        "/repository/vault%20/team/secret/plan.txt",
    ],
)
async def test_no_spelling_of_an_address_leads_around_a_refusal(world: World, ann: Caller, target: str) -> None:
    for caller in (ann, world.callers[0]):
        answer = await raw(world, caller, "GET", target)
        assert answer.status_code in (400, 401, 403, 404)
        assert BODY not in answer.content


async def raw(world: World, caller: Caller, method: str, target: str) -> httpx2.Response:
    """A request whose target nobody normalises on its way."""
    path, _, query = target.partition("?")
    sent = path.encode()
    status, headers, body = 0, [], b""
    authorization = [(b"authorization", f"Bearer {caller.token}".encode())] if caller.token else []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"forged" if method == "PUT" else b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        nonlocal status, headers, body
        if message["type"] == "http.response.start":
            status, headers = int(str(message["status"])), list(message["headers"])  # type: ignore[call-overload]
        else:
            body += bytes(message.get("body", b""))  # type: ignore[call-overload]

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": sent,
        "query_string": query.encode(),
        "headers": [(b"host", b"pakhus.test"), *authorization],
        "client": ("127.0.0.1", 5000),
        "server": ("pakhus.test", 80),
    }
    await world.application.asgi(scope, receive, send)  # type: ignore[arg-type]
    return httpx2.Response(status, headers=headers, content=body)


async def test_group_gives_no_more_than_its_members(world: World, ann: Caller) -> None:
    """The right on a group is needed, and not enough: neither for files, nor lists, nor folders."""
    for group in ("both", "outer"):
        for path in (SECRET, "welcome.txt"):
            assert (await world.ask(ann, "GET", at(group, path))).status_code == 404
        root = (await world.ask(ann, "GET", at(group, ""))).text
        assert 'href="team/"' in root
        assert "welcome" not in root
        inside = (await world.ask(ann, "GET", at(group, "team/"))).text
        assert 'href="open/"' in inside
        assert "secret" not in inside
        assert (await world.ask(ann, "GET", at(group, "team/secret/"))).status_code == 404
        for kind in ("assets", "search/assets"):
            answer = await world.ask(ann, "GET", f"{REST}/{kind}", params={"repository": group})
            assert [each["path"] for each in answer.json()["items"]] == [f"/{OPEN}"]


async def test_group_narrows_on_the_way_to_its_members(world: World, ann: Caller) -> None:
    bob = await member(world, "bob", "nx-repository-view-raw-vault-*")

    assert (await world.ask(bob, "GET", at("vault", SECRET))).content == BODY
    assert (await world.ask(bob, "GET", at("both", SECRET))).status_code == 403
    assert (await world.ask(bob, "GET", at("both", ""))).status_code == 403


async def test_missing_and_hidden_files_of_a_group_look_alike(world: World, ann: Caller) -> None:
    hidden = await world.ask(ann, "GET", at("both", SECRET))
    missing = await world.ask(ann, "GET", at("both", SECRET.replace("plan", "none")))

    assert hidden.status_code == missing.status_code
    assert hidden.text.replace("plan", "none") == missing.text


async def test_search_tells_nothing_of_hidden_items(world: World, ann: Caller) -> None:
    shown = (await world.ask(ann, "GET", f"{REST}/search/assets", params={"repository": "vault"})).json()["items"]
    assert [each["path"] for each in shown] == [f"/{OPEN}"]
    for params in ({"q": "secret"}, {"name": "team/secret/plan.txt"}, {"group": "/team/secret"}):
        for kind in ("search", "search/assets"):
            assert (await world.ask(ann, "GET", f"{REST}/{kind}", params=params)).json()["items"] == []
    found = await world.ask(ann, "GET", f"{REST}/search/assets/download", params={"q": "secret"})
    assert found.status_code == 404


@pytest.mark.parametrize("format", installed())
async def test_root_of_a_private_repository_says_nothing_to_strangers(world: World, format: str) -> None:
    for caller in (world.callers[0], world.callers[1]):
        for path in ("", "a/", "index.html", "favicon.ico"):
            answer = await world.ask(caller, "GET", at(f"{format}-hosted", path))
            assert answer.status_code in ((401, 403, 404, 405) if path else (401, 403, 405))
            assert "hosted repository" not in answer.text


async def test_unknown_user_and_wrong_password_take_alike(world: World) -> None:
    """A login does not tell by its time whether there is such a user: without care the two differ tenfold."""
    taken: dict[str, list[float]] = {"unknown": [], "wrong": [], "disabled": []}
    for number in range(7):
        for kind, user in (("unknown", f"nobody-{number}"), ("wrong", "admin"), ("disabled", "disabled")):
            started = time.perf_counter()
            answer = await world.http.get(f"{REST}/repositories", auth=(user, f"wrong-{number}"))
            taken[kind].append(time.perf_counter() - started)
            assert answer.status_code == 401
    middle = {kind: statistics.median(seconds) for kind, seconds in taken.items()}

    assert max(middle.values()) < 2 * min(middle.values())
