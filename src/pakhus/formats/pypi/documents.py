"""The documents of an index: a project's page, the list of projects, and the legacy JSON API's view of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pakhus.domain.content import Asset, Component, Origin, Query
from pakhus.domain.errors import UpstreamRefused
from pakhus.formats.pypi import simple
from pakhus.formats.pypi.filenames import METADATA, normalise, provenance_path, understand
from pakhus.formats.pypi.simple import Project, ProjectFile
from pakhus.kit.context import Context, Headers, Upstream
from pakhus.kit.format import Document


def index_path(ctx: Context) -> str:
    """Where the upstream has its simple index, below its URL; only proxies ask."""
    path: str = ctx.settings.pypi.index_path
    return path


def _negotiated(ctx: Context) -> Headers:
    settled = simple.settled(ctx.accept)
    return {"content-type": settled} if settled != ctx.accept else {}


class ProjectPage(Document[Project]):
    """`simple/{name}/`: the files of a project."""

    path = "simple/{name}/"
    media_types = simple.MEDIA_TYPES
    upstream_accept = simple.UPSTREAM_ACCEPT

    def build(self, ctx: Context, components: Iterable[Component]) -> Project | None:
        held = [(component, component_files(component)) for component in components]
        files = sorted((file for _, found in held for file in found), key=lambda file: file.filename)
        if not files:
            return None
        return Project(
            ctx["name"], tuple(files), simple.ordered(component.version for component, found in held if found)
        )

    def parse(self, ctx: Context, body: bytes) -> Project:
        return simple.read_project(ctx, body, ctx["name"])

    def merge(self, ctx: Context, models: Sequence[Project]) -> Project:
        """Each file name once, from the first member that has it: the one whose bytes a download gives."""
        files: dict[str, ProjectFile] = {}
        for model in models:
            for file in model.files:
                files.setdefault(file.filename, file)
        stated = next((model for model in models if model.status), models[0])
        return Project(
            ctx["name"],
            tuple(files.values()),
            simple.ordered(version for model in models for version in model.versions),
            status=stated.status,
            status_reason=stated.status_reason,
            tracks=tuple(dict.fromkeys(url for model in models for url in model.tracks)),
            alternates=tuple(dict.fromkeys(url for model in models for url in model.alternates)),
        )

    def dump(self, ctx: Context, model: Project) -> bytes:
        return simple.write_project(ctx, model)

    def headers(self, ctx: Context, model: object) -> Headers:
        return _negotiated(ctx)

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        return Origin(f"{index_path(ctx)}{ctx['name']}/")


class RootIndex(Document[tuple[str, ...]]):
    """`simple/`: the names of all projects, normalised."""

    path = "simple/"
    media_types = simple.MEDIA_TYPES
    upstream_accept = simple.UPSTREAM_ACCEPT

    def select(self, ctx: Context) -> Query:
        return Query(packages=True)

    def build(self, ctx: Context, components: Iterable[Component]) -> tuple[str, ...]:
        return tuple(sorted({component.name for component in components}))

    def parse(self, ctx: Context, body: bytes) -> tuple[str, ...]:
        return tuple(sorted({normalise(name) for name in simple.read_index(body)}))

    def merge(self, ctx: Context, models: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
        return tuple(sorted(set().union(*models)))

    def dump(self, ctx: Context, model: tuple[str, ...]) -> bytes:
        return simple.write_index(ctx, model)

    def headers(self, ctx: Context, model: object) -> Headers:
        return _negotiated(ctx)

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        return Origin(index_path(ctx))


PROJECT = ProjectPage()
ROOT = RootIndex()


def timestamp(moment: datetime) -> str:
    """ISO 8601 in UTC with "Z", as PEP 700 wants it."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def distributions(component: Component) -> list[Asset]:
    """The assets that are distributions, without the files that accompany them, by file name."""
    found = [asset for asset in component.assets if asset.path.startswith("packages/")]
    return sorted(
        (asset for asset in found if understand(asset.filename, component.name)), key=lambda asset: asset.filename
    )


def component_files(component: Component) -> list[ProjectFile]:
    """The files of a release, as the page of its project lists them."""
    beside = {asset.path: asset for asset in component.assets}
    return [_project_file(component, asset, beside) for asset in distributions(component)]


def _project_file(component: Component, asset: Asset, beside: Mapping[str, Asset]) -> ProjectFile:
    metadata = beside.get(asset.path + METADATA)
    provenance = beside.get(provenance_path(asset.path))
    # Provenance speaks of bytes: what was told of a file that has been replaced since says nothing of this one.
    attested = provenance is not None and provenance.attributes.get("subject") == asset.blob.digests.sha256
    return ProjectFile(
        asset.filename,
        asset.path,
        hashes={"sha256": asset.blob.digests.sha256},
        requires_python=asset.attributes.get("requires_python", ""),
        size=asset.blob.size,
        upload_time=timestamp(asset.updated),
        yanked=component.attributes.get("yanked"),
        metadata={"sha256": metadata.blob.digests.sha256} if metadata else None,
        provenance=provenance.path if provenance and attested else "",
    )


def json_object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UpstreamRefused(f"{what} is not a JSON object")
    return value
