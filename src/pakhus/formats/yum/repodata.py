"""`repodata/`: what a repository has, in the files that dnf, yum and zypper read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pakhus.domain.content import Component, Origin, Query
from pakhus.domain.errors import Invalid
from pakhus.formats.yum import documents, index, upstream
from pakhus.formats.yum.layout import KEY_PATH, REPODATA, SET_PATH, bases, depth_of
from pakhus.formats.yum.listed import Listed, held
from pakhus.formats.yum.mirrors import located
from pakhus.kit.context import Context, Signer, Upstream
from pakhus.kit.format import DocumentSet, PublicKey, Published

ENTRY, SIGNATURE = "repomd.xml", "repomd.xml.asc"
_NAMED_BY_DIGEST = re.compile(r"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})-[^/]+")
TYPES = {
    ".xml": "application/xml",
    ".gz": "application/gzip",
    ".zst": "application/zstd",
    ".asc": "application/pgp-signature",
}


@dataclass(frozen=True, slots=True)
class Repository:
    """Packages in the order of the lists, and documents by kind, in the order in which they are merged."""

    packages: Sequence[Listed]
    documents: Sequence[tuple[str, bytes]]


class Repodata(DocumentSet[Repository]):
    path = SET_PATH
    signed = True

    def admit(self, ctx: Context) -> None:
        """A hosted repository has its `repodata/` at one depth; others wherever their upstream or members have it."""
        options = getattr(ctx.settings, "yum", None)
        depth = getattr(options, "repodata_depth", None)
        if depth is not None and depth_of(ctx.params.get("base", "")) != depth:
            raise Invalid(f"repodata/ lies at the depth of {depth} folders")

    def select(self, ctx: Context) -> Query | Sequence[Query]:
        """What was uploaded while the depth was 0 is in no namespace."""
        base = ctx.params.get("base", "")
        if not base:
            return Query()
        return [Query(namespace=base.partition("/")[0]), Query(namespace="")]

    def affected(self, component: Component) -> Iterable[Mapping[str, str]]:
        """Of the folders above each file one is right: the publisher finds no set in the others."""
        return [{"base": base} for base in dict.fromkeys(b for asset in component.assets for b in bases(asset.path))]

    def folder(self, params: Mapping[str, str]) -> str:
        return params.get("base", "") + REPODATA

    def entry(self, params: Mapping[str, str]) -> str:
        return self.folder(params) + ENTRY

    def companions(self, params: Mapping[str, str]) -> Sequence[str]:
        return [self.folder(params) + SIGNATURE]

    def build(self, ctx: Context, components: Iterable[Component]) -> Repository | None:
        base = ctx.params.get("base", "")
        packages: list[Listed] = []
        found: list[tuple[str, str, bytes]] = []
        for component in components:
            for asset in component.assets:
                if (package := held(asset, base)) is not None:
                    packages.append(package)
                elif (document := documents.held(asset, base)) is not None:
                    found.append((asset.path, *document))
        if base and not packages and not found:
            return None
        return Repository(in_order(packages), [(kind, text) for _, kind, text in sorted(found)])

    def listed(self, ctx: Context, entry: bytes) -> Sequence[str]:
        return [ctx.params.get("base", "") + record.path for record in upstream.records(entry).values()]

    def parse(self, ctx: Context, files: Mapping[str, bytes]) -> Repository:
        base = ctx.params.get("base", "")
        packages, found = upstream.contents(
            files[self.entry(ctx.params)], {path.removeprefix(base): content for path, content in files.items()}
        )
        return Repository(in_order(packages), found)

    def merge(self, ctx: Context, models: Sequence[Repository]) -> Repository:
        """All packages; of two that a client could not tell apart, or that lie under one path, the first member's."""
        packages: list[Listed] = []
        identities, paths = set(), set()
        for model in models:
            packages.extend(
                package
                for package in model.packages
                if package.identity not in identities and package.path not in paths
            )
            identities |= {package.identity for package in model.packages}
            paths |= {package.path for package in model.packages}
        return Repository(in_order(packages), [document for model in models for document in model.documents])

    def dump(self, ctx: Context, model: Repository, sign: Signer) -> Iterator[Published]:
        folder = self.folder(ctx.params)
        codec = index.CODECS[ctx.settings.yum.compression]
        records = [*index.lists(model.packages, codec), *documents.records(model.documents, codec)]
        for record in records:
            yield folder + record.filename, record.chunks
        entry = index.repomd(records, int(sign.moment.timestamp()))
        yield folder + SIGNATURE, [sign.detached(entry)]
        yield folder + ENTRY, [entry]

    def lasting(self, path: str) -> bool:
        return _NAMED_BY_DIGEST.fullmatch(path.rpartition("/")[2]) is not None

    def immutable(self, ctx: Context) -> bool:
        return self.lasting(ctx.path)

    def content_type(self, path: str) -> str:
        return next((kind for ending, kind in TYPES.items() if path.endswith(ending)), super().content_type(path))

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        return await located(ctx.path, upstream, by_digest=self.immutable(ctx))


class Key(PublicKey):
    """Where zypper looks for it, and where `gpgkey` may point."""

    path = KEY_PATH

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        return await located(ctx.path, upstream, by_digest=False)


def in_order(packages: Iterable[Listed]) -> list[Listed]:
    """By name and place, so that equal repositories have equal lists."""
    return sorted(packages, key=lambda package: (package.identity.name, package.path))


REPODATA_SET = Repodata()
