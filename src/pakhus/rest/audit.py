"""The audit: who did what, page by page or as one file; how long it is kept; downloads. Native API."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from pakhus.database.audit import Download, Sought
from pakhus.domain.audit import Link
from pakhus.domain.errors import Invalid
from pakhus.rest.bodies import Moment, NativeShape, Taking
from pakhus.rest.rights import Here, needs
from pakhus.services.audit import COLUMNS, AuditSettings, as_csv, as_ndjson, csv_row

PLUS = re.compile(r"(?<=:\d\d) (\d\d:?\d\d)\Z")
"""The sign of an offset, which a URL that was not quoted turns into a blank."""
router = APIRouter(prefix="/audit", tags=["audit"])
Token = Annotated[str | None, Query(alias="continuation_token", description="Of the page before.")]
Limit = Annotated[int, Query(description="Entries of a page, 1000 at most.")]


class AuditEntryXO(NativeShape):
    """One entry. `previous` and `hash` link it to the one before."""

    id: int
    time: str
    user: str
    source: str
    credential: str
    address: str
    request_id: str
    action: str
    repository: str
    subject: str
    result: str
    details: dict[str, Any]
    before: Any
    after: Any
    previous: str
    hash: str


class AuditPageXO(NativeShape):
    items: list[AuditEntryXO]
    continuation_token: str | None


class DownloadXO(NativeShape):
    id: int
    time: Moment
    user: str
    credential: str
    address: str
    request_id: str
    repository: str
    path: str
    size: int


class DownloadPageXO(NativeShape):
    items: list[DownloadXO]
    continuation_token: str | None


class AuditHeadXO(NativeShape):
    """The newest entry, and the last one that retention removed (0: none)."""

    position: int
    hash: str
    floor: int


class AuditSettingsXO(NativeShape):
    """`retention_days` null: entries stay for ever."""

    retention_days: int | None = AuditSettings().retention_days
    downloads: bool = AuditSettings().downloads
    downloads_retention_days: int = AuditSettings().downloads_retention_days


def _sought(
    since: Annotated[str, Query(alias="from", description="ISO 8601; from this moment on.")] = "",
    until: Annotated[str, Query(alias="to", description="ISO 8601; before this moment.")] = "",
    user: str = "",
    action: Annotated[str, Query(description="As `repository.updated`.")] = "",
    type: Annotated[str, Query(description="The first word of actions, as `repository`.")] = "",
    repository: str = "",
    subject: Annotated[str, Query(description="How the subject begins: a path, a name.")] = "",
    result: Literal["", "success", "refused"] = "",
    address: str = "",
    request_id: str = "",
) -> Sought:
    moments = (_moment(since, "from"), _moment(until, "to"))
    return Sought(*moments, user, action, type, repository, subject, result, address, request_id)


Filter = Annotated[Sought, Depends(_sought)]


@router.get("", dependencies=needs("audit", "read"))
async def entries(sought: Filter, services: Here, token: Token = None, limit: Limit = 100) -> AuditPageXO:
    """Entries, the newest first."""
    page = await services.audit.page(sought, token=token, limit=limit)
    return AuditPageXO(items=[_shown(link) for link in page.items], continuation_token=page.token)


@router.get("/export", dependencies=needs("audit", "read"), response_class=Response)
async def export(
    sought: Filter, services: Here, format: Annotated[Literal["ndjson", "csv"], Query()] = "ndjson"
) -> StreamingResponse:
    """All entries, the oldest first: one JSON object a line, or CSV."""
    as_table = format == "csv"
    head = csv_row(list(COLUMNS)) if as_table else ""
    lines = services.audit.export(sought, as_csv if as_table else as_ndjson, first=head)
    headers = {"content-disposition": f'attachment; filename="audit.{format}"', "cache-control": "no-store"}
    return StreamingResponse(lines, 200, headers, "text/csv" if as_table else "application/x-ndjson")


@router.get("/head", dependencies=needs("audit", "read"))
async def head(services: Here) -> AuditHeadXO:
    """The end of the chain: keep it elsewhere, and nobody can cut off what is before it unnoticed."""
    found = await services.audit.head()
    return AuditHeadXO(position=found.position, hash=found.hash, floor=found.floor)


@router.get("/downloads", dependencies=needs("audit", "read"))
async def downloads(sought: Filter, services: Here, token: Token = None, limit: Limit = 100) -> DownloadPageXO:
    """Downloads, the newest first, where they are written down; `action`, `type` and `result` mean nothing here."""
    page = await services.audit.downloads(sought, token=token, limit=limit)
    return DownloadPageXO(items=[_download(each) for each in page.items], continuation_token=page.token)


@router.get("/settings", dependencies=needs("audit", "read"))
async def settings(services: Here) -> AuditSettingsXO:
    return _settings(await services.audit.settings())


@router.put("/settings", dependencies=needs("audit", "update"))
async def configure(
    body: Annotated[AuditSettingsXO, Depends(Taking(AuditSettingsXO))], services: Here
) -> AuditSettingsXO:
    """Takes effect at once; what is too old goes within the hour."""
    wanted = AuditSettings(body.retention_days, body.downloads, body.downloads_retention_days)
    kept = await services.audit.configure(wanted)
    await services.download_log.refresh()
    return _settings(kept)


def _settings(kept: AuditSettings) -> AuditSettingsXO:
    return AuditSettingsXO(
        retention_days=kept.retention_days,
        downloads=kept.downloads,
        downloads_retention_days=kept.downloads_retention_days,
    )


def _shown(link: Link) -> AuditEntryXO:
    return AuditEntryXO(**link.as_mapping())


def _download(found: Download) -> DownloadXO:
    return DownloadXO(
        id=found.id,
        time=found.moment,
        user=found.user,
        credential=found.credential,
        address=found.address,
        request_id=found.request_id,
        repository=found.repository,
        path=found.path,
        size=found.size,
    )


def _moment(text: str, member: str) -> datetime | None:
    """The moment; without an offset it is UTC."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(PLUS.sub(r"+\1", text))
    except ValueError as error:
        raise Invalid("must be a date or a time in ISO 8601", field=member) from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
