"""Charts come in by a PUT of the file, by ChartMuseum's API, or by the REST upload; all are checked the same way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pakhus.domain.content import Coordinates, Facts
from pakhus.domain.errors import AssetNotFound, BadPackage, DigestMismatch, Invalid
from pakhus.formats.helm.chart import MAX_PROVENANCE, Chart, Provenance, read_chart, read_provenance
from pakhus.formats.helm.files import CHART_TYPE, PROVENANCE_TYPE
from pakhus.formats.helm.names import CHART, PROVENANCE
from pakhus.kit.context import Call, Change, Deposit, Draft, Form, Hosted, Removal, Reply
from pakhus.kit.forms import MULTIPART
from pakhus.kit.wire import dump_json, read_form

JSON = {"content-type": "application/json"}
SUM = "chart_sha256"
"""Attribute of a provenance file: the digest of the chart that it is about."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What one request brings: a chart, its provenance, or both."""

    chart: Draft | None = None
    provenance: Draft | None = None

    async def cancel(self) -> None:
        for draft in (self.chart, self.provenance):
            if draft is not None:
                await draft.cancel()


async def put_chart(call: Call, hosted: Hosted) -> Reply:
    """`PUT {name}-{version}.tgz`. Nexus answers 200."""
    await keep(Upload(chart=await hosted.draft(call.body)), hosted, path=call.ctx.path)
    return Reply(200)


async def put_provenance(call: Call, hosted: Hosted) -> Reply:
    """`PUT {name}-{version}.tgz.prov`."""
    draft = await hosted.draft(call.body, limit=MAX_PROVENANCE)
    await keep(Upload(provenance=draft), hosted, path=call.ctx.path.removesuffix(PROVENANCE))
    return Reply(200)


async def post_chart(call: Call, hosted: Hosted) -> Reply:
    """`POST api/charts`: the bare archive, or a form with the files `chart` and `prov`."""
    if _is_form(call):
        upload = await _form(call, hosted)
    else:
        upload = Upload(chart=await hosted.draft(call.body))
    await keep(upload, hosted)
    return _said(201, saved=True)


async def post_provenance(call: Call, hosted: Hosted) -> Reply:
    """`POST api/prov`: the bare file, or a form with the file `prov`."""
    if _is_form(call):
        upload = await _form(call, hosted)
    else:
        upload = Upload(provenance=await hosted.draft(call.body, limit=MAX_PROVENANCE))
    await keep(upload, hosted)
    return _said(201, saved=True)


def _is_form(call: Call) -> bool:
    return call.headers.get("content-type", "").partition(";")[0].strip().lower() == MULTIPART


async def _form(call: Call, hosted: Hosted) -> Upload:
    form = await read_form(
        call.body,
        call.headers.get("content-type", ""),
        hosted.draft,
        file_fields=lambda name, content_type: name in ("chart", "prov"),
    )
    named: dict[str, Draft] = {}
    for file in form.files:
        if file.name in named or file.name not in ("chart", "prov"):
            for each in form.files:
                await each.draft.cancel()
            raise Invalid("the form takes one file named chart and one named prov", field=file.name)
        named[file.name] = file.draft
    return Upload(named.get("chart"), named.get("prov"))


async def store(form: Form, hosted: Hosted) -> None:
    """The REST upload: a chart or a provenance file, which say everything themselves."""
    for asset in form.assets:
        is_provenance = asset.filename.endswith(PROVENANCE)
        await keep(Upload(provenance=asset.draft) if is_provenance else Upload(chart=asset.draft), hosted)


async def keep(upload: Upload, hosted: Hosted, *, path: str = "") -> None:
    """Check what came and keep it, in one transaction. `path` is where the chart must belong, if the client said so."""
    try:
        changes = await _changes(upload, hosted, path)
        await hosted.deposit(*changes)
    except BaseException:
        await upload.cancel()
        raise


async def _changes(upload: Upload, hosted: Hosted, path: str) -> list[Change]:
    changes: list[Change] = []
    chart = await asyncio.to_thread(_read_chart, upload.chart) if upload.chart is not None else None
    signed = await asyncio.to_thread(_read_provenance, upload.provenance) if upload.provenance is not None else None
    _check(upload, chart, signed, path)
    if chart is not None and upload.chart is not None:
        changes.append(Deposit(chart.path, upload.chart, chart.coordinates, chart.facts, CHART_TYPE))
        if signed is None:
            changes.extend(await _outdated(chart.path + PROVENANCE, upload.chart.digests.sha256, hosted))
    if signed is not None and upload.provenance is not None:
        about = Facts(asset={SUM: signed.sha256})
        target, coordinates = signed.chart.path + PROVENANCE, signed.chart.coordinates
        changes.append(Deposit(target, upload.provenance, coordinates, about, PROVENANCE_TYPE))
    return changes


def _check(upload: Upload, chart: Chart | None, signed: Provenance | None, path: str) -> None:
    """What came together belongs together, and under the path that it was sent to."""
    if chart is None and signed is None:
        raise Invalid("the request brings no chart and no provenance file", field="chart")
    for each in (chart, signed.chart if signed else None):
        if each is not None and path and each.path != path:
            raise BadPackage(f"this is {each.name} {each.version}: it belongs to {each.path}, not to {path}")
    if chart is None or signed is None or upload.chart is None:
        return
    if signed.chart.path != chart.path:
        raise BadPackage(f"the provenance file is about {signed.chart.path}, the chart is {chart.path}")
    if signed.sha256 != upload.chart.digests.sha256:
        raise DigestMismatch(f"the provenance file promises sha256 {signed.sha256} of {chart.path}, which has another")


async def _outdated(path: str, sha256: str, hosted: Hosted) -> list[Change]:
    """The provenance of a chart that is now replaced by another: nobody has signed what comes."""
    held = await hosted.asset(path)
    return [Removal(path=path)] if held is not None and held.attributes.get(SUM) != sha256 else []


def _read_chart(draft: Draft) -> Chart:
    with draft.open() as body:
        return read_chart(body)


def _read_provenance(draft: Draft) -> Provenance:
    if draft.size > MAX_PROVENANCE:
        raise BadPackage(f"the provenance file has more than {MAX_PROVENANCE} bytes")
    with draft.open() as body:
        return read_provenance(body.read())


async def remove_file(call: Call, hosted: Hosted) -> Reply:
    """`DELETE` of a chart, which takes its provenance with it, or of a provenance file."""
    path = call.ctx.path
    if await hosted.asset(path) is None:
        raise AssetNotFound(f"{path} is not here")
    beside = [path + PROVENANCE] if path.endswith(CHART) and await hosted.asset(path + PROVENANCE) else []
    await hosted.deposit(*(Removal(path=each) for each in (path, *beside)))
    return Reply(204)


async def remove_version(call: Call, hosted: Hosted) -> Reply:
    """`DELETE api/charts/{name}/{version}`."""
    await hosted.deposit(Removal(coordinates=Coordinates(call.ctx["name"], call.ctx["version"])))
    return _said(200, deleted=True)


def _said(status: int, **said: bool) -> Reply:
    return Reply(status, dump_json(said), JSON)
