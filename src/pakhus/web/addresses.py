"""URLs → repositories: `/repository/<name>/`, the mounts of formats, ports and host names of single repositories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from pakhus.domain.errors import BadPath, RepositoryNotFound
from pakhus.engine.catalog import Catalog
from pakhus.kit.doors import Mount
from pakhus.kit.format import Format
from pakhus.kit.paths import Template, flaw, quoted, template
from pakhus.web.exchange import Exchange, Origins, decoded

PREFIX = "/repository/"

Locate = Callable[[str], tuple[str, str] | None]


@dataclass(frozen=True, slots=True)
class Address:
    """What a URL means: a path in a repository, or one of a format's entrance (then there is no repository).

    `link` writes paths of the repository in the client's terms, `locate` reads them. A mount that is not open leads to
    no repository of its format.
    """

    repository: str | None
    path: str
    link: Callable[[str], str]
    locate: Locate
    format: Format | None = None
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class _Mounted:
    format: Format
    mount: Mount
    outside: Template

    def read(self, path: str) -> tuple[str, str] | None:
        params = self.outside.match("/" + path)
        if params is None:
            return None
        return params["repository"], self.mount.inside.replace("{rest}", params["rest"])

    def write(self, base: str, repository: str, path: str) -> str:
        inner = self.mount.inside.partition("{rest")[0]
        if not path.startswith(inner):
            return f"{base}{PREFIX}{repository}/{quoted(path)}"
        prefix = self.mount.outside.replace("{repository}", repository).partition("{rest")[0]
        return f"{base}{prefix}{quoted(path[len(inner) :])}"


class Addresses:
    def __init__(self, catalog: Catalog, origins: Origins) -> None:
        self._catalog = catalog
        self._origins = origins
        formats = catalog.formats.values()
        self._mounts = [
            _Mounted(format, mount, template(mount.outside)) for format in formats for mount in format.mounts
        ]
        self._entrances = [(format, template(action.path)) for format in formats for action in format.entrance]
        self._insides = tuple("/" + each.mount.inside.partition("{")[0] for each in self._mounts)

    def leads_inside(self, exchange: Exchange) -> bool:
        """Is this for a repository or an entrance? Else it is for the rest of the application."""
        target = exchange.target
        return target.startswith((PREFIX, *self._insides)) or self._door(exchange) is not None

    def of(self, exchange: Exchange) -> Address:
        """Raises `RepositoryNotFound`, `BadPath`."""
        if (name := self._door(exchange)) is not None:
            base = self._origins.base_url(exchange, own_door=True)
            path = _checked(exchange.target.removeprefix("/"))
            return Address(name, path, lambda inner: f"{base}/{quoted(inner)}", lambda outer: (name, outer))
        base = self._origins.base_url(exchange)
        if exchange.target.startswith(PREFIX):
            return self._by_name(exchange.target[len(PREFIX) :], base)
        return self._by_mount(_checked(exchange.target.removeprefix("/")), base)

    def _door(self, exchange: Exchange) -> str | None:
        """The repository that has the port to itself, or the first label of the Host."""
        server = exchange.scope.get("server")
        if server is not None and (found := self._catalog.ports.get(server[1])) is not None:
            return found.repository
        if self._catalog.labels and exchange.target.startswith(self._insides):
            label, dot, _ = self._origins.host(exchange).partition(".")
            return self._catalog.labels.get(label.lower()) if dot else None
        return None

    def _by_name(self, rest: str, base: str) -> Address:
        name, slash, path = rest.partition("/")
        name = decoded(name)
        if not slash:
            raise BadPath(f"the URL of a repository ends with a slash: {PREFIX}{name}/")
        link = lambda inner: f"{base}{PREFIX}{name}/{quoted(inner)}"  # noqa: E731
        return Address(name, _checked(path), link, lambda outer: (name, outer))

    def _by_mount(self, path: str, base: str) -> Address:
        for format, pattern in self._entrances:
            if pattern.match(path) is not None:
                return Address(None, path, lambda inner: f"{base}/{quoted(inner)}", self._locator(format), format)
        for each in self._mounts:
            if (located := each.read(path)) is not None:
                link, locate = partial(each.write, base, located[0]), self._locator(each.format)
                return Address(*located, link, locate, each.format, self._is_open(each, located[0]))
        raise RepositoryNotFound("Repository not found")

    def _is_open(self, mounted: _Mounted, name: str) -> bool:
        found = self._catalog.find(name)
        if found is None or found.format != mounted.format.name:
            return False
        return mounted.mount.enabled(self._catalog.options(found))

    def _locator(self, format: Format) -> Locate:
        mounts = [each for each in self._mounts if each.format is format]

        def locate(path: str) -> tuple[str, str] | None:
            for each in mounts:
                if (located := each.read(path)) is not None:
                    return located
            return None

        return locate


def _checked(encoded: str) -> str:
    path = decoded(encoded)
    if problem := flaw(path):
        raise BadPath(problem)
    return path
