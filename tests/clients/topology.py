"""One format in every shape a client can meet: hosted, proxy, group, nested group; all private, on two servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.clients.server import ADMIN, Server

SHAPES = ("hosted", "proxy", "group", "nested")
"""What a read is tried through. `nested` is a group whose only members are groups."""


@dataclass
class Topology:
    """Two servers. `near` is the one that clients talk to; `far` is the upstream of its proxy, and private too.

    On `near`: `<format>-hosted`; `<format>-proxy` of the far hosted repository; the groups `<format>-group` (hosted,
    proxy), `<format>-proxies` (proxy only), `<format>-nested` (of those two groups). On `far`: `<format>-upstream`.
    """

    format: str
    near: Server
    far: Server

    def name(self, shape: str) -> str:
        return f"{self.format}-{shape}"

    def url(self, shape: str, path: str = "") -> str:
        """The URL of the repository of that shape, with the slash at its end."""
        server = self.far if shape == "upstream" else self.near
        return server.at(self.name(shape), path)

    def login_url(self, shape: str, path: str = "", *, user: tuple[str, str] = ADMIN) -> str:
        """The same with the credentials in it."""
        server = self.far if shape == "upstream" else self.near
        return server.authority(self.name(shape), path, user=user)

    def source(self, shape: str) -> str:
        """Where to publish so that a read through `shape` finds it: `hosted` here, or `upstream` for a proxy."""
        return "upstream" if shape in ("proxy", "proxies") else "hosted"

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        """The upstream is gone, as when its machine is down; it is back afterwards, with what it had."""
        self.far.stop()
        try:
            yield
        finally:
            self.far.start()

    @contextmanager
    def blocked(self) -> Iterator[None]:
        """An administrator has blocked the upstream."""
        self.near.change(self.format, "proxy", self.name("proxy"), httpClient={"blocked": True})
        try:
            yield
        finally:
            self.near.change(self.format, "proxy", self.name("proxy"), httpClient={"blocked": False})


def build(format: str, near: Server, far: Server, **settings: dict[str, Any]) -> Topology:
    """Create the repositories. `settings` may give `hosted`, `proxy` and `group` members of their REST bodies."""
    shape = Topology(format, near, far)
    hosted, proxy, group = (settings.get(type, {}) for type in ("hosted", "proxy", "group"))
    far.create(format, "hosted", shape.name("upstream"), **hosted)
    login = far.reader(f"{format}-puller", format, shape.name("upstream"))
    near.create(format, "hosted", shape.name("hosted"), **hosted)
    near.create(format, "proxy", shape.name("proxy"), remote=shape.url("upstream"), login=login, **proxy)
    near.create(format, "group", shape.name("group"), members=[shape.name("hosted"), shape.name("proxy")], **group)
    near.create(format, "group", shape.name("proxies"), members=[shape.name("proxy")], **group)
    near.create(format, "group", shape.name("nested"), members=[shape.name("proxies"), shape.name("group")], **group)
    return shape
