"""Signed document sets by a small format of the tests' own: who signs, what is served, what a rotation does."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pakhus.database import repositories
from pakhus.database.tables import signing_key
from pakhus.domain.content import Component, Coordinates, Query
from pakhus.domain.repository import RepositoryType
from pakhus.engine import openpgp
from pakhus.kit.context import Context, Settings, Signer, SigningKeyPair
from pakhus.kit.format import DocumentSet, Drop, Format, PublicKey
from pakhus.services.clock import Clock
from tests.contract.serving import ADMIN, Serving, serving
from tests.samples import Request

Names = tuple[str, ...]
EXPIRES_SECONDS = 86_400 * 7


class Options(Settings):
    signing: SigningKeyPair | None = None


class Pool(Drop):
    path = "pool/{name}"

    def identify(self, ctx: Context) -> Coordinates:
        return Coordinates(ctx["name"], "1")


class Index(DocumentSet[Names]):
    path = "index/{file}"
    signed = True

    def select(self, ctx: Context) -> Query:
        return Query()

    def affected(self, component: Component) -> Iterable[Mapping[str, str]]:
        return [{}]

    def folder(self, params: Mapping[str, str]) -> str:
        return "index/"

    def entry(self, params: Mapping[str, str]) -> str:
        return "index/signed"

    def listed(self, ctx: Context, entry: bytes) -> Sequence[str]:
        return []

    def build(self, ctx: Context, components: Iterable[Component]) -> Names | None:
        return tuple(sorted(each.name for each in components)) or None

    def parse(self, ctx: Context, files: Mapping[str, bytes]) -> Names:
        text = files["index/signed"].decode().partition("\n\n")[2].partition("\n-----BEGIN")[0]
        return tuple(text.split()[1:])

    def merge(self, ctx: Context, models: Sequence[Names]) -> Names:
        return tuple(sorted({name for model in models for name in model}))

    def lifetime(self, ctx: Context) -> float:
        return EXPIRES_SECONDS

    def dump(self, ctx: Context, model: Names, sign: Signer) -> Iterator[tuple[str, Iterable[bytes]]]:
        text = f"{sign.moment:%Y-%m-%d}\n{chr(10).join(model)}\n".encode()
        yield "index/signed", [sign.clear(text)]
        yield "index/text", [text]
        yield "index/text.asc", [sign.detached(text)]


class ArmoredKey(PublicKey):
    path = "key.asc"


class BinaryKey(PublicKey):
    path = "key.gpg"
    armored = False


class Signed(Format):
    name = "signed"
    routes = (Index(), Pool(), ArmoredKey(), BinaryKey())
    settings = {RepositoryType.HOSTED: Options, RepositoryType.GROUP: Options}


class Time:
    def __init__(self) -> None:
        self.moment = datetime.now(UTC)
        self.seconds = 0.0

    def pass_days(self, days: float) -> None:
        self.moment += timedelta(days=days)
        self.seconds += days * 86_400


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def near(tmp_path: Path, time: Time) -> AsyncIterator[Serving]:
    environ = {"PAKHUS_SIGNING_OVERLAP_DAYS": "10"}
    clock = Clock(now=lambda: time.moment, seconds=lambda: time.seconds)
    async with serving(tmp_path / "near", environ, clock=clock, formats=[Signed()]) as running:
        yield running


def verified(folder: Path, keys: bytes, signed: bytes) -> str:
    """The text below the signature, by gpgv; an empty text if no key of these has signed."""
    (folder / "keys").write_bytes(keys)
    (folder / "signed").write_bytes(signed)
    (folder / "out").unlink(missing_ok=True)
    command = ["gpgv", "--keyring", str(folder / "keys"), "--output", str(folder / "out"), str(folder / "signed")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (folder / "out").read_text() if "Good signature" in done.stderr else ""


async def put(serving: Serving, repository: str, name: str) -> None:
    answer = await serving.ask(repository, Request("PUT", f"pool/{name}", name.encode()))
    assert answer.status_code == 201, answer.text


async def entry(serving: Serving, repository: str) -> bytes:
    answer = await serving.get(repository, "index/signed")
    assert answer.status_code == 200, answer.text
    return answer.content


async def binary_key(serving: Serving, repository: str) -> bytes:
    return (await serving.get(repository, "key.gpg")).content


async def native(serving: Serving, method: str, path: str, **options: Any) -> Any:
    return await serving.http.request(method, f"{serving.url}/api/v1/repositories/{path}", **options)


async def rotated(serving: Serving, repository: str, **body: Any) -> None:
    """A new key, generated."""
    answer = await native(serving, "POST", f"{repository}/signing-keys", json=body)
    assert answer.status_code == 202, answer.text
    while (await native(serving, "GET", f"{repository}/signing-keys")).json()["generating"]:
        await asyncio.sleep(0.01)


async def test_a_hosted_set_is_signed_by_the_key_that_is_served(near: Serving, tmp_path: Path) -> None:
    await near.create("signed", "hosted", "hosted")
    await put(near, "hosted", "a")
    signed = await entry(near, "hosted")
    armored = await near.get("hosted", "key.asc")

    assert verified(tmp_path, await binary_key(near, "hosted"), signed).split()[1:] == ["a"]
    assert armored.headers["content-type"] == "application/pgp-keys"
    assert armored.text.startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----")


async def test_each_repository_has_a_key_of_its_own(near: Serving, tmp_path: Path) -> None:
    for name in ("one", "two"):
        await near.create("signed", "hosted", name)
        await put(near, name, "a")

    assert verified(tmp_path, await binary_key(near, "two"), await entry(near, "one")) == ""


async def test_a_group_signs_the_union_with_its_own_key(near: Serving, tmp_path: Path) -> None:
    for name in ("one", "two"):
        await near.create("signed", "hosted", name)
        await put(near, name, f"from-{name}")
    await near.create("signed", "group", "group", group={"memberNames": ["one", "two"]})

    text = verified(tmp_path, await binary_key(near, "group"), await entry(near, "group"))
    assert text.split()[1:] == ["from-one", "from-two"]
    assert await binary_key(near, "group") != await binary_key(near, "one")


async def test_a_proxy_has_the_upstreams_signatures_and_key(near: Serving, tmp_path: Path) -> None:
    await near.create("signed", "hosted", "upstream")
    await put(near, "upstream", "a")
    login = {"type": "username", "username": ADMIN[0], "password": ADMIN[1]}
    await near.create(
        "signed", "proxy", "proxy", proxy={"remoteUrl": near.at("upstream")}, httpClient={"authentication": login}
    )

    assert await entry(near, "proxy") == await entry(near, "upstream")
    assert await binary_key(near, "proxy") == await binary_key(near, "upstream")
    answer = await native(near, "POST", "proxy/signing-keys", json={})
    assert answer.status_code == 400


async def test_during_the_overlap_both_keys_sign_and_are_served_and_then_the_new_one_alone(
    near: Serving, tmp_path: Path, time: Time
) -> None:
    await near.create("signed", "hosted", "hosted")
    await put(near, "hosted", "a")
    await entry(near, "hosted")
    old = await binary_key(near, "hosted")

    await rotated(near, "hosted")
    both = await binary_key(near, "hosted")
    new = both.replace(old, b"")
    during = await entry(near, "hosted")

    assert both == new + old
    assert all(verified(tmp_path, keys, during) for keys in (old, new, both))
    time.pass_days(10.1)
    after = await entry(near, "hosted")
    assert verified(tmp_path, new, after)
    assert not verified(tmp_path, old, after)
    assert await binary_key(near, "hosted") == new


async def test_the_operator_says_how_long_an_old_key_goes_on(near: Serving, tmp_path: Path, time: Time) -> None:
    await near.create("signed", "hosted", "hosted")
    await put(near, "hosted", "a")
    old = await binary_key(near, "hosted")
    await rotated(near, "hosted", overlap_days=100)
    time.pass_days(99)
    assert verified(tmp_path, old, await entry(near, "hosted"))

    await rotated(near, "hosted", overlap_days=0)

    shown = (await native(near, "GET", "hosted/signing-keys")).json()
    assert [each["signs_until"] is None for each in shown["keys"]] == [True, False]


async def test_an_imported_key_signs_and_is_never_shown(near: Serving, tmp_path: Path) -> None:
    key = await openpgp.generate("brought along", "ed25519")
    body = {
        "name": "hosted",
        "online": True,
        "storage": {"blobStoreName": "default"},
        "signing": {"keypair": key.keypair, "passphrase": ""},
    }
    url = f"{near.url}/service/rest/v1/repositories/signed/hosted"
    assert (await near.http.post(url, json=body)).status_code == 201
    await put(near, "hosted", "a")

    assert verified(tmp_path, await binary_key(near, "hosted"), await entry(near, "hosted"))
    shown = (await native(near, "GET", "hosted/signing-keys")).json()
    assert [each["fingerprint"] for each in shown["keys"]] == [key.fingerprint]
    settings = await near.http.get(f"{url}/hosted")
    assert settings.json()["signing"] is None
    everything = settings.text + str(shown) + (await near.get("hosted", "key.asc")).text
    assert "PRIVATE" not in everything


async def test_no_secret_key_lies_open_in_the_database(near: Serving, tmp_path: Path) -> None:
    key = await openpgp.generate("brought along", "ed25519")
    await near.create("signed", "hosted", "hosted", signing={"keypair": key.keypair, "passphrase": "a passphrase"})

    database = near.application.services.database
    rows = await database.read(lambda tx: [dict(row._mapping) for row in tx.rows(signing_key.select())])
    kept = await database.read(repositories.everything)
    assert key.public in str(rows[0]["public"])
    assert "PRIVATE" not in str(rows)
    assert "a passphrase" not in str(rows) + str(kept)
    assert "PRIVATE" not in str(kept)


async def test_a_key_that_cannot_sign_is_refused_and_the_repository_not_made(near: Serving) -> None:
    url = f"{near.url}/service/rest/v1/repositories/signed/hosted"
    body = {"name": "hosted", "online": True, "storage": {"blobStoreName": "default"}, "signing": {"keypair": "no key"}}
    answer = await near.http.post(url, json=body)

    assert answer.status_code == 400
    assert answer.json()[0]["id"] == "signing.keypair"
    assert near.application.services.catalog.find("hosted") is None


async def test_settings_without_a_key_leave_the_key_alone(near: Serving) -> None:
    await near.create("signed", "hosted", "hosted")
    before = await binary_key(near, "hosted")
    services = near.application.services
    await services.repositories.update("signed", RepositoryType.HOSTED, "hosted", {"signing": None})

    assert await binary_key(near, "hosted") == before


async def test_who_may_not_administer_does_not_rotate_and_who_may_not_read_sees_no_key(near: Serving) -> None:
    await near.create("signed", "hosted", "hosted")
    before = await binary_key(near, "hosted")
    for method in ("GET", "POST"):
        answer = await native(
            near, method, "hosted/signing-keys", auth=None, **({"json": {}} if method == "POST" else {})
        )
        assert answer.status_code == 401

    await _reader(near)
    assert (await native(near, "GET", "hosted/signing-keys", auth=("reader", "a-readers-password"))).status_code == 200
    refused = await native(near, "POST", "hosted/signing-keys", json={}, auth=("reader", "a-readers-password"))
    assert refused.status_code == 403
    assert await binary_key(near, "hosted") == before


async def _reader(near: Serving) -> None:
    security = f"{near.url}/service/rest/v1/security"
    role = {"id": "readers", "name": "readers", "privileges": ["nx-repository-view-*-*-read"], "roles": []}
    assert (await near.http.post(f"{security}/roles", json=role)).status_code == 200
    person = {"userId": "reader", "firstName": "R", "lastName": "R", "emailAddress": "r@example.org"}
    login = {"status": "active", "roles": ["readers"], "password": "a-readers-password"}
    assert (await near.http.post(f"{security}/users", json=person | login)).status_code == 200


async def test_a_set_with_a_lifetime_is_signed_anew_when_it_is_over(near: Serving, time: Time) -> None:
    await near.create("signed", "hosted", "hosted")
    await put(near, "hosted", "a")
    first = await entry(near, "hosted")
    time.pass_days(6)
    assert await entry(near, "hosted") == first

    time.pass_days(1.1)

    assert f"{time.moment:%Y-%m-%d}".encode() in await entry(near, "hosted")


async def test_the_loop_goes_on_while_a_key_is_generated(tmp_path: Path) -> None:
    environ = {"PAKHUS_SIGNING_ALGORITHM": "rsa3072"}
    async with serving(tmp_path / "data", environ, formats=[Signed()]) as near:
        await near.create("signed", "hosted", "hosted")
        await put(near, "hosted", "a")
        loop = asyncio.get_running_loop()
        longest, before = 0.0, loop.time()
        asking = asyncio.create_task(near.get("hosted", "key.asc"))
        while not asking.done():
            await asyncio.sleep(0.01)
            longest, before = max(longest, loop.time() - before), loop.time()

        assert asking.result().status_code == 200
        assert longest < 0.5


async def test_a_new_repository_has_its_key_before_anybody_asks(near: Serving) -> None:
    await near.create("signed", "hosted", "hosted")
    while (shown := (await native(near, "GET", "hosted/signing-keys")).json())["generating"]:
        await asyncio.sleep(0.01)

    assert len(shown["keys"]) == 1


async def test_a_key_is_generated_once_for_all_who_wait(near: Serving) -> None:
    await near.create("signed", "hosted", "hosted")

    answers = await asyncio.gather(*(near.get("hosted", "key.asc") for _ in range(5)))

    assert len({each.content for each in answers}) == 1


async def test_a_repository_that_is_removed_takes_its_keys_along(near: Serving) -> None:
    await near.create("signed", "hosted", "hosted")
    await near.get("hosted", "key.asc")
    services = near.application.services

    await services.repositories.delete("hosted")

    assert await services.database.read(lambda tx: tx.rows(signing_key.select())) == []
