"""npm search, audit and the shape of errors."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from pakhus.domain.errors import Invalid, NotFound, TooLarge, UpstreamDown
from pakhus.formats.npm import Npm, audit
from pakhus.formats.npm.audit import Attestations, Keys
from pakhus.formats.npm.search import Results, Search, Wanted
from pakhus.kit.context import Call, Reply
from tests.unit.formats.npm_packages import chunked, component, context, own

SEARCH = Search()


def found(*components: Any, text: str) -> list[str]:
    results = SEARCH.build(context("-/v1/search", text=text), components)
    return [entry["package"]["name"] for entry in results.objects]


def results(*names: str, total: int | None = None, offset: int = 0) -> Results:
    return Results([{"package": {"name": name}} for name in names], total or len(names), offset)


def shown(model: Results, **query: str) -> list[str]:
    document = json.loads(SEARCH.dump(context("-/v1/search", **query), model))
    return [entry["package"]["name"] for entry in document["objects"]]


def test_packages_are_found_once_by_their_latest_version() -> None:
    components = (
        component("web", "1.0.0", manifest={"description": "first"}),
        component("web", "2.0.0", manifest={"description": "second", "author": "Ann <a@b> (http://ann)"}),
    )
    model = SEARCH.build(context("-/v1/search", text="web"), components)
    (entry,) = model.objects
    assert entry["package"]["version"] == "2.0.0"
    assert entry["package"]["description"] == "second"
    assert entry["package"]["author"] == {"name": "Ann", "email": "a@b", "url": "http://ann"}
    assert entry["package"]["scope"] == "unscoped"
    assert entry["package"]["publisher"]["username"] == "ann"
    assert entry["package"]["maintainers"] == [{"username": "ann", "email": ""}]
    assert model.total == 1


def test_latest_that_was_set_is_the_version_shown() -> None:
    model = SEARCH.build(
        context("-/v1/search", text="web"),
        (component("web", "1.0.0"), component("web", "2.0.0"), own("web", tags={"latest": "1.0.0"})),
    )
    assert model.objects[0]["package"]["version"] == "1.0.0"


def test_all_words_must_match_somewhere() -> None:
    one = component("web", "1.0.0", manifest={"description": "a fast server", "keywords": ["http"]})
    assert found(one, text="fast HTTP") == ["web"]
    assert found(one, text="fast ftp") == []


def test_exact_names_come_first() -> None:
    names = ("web-tools", "myweb", "web")
    assert found(*(component(name, "1.0.0") for name in names), text="web") == ["web", "myweb", "web-tools"]


@pytest.mark.parametrize("text", ["keywords:http", "scope:acme", "scope:@acme", "author:ann", "maintainer:ann", ""])
def test_qualifiers_select(text: str) -> None:
    one = component("@acme/web", "1.0.0", manifest={"keywords": ["http"], "author": "Ann"})
    other = component("else", "1.0.0", manifest={"keywords": ["ftp"], "maintainers": [{"name": "bob"}]})
    assert found(one, other, text=text) == (["@acme/web"] if text else ["else", "@acme/web"])


def test_text_is_taken_apart() -> None:
    assert Wanted.read("Fast keywords:A,b http * not:unstable") == Wanted(
        ("fast", "http"), (("keywords", "a,b"), ("not", "unstable"))
    )


def test_page_is_cut_from_the_whole() -> None:
    model = results(*"abcdef")
    assert shown(model, size="2", **{"from": "3"}) == ["d", "e"]
    assert shown(model) == list("abcdef")
    assert shown(model, size="x", **{"from": "-1"}) == list("abcdef")
    assert shown(model, size="0") == []


def test_groups_name_each_package_once() -> None:
    merged = SEARCH.merge(context("-/v1/search"), [results("a", "b"), results("b", "c", total=50)])
    assert [entry["package"]["name"] for entry in merged.objects] == ["a", "b", "c"]
    assert merged.total == 51


def test_groups_page_deeply_by_the_pages_of_their_members() -> None:
    ctx = context("-/v1/search", size="2", **{"from": "300"})
    deep = SEARCH.merge(ctx, [results(*(f"p{n}" for n in range(400))), results("x", "y", total=900, offset=300)])
    assert shown(deep, size="2", **{"from": "300"}) == ["p300", "p301"]


async def test_upstream_is_asked_for_all_up_to_the_end_of_the_page() -> None:
    ctx = context("-/v1/search", text="a b", size="10", quality="0.5", **{"from": "20"})
    assert (await SEARCH.origin(ctx, None)).location == "-/v1/search?text=a+b&size=30&from=0&quality=0.5"  # type: ignore[arg-type]


async def test_upstream_is_asked_for_the_page_itself_beyond_its_limit() -> None:
    ctx = context("-/v1/search", text="a", size="20", **{"from": "500"})
    assert (await SEARCH.origin(ctx, None)).location == "-/v1/search?text=a&size=20&from=500"  # type: ignore[arg-type]


def test_upstream_results_are_passed_on() -> None:
    objects = [{"package": {"name": "a", "x": 1}, "score": {"final": 0.5}, "flags": {"insecure": 0}}, {"bad": 1}, None]
    model = SEARCH.parse(context("-/v1/search"), json.dumps({"objects": objects, "total": 7}).encode())
    document = json.loads(SEARCH.dump(context("-/v1/search"), model))
    assert document["objects"] == [{**objects[0], "searchScore": 0}]  # type: ignore[dict-item]
    assert document["total"] == 7


class Relaying:
    """A view whose upstreams give these answers."""

    user = None

    def __init__(self, *replies: Reply) -> None:
        self.replies = replies
        self.asked: list[tuple[str, bytes]] = []

    async def relay(self, path: str, body: bytes, headers: Any) -> tuple[Reply, ...]:
        self.asked.append((path, body))
        return self.replies


def answered(**report: Any) -> Reply:
    return Reply(200, json.dumps(report).encode())


async def audited(view: Relaying, body: bytes = b"{}", *, kind: str = "bulk", **headers: str) -> Any:
    run, path = {
        "bulk": (audit.bulk, "-/npm/v1/security/advisories/bulk"),
        "quick": (audit.full, "-/npm/v1/security/audits/quick"),
    }[kind]
    _, params = Npm().match("POST", path)
    ctx = context("web").at(path, params)
    reply = await run(Call("POST", ctx, headers, chunked(body)), view)  # type: ignore[arg-type]
    return json.loads(reply.body)


async def test_compressed_audits_are_unpacked_for_the_upstream() -> None:
    view = Relaying(answered(web=[{"id": 1}]))
    body = b'{"web":["1.0.0"]}'
    assert await audited(view, gzip.compress(body, mtime=0), **{"content-encoding": "gzip"}) == {"web": [{"id": 1}]}
    assert view.asked == [("-/npm/v1/security/advisories/bulk", body)]


async def test_advisories_of_all_upstreams_are_joined() -> None:
    view = Relaying(answered(a=[{"id": 1}], b=[{"id": 2}]), answered(a=[{"id": 1}, {"id": 3}]), Reply(500), Reply())
    assert await audited(view) == {"a": [{"id": 1}, {"id": 3}], "b": [{"id": 2}]}


async def test_nobody_to_ask_means_nothing_is_known() -> None:
    assert await audited(Relaying()) == {}
    quick = await audited(Relaying(), kind="quick")
    assert quick["advisories"] == {}
    assert quick["metadata"]["vulnerabilities"] == {"info": 0, "low": 0, "moderate": 0, "high": 0, "critical": 0}


async def test_refusals_alone_are_not_safety() -> None:
    with pytest.raises(UpstreamDown):
        await audited(Relaying(Reply(403, b"{}")))


async def test_quick_audits_are_merged() -> None:
    one = answered(
        actions=[{"a": 1}], advisories={"1": {}}, metadata={"vulnerabilities": {"high": 1}, "dependencies": 4}
    )
    two = answered(
        actions=[{"a": 1}, {"a": 2}], advisories={"2": {}}, metadata={"vulnerabilities": {"high": 2, "low": 1}}
    )
    merged = await audited(Relaying(one, two), kind="quick")
    assert merged["actions"] == [{"a": 1}, {"a": 2}]
    assert set(merged["advisories"]) == {"1", "2"}
    assert merged["metadata"]["vulnerabilities"]["high"] == 2
    assert merged["metadata"]["dependencies"] == 4


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"no"])
async def test_audit_of_nonsense_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        await audited(Relaying(), body)


def test_compressed_bombs_are_refused() -> None:
    with pytest.raises(TooLarge):
        audit.decoded(gzip.compress(b" " * (40 << 20), 1, mtime=0), "gzip")


@pytest.mark.parametrize("body", [b"", b"{}", gzip.compress(b"{}", mtime=0)[:-3]])
def test_bad_compression_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        audit.decoded(body, "gzip")


def test_attestations_are_given_as_published() -> None:
    document = Attestations()
    ctx = context("-/npm/v1/attestations/@acme/web@1.0.0")
    assert ctx.params == {"name": "@acme/web", "version": "1.0.0"}
    held = [{"predicateType": "p", "bundle": {}}]
    assert document.build(ctx, [component("@acme/web", "1.0.0", attestations=held)]) == held
    assert document.build(ctx, [component("@acme/web", "1.0.0", attestations=[])]) is None
    assert json.loads(document.dump(ctx, held)) == {"attestations": held}


def test_keys_of_all_upstreams_are_joined() -> None:
    document = Keys()
    ctx = context("-/npm/v1/keys")
    assert document.build(ctx, []) is None
    one, two = document.parse(ctx, b'{"keys":[{"keyid":"a"}]}'), [{"keyid": "a"}, {"keyid": "b"}]
    assert document.merge(ctx, [one, two]) == [{"keyid": "a"}, {"keyid": "b"}]


def test_errors_speak_json() -> None:
    reply = Npm().problem(NotFound("nothing here"))
    assert reply.status == 404
    assert json.loads(reply.body)["error"] == "nothing here"


def test_kit_versions_order_releases() -> None:
    format = Npm()
    assert sorted(["1.10.0", "1.9.0", "1.10.0-rc.1"], key=format.version_key) == ["1.9.0", "1.10.0-rc.1", "1.10.0"]
    assert format.prerelease("1.0.0-a") and not format.prerelease("1.0.0")
