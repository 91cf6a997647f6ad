"""Distributions as document sets: published and signed in a hosted repository or a group, relayed by a proxy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pakhus.domain.content import Component, Query
from pakhus.domain.errors import BadPackage, Invalid
from pakhus.formats.apt import compression, indexes, model, release
from pakhus.formats.apt.model import Index, Model, check
from pakhus.formats.apt.places import AT, MAIN, SOURCE
from pakhus.formats.apt.release import Upstream
from pakhus.kit.context import Context, Signer
from pakhus.kit.format import DocumentSet, Published

DAY_SECONDS = 86_400
FLAT = "flat/"
ENTRIES = ("InRelease", "Release")


class _Signed(DocumentSet[Model]):
    """What both kinds of distribution share."""

    signed = True
    lasting_seconds = 1800

    def select(self, ctx: Context) -> Query:
        return Query()

    def entry(self, params: Mapping[str, str]) -> str:
        return f"{self.folder(params)}InRelease"

    def begins(self, path: str, params: Mapping[str, str]) -> bool:
        return path.removeprefix(self.folder(params)) in ENTRIES

    def merge(self, ctx: Context, models: Sequence[Model]) -> Model:
        return model.merged(models)

    def lifetime(self, ctx: Context) -> float | None:
        """Half of the time that the Release is valid."""
        days: int = ctx.settings.apt.valid_days
        return days * DAY_SECONDS / 2 if days else None

    def lasting(self, path: str) -> bool:
        return "/by-hash/" in path

    def immutable(self, ctx: Context) -> bool:
        return self.lasting(ctx.path)

    def content_type(self, path: str) -> str:
        if path.endswith((".gz", ".xz", ".zst", ".bz2", ".lzma")) or self.lasting(path):
            return "application/octet-stream"
        return "application/pgp-signature" if path.endswith(".gpg") else "text/plain; charset=utf-8"

    def listed(self, ctx: Context, entry: bytes) -> Sequence[str]:
        return [path for path, _ in self._wanted(ctx, release.read(entry)).values()]

    def parse(self, ctx: Context, files: Mapping[str, bytes]) -> Model:
        """Upstream's packages of the wanted architectures; what its Contents tell is left out."""
        found = release.read(files[self.entry(ctx.params)])
        texts: dict[Index, bytes] = {}
        for index, (path, listed) in self._wanted(ctx, found).items():
            if path in files:
                texts[index] = compression.plain(listed, check(files[path], found.files[listed], path))
            elif index.kind in ("deb", SOURCE):
                raise BadPackage(f"{path} is in the Release, and is not there")
        indexes: dict[Index, model.Entries] = {}
        for index, text in texts.items():
            if index.kind == "translation":
                continue
            translated = texts.get(Index(index.component, "translation", ""), b"")
            for entry in model.read_index(text, model.read_translation(translated) if index.kind == "deb" else {}):
                own = Index(index.component, index.kind, entry.architecture)
                indexes.setdefault(own, {})[entry.key] = entry
        return Model(indexes, self._architectures(ctx, found), found.components)

    def _architectures(self, ctx: Context, found: Upstream) -> tuple[str, ...]:
        wanted: Sequence[str] = ctx.settings.apt.architectures
        return tuple(each for each in found.architectures if each in wanted)

    def _wanted(self, ctx: Context, found: Upstream) -> dict[Index, tuple[str, str]]:
        """The path of each index that a group reads, and its name in the Release; the best encoding of each."""
        wanted: dict[Index, tuple[str, str]] = {}
        for index, name in self._names(ctx, found):
            listed = next((name + end for end in compression.READABLE if name + end in found.files), None)
            if listed is None:
                continue
            path = listed
            if found.by_hash:
                folder, slash, _ = listed.rpartition("/")
                path = f"{folder}{slash}by-hash/SHA256/{found.files[listed]}"
            wanted[index] = (self.folder(ctx.params) + path, listed)
        return wanted

    def _names(self, ctx: Context, found: Upstream) -> Iterator[tuple[Index, str]]:
        raise NotImplementedError


class Suite(_Signed):
    """`dists/{dist}/`."""

    path = "dists/{dist:[^/]+(?:/updates)?}/{file:path}"

    def admit(self, ctx: Context) -> None:
        settings = ctx.settings.apt
        if getattr(settings, "enforce_distribution", False) and ctx["dist"] != settings.distribution:
            raise Invalid(f"{ctx['dist']} is not the distribution of this repository")

    def affected(self, component: Component) -> Iterable[Mapping[str, str]]:
        places = [each for name, value in component.attributes.items() if name.startswith(AT) for each in value]
        return [{"dist": dist} for dist in sorted({each.partition(" ")[0] for each in places})]

    def folder(self, params: Mapping[str, str]) -> str:
        return f"dists/{params['dist']}/"

    def build(self, ctx: Context, components: Iterable[Component]) -> Model | None:
        """The default distribution, and what once had packages, is there without any: clients go on updating."""
        settings: Any = ctx.settings.apt
        found = list(components)
        built = model.from_components(found, ctx["dist"], settings.architectures)
        if built is None and (found or ctx["dist"] == settings.distribution):
            return Model({}, settings.architectures)
        return built

    def dump(self, ctx: Context, model: Model, sign: Signer) -> Iterator[Published]:
        folder = self.folder(ctx.params)
        return indexes.distribution(folder, ctx["dist"], model, ctx.settings.apt, ctx.repository, sign)

    def _names(self, ctx: Context, found: Upstream) -> Iterator[tuple[Index, str]]:
        wanted = [*self._architectures(ctx, found), "all"]
        for component in found.components or (MAIN,):
            short = component.rpartition("/")[2]
            for each in dict.fromkeys(wanted):
                yield Index(short, "deb", each), f"{component}/binary-{each}/Packages"
                yield Index(short, "udeb", each), f"{component}/debian-installer/binary-{each}/Packages"
            yield Index(short, SOURCE, SOURCE), f"{component}/source/Sources"
            yield Index(short, "translation", ""), f"{component}/i18n/Translation-en"


class FlatSuite(_Signed):
    """A repository without `dists/`: its indexes lie beside its packages. Hosted ones have theirs below `flat/`."""

    path = (
        r"{folder:(?:[^/]+/)*}"
        r"{file:(?:In)?Release|Release\.gpg|(?:Packages|Sources|Contents-[^/]+|Translation-[^/]+)(?:\.\w+)?|by-hash/.+}"
    )

    def admit(self, ctx: Context) -> None:
        if not getattr(ctx.settings.apt, "flat", True):
            raise Invalid("this repository is not flat")

    def affected(self, component: Component) -> Iterable[Mapping[str, str]]:
        return [{"folder": FLAT}] if any(name.startswith(AT) for name in component.attributes) else []

    def folder(self, params: Mapping[str, str]) -> str:
        return params["folder"]

    def build(self, ctx: Context, components: Iterable[Component]) -> Model | None:
        if ctx["folder"] != FLAT:
            return None
        found = model.from_components(components, None, ctx.settings.apt.architectures)
        return found or Model({}, ctx.settings.apt.architectures)

    def dump(self, ctx: Context, model: Model, sign: Signer) -> Iterator[Published]:
        return indexes.flat(ctx["folder"], model, ctx.settings.apt, ctx.repository, sign)

    def _names(self, ctx: Context, found: Upstream) -> Iterator[tuple[Index, str]]:
        yield Index("", "deb", "all"), "Packages"
        yield Index("", SOURCE, SOURCE), "Sources"
