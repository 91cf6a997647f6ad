"""Yanking, and the owners of a crate.

Owners are kept and shown, and nothing more: who may publish and yank is said by the roles of this server.
Source: the Cargo book, "Registry Web API" (Yank, Unyank, Owners).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pakhus.domain.content import Attributes, Component, Origin, Query
from pakhus.domain.errors import Forbidden, Invalid, NotFound, UpstreamDown
from pakhus.formats.cargo.index import CONFIG, Config
from pakhus.formats.cargo.names import coordinates, package, package_query, versions_query
from pakhus.formats.cargo.publish import answer
from pakhus.kit.context import Annotation, Call, Context, Hosted, Removal, Reply, Upstream
from pakhus.kit.format import Document
from pakhus.kit.versions import semver_key
from pakhus.kit.wire import dump_json, parse_json, read_body

OWNERS = "api/v1/crates/{name}/owners"
MAX_BODY = 1 << 20
MAX_LOGIN = 200


async def yank(call: Call, hosted: Hosted) -> Reply:
    return await _set_yanked(call, hosted, yanked=True)


async def unyank(call: Call, hosted: Hosted) -> Reply:
    return await _set_yanked(call, hosted, yanked=False)


async def _set_yanked(call: Call, hosted: Hosted, *, yanked: bool) -> Reply:
    name, version = call.ctx["name"], call.ctx["version"]
    if not await hosted.find(versions_query(name, version)):
        raise NotFound(f"there is no crate {name}@{version} here")

    def update(held: Attributes) -> Attributes | None:
        return {**held, "yanked": yanked} if held else None

    await hosted.deposit(Annotation(coordinates(name, version), update))
    return answer({"ok": True})


async def remove(call: Call, hosted: Hosted) -> Reply:
    """A version leaves the repository; cargo has no command for it."""
    await hosted.deposit(Removal(path=call.ctx.path))
    return Reply(204)


Users = Sequence[Mapping[str, Any]]
"""The model: objects with `id`, `login` and `name`."""


class Owners(Document[Users]):
    path = OWNERS

    def select(self, ctx: Context) -> Sequence[Query]:
        return (package_query(ctx["name"]), versions_query(ctx["name"]))

    def build(self, ctx: Context, components: Iterable[Component]) -> Users | None:
        logins = owners_of(ctx["name"], components)
        return None if logins is None else [user(login) for login in logins]

    def parse(self, ctx: Context, body: bytes) -> Users:
        stated = parse_json(body)
        users = stated.get("users") if isinstance(stated, dict) else None
        if not isinstance(users, list):
            raise UpstreamDown(f"the upstream's answer is no list of the owners of {ctx['name']}")
        return [one for one in users if isinstance(one, dict)]

    def merge(self, ctx: Context, models: Sequence[Users]) -> Users:
        return models[0]

    def dump(self, ctx: Context, model: Users) -> bytes:
        return dump_json({"users": model})

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        config: Config = await upstream.model(CONFIG)
        return Origin(config.web(ctx.path))


def user(login: str) -> dict[str, Any]:
    """Cargo wants a number of 32 bits for each."""
    return {"id": zlib.crc32(login.encode()), "login": login, "name": None}


def owners_of(name: str, components: Iterable[Component]) -> list[str] | None:
    """Those that were set, or else whoever uploaded the first version; `None` where there is no such crate."""
    held = list(components)
    released = [c for c in held if c.version and c.assets and c.name == name.lower()]
    if not released:
        return None
    for each in held:
        if not each.version and isinstance(each.attributes.get("owners"), list):
            return list(each.attributes["owners"])
    first = min(released, key=lambda c: (c.created, semver_key(c.version)))
    return [first.asset.uploader] if first.asset.uploader else []


async def add_owners(call: Call, hosted: Hosted) -> Reply:
    name, logins = call.ctx["name"], await _logins(call)
    await _change(hosted, name, lambda owners: [*owners, *(login for login in logins if login not in owners)])
    return answer({"ok": True, "msg": f"{', '.join(logins)} added to the owners of crate {name}"})


async def remove_owners(call: Call, hosted: Hosted) -> Reply:
    name, logins = call.ctx["name"], await _logins(call)

    def without(owners: Sequence[str]) -> list[str]:
        if missing := [login for login in logins if login not in owners]:
            raise NotFound(f"{', '.join(missing)} is not an owner of crate {name}")
        left = [login for login in owners if login not in logins]
        if not left:
            raise Forbidden(f"crate {name} would have no owner any more")
        return left

    await _change(hosted, name, without)
    return answer({"ok": True, "msg": "owners successfully removed"})


async def _change(hosted: Hosted, name: str, change: Callable[[Sequence[str]], list[str]]) -> None:
    now = owners_of(name, await hosted.find(versions_query(name)))
    if now is None:
        raise NotFound(f"there is no crate {name} here")

    def update(held: Attributes) -> Attributes:
        """In the transaction; what was set before counts more than who uploaded first."""
        return {**held, "owners": list(dict.fromkeys(change(held.get("owners", now))))}

    await hosted.deposit(Annotation(package(name), update))


async def _logins(call: Call) -> list[str]:
    stated = parse_json(await read_body(call.body, limit=MAX_BODY))
    users = (stated.get("users") or stated.get("owners")) if isinstance(stated, dict) else None
    if not isinstance(users, list) or not users:
        raise Invalid("the body has no list of users", field="users")
    for login in users:
        if not isinstance(login, str) or not login.isprintable() or not 0 < len(login) <= MAX_LOGIN:
            raise Invalid("a user is not the text of a login", field="users")
    return users
