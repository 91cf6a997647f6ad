"""Document sets in every type of repository, by a small format of the tests' own: files and a digest that vouches."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.contract.serving import ADMIN, Serving, serving
from tests.samples import Request

from pakhus.app import Clock
from pakhus.database import assets
from pakhus.domain.content import Component, Coordinates, Query
from pakhus.domain.repository import RepositoryType
from pakhus.kit.context import Context, Signer
from pakhus.kit.format import DocumentSet, Drop, Format, Published

Model = dict[str, str]


class Pool(Drop):
    path = "pool/{suite}/{name}"

    def identify(self, ctx: Context) -> Coordinates:
        return Coordinates(ctx["name"], "1", ctx["suite"])


class Suite(DocumentSet[Model]):
    """`INDEX` names the digest of `list`, which has a line for each file; `by-hash/…` is the list by its digest."""

    path = "dists/{suite}/{file:path}"

    def select(self, ctx: Context) -> Query:
        return Query(namespace=ctx["suite"])

    def affected(self, component: Component) -> Iterable[Mapping[str, str]]:
        return [{"suite": component.namespace}]

    def folder(self, params: Mapping[str, str]) -> str:
        return f"dists/{params['suite']}/"

    def entry(self, params: Mapping[str, str]) -> str:
        return f"{self.folder(params)}INDEX"

    def companions(self, params: Mapping[str, str]) -> Sequence[str]:
        return [f"{self.folder(params)}INDEX.seal"]

    def listed(self, ctx: Context, entry: bytes) -> Sequence[str]:
        return [f"{self.folder(ctx.params)}list"]

    def build(self, ctx: Context, components: Iterable[Component]) -> Model | None:
        return {each.name: each.asset.blob.digests.sha256 for each in components} or None

    def parse(self, ctx: Context, files: Mapping[str, bytes]) -> Model:
        lines = files[f"{self.folder(ctx.params)}list"].decode().splitlines()
        return dict(line.split("  ")[::-1] for line in lines)

    def merge(self, ctx: Context, models: Sequence[Model]) -> Model:
        return {name: digest for model in reversed(models) for name, digest in model.items()}

    def dump(self, ctx: Context, model: Model, sign: Signer) -> Iterator[Published]:
        lines = [f"{digest}  {name}\n".encode() for name, digest in sorted(model.items())]
        digest = hashlib.sha256(b"".join(lines)).hexdigest()
        folder = self.folder(ctx.params)
        yield (f"{folder}list", f"{folder}by-hash/{digest}"), lines
        yield f"{folder}INDEX.seal", [b"seal of ", digest.encode()]
        yield f"{folder}INDEX", [digest.encode()]

    def lasting(self, path: str) -> bool:
        return "/by-hash/" in path


class Sums(Format):
    name = "sums"
    routes = (Suite(), Pool())


@dataclass
class Shapes:
    near: Serving
    far: Serving

    async def put(self, name: str, *, server: str = "near", suite: str = "stable") -> None:
        serving, repository = (self.near, "hosted") if server == "near" else (self.far, "upstream")
        answer = await serving.ask(repository, Request("PUT", f"pool/{suite}/{name}", name.encode()))
        assert answer.status_code == 201, answer.text

    async def names(self, repository: str, suite: str = "stable") -> set[str]:
        """What a client sees that follows the index to the list by its digest."""
        entry = await self.near.get(repository, f"dists/{suite}/INDEX")
        if entry.status_code == 404:
            return set()
        assert entry.status_code == 200, entry.text
        listing = await self.near.get(repository, f"dists/{suite}/by-hash/{entry.text}")
        assert listing.status_code == 200, "the index names a list that is not there"
        assert hashlib.sha256(listing.content).hexdigest() == entry.text
        return {line.split("  ")[1] for line in listing.text.splitlines()}

    async def forget(self) -> None:
        await self.near.application.services.repositories.invalidate("proxy")


@pytest.fixture
async def shapes(tmp_path: Path) -> AsyncIterator[Shapes]:
    async with (
        serving(tmp_path / "near", formats=[Sums()]) as near,
        serving(tmp_path / "far", formats=[Sums()]) as far,
    ):
        await far.create("sums", "hosted", "upstream")
        await near.create("sums", "hosted", "hosted")
        login = {"type": "username", "username": ADMIN[0], "password": ADMIN[1]}
        await near.create(
            "sums",
            "proxy",
            "proxy",
            proxy={"remoteUrl": far.at("upstream")},
            negativeCache={"enabled": False},
            httpClient={"authentication": login},
        )
        await near.create("sums", "group", "group", group={"memberNames": ["hosted", "proxy"]})
        await near.create("sums", "group", "nested", group={"memberNames": ["group"]})
        yield Shapes(near, far)


async def test_a_set_tells_what_was_uploaded_at_once(shapes: Shapes) -> None:
    assert await shapes.names("hosted") == set()

    await shapes.put("a")
    await shapes.put("b")

    assert await shapes.names("hosted") == {"a", "b"}


async def test_a_set_that_did_not_change_is_not_published_anew(shapes: Shapes) -> None:
    await shapes.put("a")
    await shapes.names("hosted")
    services = shapes.near.application.services
    asked = (services.catalog.get("hosted").id, "hosted", "dists/stable/INDEX")
    before = await services.database.read(assets.by_path, *asked)

    await shapes.put("t", suite="testing")

    await shapes.names("hosted")
    after = await services.database.read(assets.by_path, *asked)
    assert before is not None
    assert after is not None
    assert after.updated == before.updated


async def test_who_asks_by_date_sees_every_publication(shapes: Shapes) -> None:
    await shapes.put("a")
    before = await shapes.near.get("hosted", "dists/stable/INDEX")
    await shapes.put("b")

    since = {"If-Modified-Since": before.headers["last-modified"]}
    after = await shapes.near.get("hosted", "dists/stable/INDEX", headers=since)

    assert after.status_code == 200
    assert after.text != before.text


async def test_sets_do_not_mix(shapes: Shapes) -> None:
    await shapes.put("a")
    await shapes.put("t", suite="testing")

    assert await shapes.names("hosted") == {"a"}
    assert await shapes.names("hosted", "testing") == {"t"}


async def test_what_is_removed_leaves_the_set_and_the_last_one_takes_it_away(shapes: Shapes) -> None:
    await shapes.put("a")
    await shapes.put("b")
    assert await shapes.names("hosted") == {"a", "b"}

    await shapes.near.ask("hosted", Request("DELETE", "pool/stable/a"))
    assert await shapes.names("hosted") == {"b"}

    await shapes.near.ask("hosted", Request("DELETE", "pool/stable/b"))
    assert (await shapes.near.get("hosted", "dists/stable/list")).status_code in (200, 404)
    assert await shapes.names("hosted") == set()


async def test_a_superseded_list_can_still_be_read_by_its_digest(shapes: Shapes) -> None:
    await shapes.put("a")
    before = (await shapes.near.get("hosted", "dists/stable/INDEX")).text

    await shapes.put("b")
    assert await shapes.names("hosted") == {"a", "b"}

    assert (await shapes.near.get("hosted", f"dists/stable/by-hash/{before}")).status_code == 200


async def test_the_seal_fits_the_index_that_the_reader_was_given(shapes: Shapes) -> None:
    await shapes.put("a")
    for _ in range(2):  # an answer that is repeated counts, too
        entry = (await shapes.near.get("hosted", "dists/stable/INDEX")).text
    await shapes.put("b")
    await shapes.near.application.outbox.deliver()

    assert (await shapes.near.get("hosted", "dists/stable/INDEX.seal")).text == f"seal of {entry}"

    later = (await shapes.near.get("hosted", "dists/stable/INDEX")).text
    assert later != entry
    assert (await shapes.near.get("hosted", "dists/stable/INDEX.seal")).text == f"seal of {later}"


async def test_a_proxy_keeps_the_seal_with_the_index_that_it_fits(shapes: Shapes) -> None:
    await shapes.put("a", server="far")
    entry = (await shapes.near.get("proxy", "dists/stable/INDEX")).text
    await shapes.put("b", server="far")
    await shapes.far.get("upstream", "dists/stable/INDEX")

    assert (await shapes.near.get("proxy", "dists/stable/INDEX.seal")).text == f"seal of {entry}"

    await shapes.forget()
    later = (await shapes.near.get("proxy", "dists/stable/INDEX")).text
    assert later != entry
    assert (await shapes.near.get("proxy", "dists/stable/INDEX.seal")).text == f"seal of {later}"


async def test_a_client_that_follows_the_index_never_meets_a_mismatch(shapes: Shapes) -> None:
    async def upload() -> None:
        for number in range(20):
            await shapes.put(f"n{number}")

    uploading = asyncio.create_task(upload())
    while not uploading.done():
        await shapes.names("hosted")
    await uploading

    assert len(await shapes.names("hosted")) == 20


async def test_the_publisher_needs_no_client(shapes: Shapes) -> None:
    await shapes.put("a")
    services = shapes.near.application.services
    repository = services.catalog.get("hosted")
    asked = (repository.id, "hosted", "dists/stable/INDEX")

    while await services.database.read(assets.by_path, *asked) is None:
        await asyncio.sleep(0.01)


async def test_a_proxy_relays_the_set_verbatim(shapes: Shapes) -> None:
    await shapes.put("a", server="far")
    for file in ("INDEX", "list"):
        near = await shapes.near.get("proxy", f"dists/stable/{file}")
        far = await shapes.far.get("upstream", f"dists/stable/{file}")
        assert near.content == far.content


async def test_a_proxys_files_follow_its_entry(shapes: Shapes) -> None:
    await shapes.put("a", server="far")
    await shapes.near.get("proxy", "dists/stable/INDEX")
    await shapes.near.get("proxy", "dists/stable/list")

    await shapes.put("b", server="far")
    await shapes.far.get("upstream", "dists/stable/INDEX")
    await shapes.forget()
    entry = await shapes.near.get("proxy", "dists/stable/INDEX")
    listing = await shapes.near.get("proxy", "dists/stable/list")

    assert hashlib.sha256(listing.content).hexdigest() == entry.text


@pytest.mark.parametrize("shape", ("group", "nested"))
async def test_a_group_publishes_the_union_and_follows_its_members(shapes: Shapes, shape: str) -> None:
    await shapes.put("a")
    await shapes.put("b", server="far")
    assert await shapes.names(shape) == {"a", "b"}

    await shapes.put("c")
    assert await shapes.names(shape) == {"a", "b", "c"}

    await shapes.put("d", server="far")
    await shapes.forget()
    assert await shapes.names(shape) == {"a", "b", "c", "d"}


async def test_repositories_of_other_types_keep_their_own_sets(shapes: Shapes) -> None:
    await shapes.put("a")
    await shapes.put("b", server="far")
    await shapes.names("group")

    assert await shapes.names("hosted") == {"a"}
    assert await shapes.names("proxy") == {"b"}
    assert shapes.near.application.services.catalog.get("group").type is RepositoryType.GROUP


class Slow(Suite):
    """A set whose publication takes ten seconds by the server's clock."""

    seconds = 0.0

    def dump(self, ctx: Context, model: Model, sign: Signer) -> Iterator[Published]:
        self.seconds += 10
        return super().dump(ctx, model, sign)

    async def reaches(self, seconds: float) -> None:
        """Publications go on in the background; the clock says how many there were."""
        async with asyncio.timeout(20):
            while self.seconds < seconds:
                await asyncio.sleep(0.01)
        assert self.seconds == seconds


async def test_what_takes_long_is_not_published_all_the_time_unasked(tmp_path: Path) -> None:
    slow = Slow()

    class Sums(Format):
        name = "sums"
        routes = (slow, Pool())

    clock = Clock(seconds=lambda: slow.seconds)
    async with serving(tmp_path / "data", formats=[Sums()], clock=clock) as near:
        await near.create("sums", "hosted", "hosted")
        await near.ask("hosted", Request("PUT", "pool/stable/a", b"a"))
        await near.application.outbox.deliver()
        await slow.reaches(10)

        await near.ask("hosted", Request("PUT", "pool/stable/b", b"b"))
        await near.application.outbox.deliver()
        assert slow.seconds == 10

        await near.get("hosted", "dists/stable/INDEX")
        assert slow.seconds == 20

        slow.seconds += 31
        await near.ask("hosted", Request("PUT", "pool/stable/c", b"c"))
        await near.application.outbox.deliver()
        await slow.reaches(61)
