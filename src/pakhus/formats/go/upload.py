"""Publishing: a module zip enters, by PUT or by the REST upload, and brings its go.mod and its version's JSON along."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from pakhus.domain.content import Coordinates, Facts
from pakhus.domain.errors import Invalid
from pakhus.formats.go import modulezip, names
from pakhus.formats.go.documents import commit_time, stamp
from pakhus.formats.go.files import GoModFile, ModuleZip, VersionInfo
from pakhus.kit.context import Call, Deposit, Draft, Form, Hosted, Removal, Reply
from pakhus.kit.format import Field, UploadForm
from pakhus.kit.wire import dump_json


async def receive(call: Call, hosted: Hosted) -> Reply:
    """`PUT {module}/@v/{version}.zip`."""
    module = names.coordinates(call.ctx["module"], call.ctx["version"])
    await publish(await hosted.draft(call.body, limit=modulezip.MAX_ZIP), module, hosted)
    return Reply(201)


async def remove(call: Call, hosted: Hosted) -> Reply:
    """`DELETE` of a zip takes the version's other files along."""
    module = names.coordinates(call.ctx["module"], call.ctx["version"])
    await hosted.deposit(Removal(coordinates=module))
    return Reply(204)


async def store(form: Form, hosted: Hosted) -> None:
    """The REST upload: module and version are those that the zip was made for."""
    if len(form.assets) != 1:
        raise Invalid("a module is one zip")
    draft = form.assets[0].draft
    module = await asyncio.to_thread(_named, draft)
    version = form.fields.get("version", "").strip()
    if version and version != module.version:
        raise Invalid(f"the zip was made for {module.name}@{module.version}, not for {version}", field="version")
    await publish(draft, module, hosted)


async def publish(draft: Draft, module: Coordinates, hosted: Hosted) -> None:
    """Check the zip by all rules; store it and what follows from it, in one transaction."""
    try:
        content, gomod, zip_hash = await asyncio.to_thread(_examined, draft, module)
    except BaseException:
        await draft.cancel()
        raise
    published = commit_time(module.version)
    time = stamp(published or datetime.now(UTC))
    info = dump_json({"Version": module.version, "Time": time})
    facts = Facts({**content.attributes, "time": time}, {"h1": zip_hash}, published)

    def derived(suffix: str, body: bytes, media_type: str, **attributes: str) -> Deposit:
        # The zip decides by the write policy whether the version may be replaced; these two follow it.
        path = names.module_path(module.name, module.version, suffix)
        return Deposit(path, body, module, Facts(asset=attributes), media_type, rewritable=True)

    await hosted.deposit(
        Deposit(names.module_path(module.name, module.version, ".zip"), draft, module, facts, ModuleZip.media_type),
        derived(".mod", gomod, GoModFile.media_type, h1=modulezip.gomod_hash(gomod)),
        derived(".info", info, VersionInfo.media_type),
    )


def _named(draft: Draft) -> Coordinates:
    with draft.open() as body:
        return modulezip.named(body)


def _examined(draft: Draft, module: Coordinates) -> tuple[modulezip.ModuleContent, bytes, str]:
    """What the zip says, its go.mod or the one made up for it, and its hash. Raises `BadPackage`."""
    with draft.open() as body:
        modulezip.check(body, module)
        content = modulezip.read(body, module)
        gomod = modulezip.check_gomod(content.gomod, module)
        return content, gomod, modulezip.zip_hash(body)


UPLOAD = UploadForm(
    run=store,
    component_fields=(Field("version", description="Version"),),
)
