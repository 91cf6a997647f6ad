"""Uploads through REST and UI: a form becomes files and fields, is checked against what the format declares, and kept.

Files stream to drafts as they arrive. Names may carry the format as a prefix: `raw.asset1.filename` is the field
`filename` of the file `raw.asset1`; fields that belong to no file are the component's.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Mapping, Sequence
from dataclasses import dataclass, field

from pakhus.domain.errors import Forbidden, Invalid
from pakhus.domain.repository import HOSTED, Repository
from pakhus.domain.security import Actor, Permission, may
from pakhus.engine.catalog import Catalog
from pakhus.engine.content import Engine
from pakhus.kit.context import Context, Draft, Form, UploadedAsset
from pakhus.kit.format import Field, Format, UploadForm
from pakhus.kit.forms import MULTIPART, FormData, read_form
from pakhus.kit.paths import quoted

ASSET = re.compile(r"(?:\w+\.)?asset\d*")
OF_ASSET = re.compile(r"(asset\d*)\.(.+)")


@dataclass(slots=True)
class _Sorted:
    """A form's parts without the format's prefix: the component's fields, and those of each file by its name."""

    component: dict[str, str] = field(default_factory=dict)
    of_asset: dict[str, dict[str, str]] = field(default_factory=dict)


class Uploads:
    def __init__(self, catalog: Catalog, engine: Engine) -> None:
        self._catalog = catalog
        self._engine = engine

    async def receive(
        self, repository: Repository, actor: Actor, body: AsyncIterable[bytes], content_type: str, *, base_url: str
    ) -> None:
        """Take a form and keep its files. Raises `Invalid` in Nexus's words."""
        format = self._catalog.format(repository)
        upload = self._accepting(repository, format, actor)
        if content_type.partition(";")[0].strip().lower() != MULTIPART:
            raise Invalid("Expected multipart Content-Type")
        drafts: list[Draft] = []

        async def keep(chunks: AsyncIterable[bytes]) -> Draft:
            draft = await self._engine.depositor.receive(repository, chunks)
            drafts.append(draft)
            return draft

        try:
            parts = await read_form(body, content_type, keep, file_fields=_is_file)
            form = checked(upload, sorted_form(parts, format))
            await upload.run(form, self._engine.hosted(repository, actor, self._context(repository, base_url)))
        finally:
            # What was kept is spared; all else leaves the disk.
            for draft in drafts:
                await draft.cancel()

    def specifications(self) -> list[tuple[Format, UploadForm]]:
        """The formats that take uploads, by name."""
        formats = (self._catalog.formats[name] for name in sorted(self._catalog.formats))
        return [(format, format.upload) for format in formats if format.upload is not None]

    def _accepting(self, repository: Repository, format: Format, actor: Actor) -> UploadForm:
        if not any(may(actor, each, repository, None).allowed for each in (Permission.ADD, Permission.EDIT)):
            raise Forbidden(may(actor, Permission.ADD, repository, None).reason)
        if repository.type not in HOSTED:
            kind = repository.type.value
            raise Invalid(f"Uploading components to a '{kind}' type repository is unsupported, must be 'hosted'")
        if not repository.online:
            raise Invalid("Repository offline")
        if format.upload is None:
            raise Invalid(f"Uploading components to '{format.name}' repositories is unsupported")
        return format.upload

    def _context(self, repository: Repository, base_url: str) -> Context:
        return Context(
            repository=repository.name,
            path="",
            params={},
            query={},
            accept="",
            settings=self._catalog.options(repository),
            link=lambda path: f"{base_url}/repository/{quoted(repository.name)}/{quoted(path)}",
        )


def _is_file(name: str, content_type: str) -> bool:
    """A part without filename is a file when it is named like one and says what it is."""
    return bool(content_type) and ASSET.fullmatch(name) is not None


def sorted_form(parts: FormData, format: Format) -> Form:
    """The form in the format's terms: prefixes gone, blank fields dropped, fields with the files they belong to."""
    files = [(_bare(each.name, format), each) for each in parts.files]
    named = {name for name, _ in files}
    found = _Sorted()
    for full, value in parts.fields:
        name = _bare(full, format)
        if not value.strip():
            continue
        owner = OF_ASSET.fullmatch(name)
        prefix = next((each for each in named if name.startswith(each + ".")), None)
        if prefix is not None:
            found.of_asset.setdefault(prefix, {})[name.removeprefix(prefix + ".")] = value
        elif owner is not None:
            found.of_asset.setdefault(owner[1], {})[owner[2]] = value
        else:
            found.component[name] = value
    if set(found.of_asset) - named:
        raise Invalid("Missing file on asset")
    assets = [UploadedAsset(name, each.filename, each.draft, found.of_asset.get(name, {})) for name, each in files]
    return Form(found.component, tuple(assets))


def _bare(name: str, format: Format) -> str:
    for prefix in (format.name, format.segment):
        if prefix and name.startswith(prefix + "."):
            return name.removeprefix(prefix + ".")
    return name


def checked(upload: UploadForm, form: Form) -> Form:
    """The form, if it has what the format declares."""
    if not form.assets:
        raise Invalid("No assets found in upload")
    known = {each.name for each in upload.component_fields}
    for name in form.fields:
        if name not in known:
            raise Invalid(f"Unknown component field '{name}'")
    if not upload.complete(form):
        for each in _missing(upload.component_fields, form.fields):
            raise Invalid(f"Missing required component field '{label(each)}'")
    for position, asset in enumerate(form.assets, 1):
        for each in _missing(upload.asset_fields, asset.fields):
            raise Invalid(f"Missing required asset field '{label(each)}' on '{position}'")
    if upload.asset_fields:  # files without fields say themselves what they are
        _refuse_twins(form.assets)
    return form


def _missing(declared: Sequence[Field], given: Mapping[str, str]) -> list[str]:
    return [each.name for each in declared if not each.optional and each.name not in given]


def _refuse_twins(assets: Sequence[UploadedAsset]) -> None:
    seen: list[Mapping[str, str]] = []
    for position, asset in enumerate(assets, 1):
        if asset.fields in seen:
            raise Invalid(f"The assets {seen.index(asset.fields) + 1} and {position} have identical coordinates")
        seen.append(asset.fields)


def label(name: str) -> str:
    """A field's name as people read it: `groupId` is "Group ID"."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|-", " ", name).split()
    return " ".join("ID" if word.lower() == "id" else word[:1].upper() + word[1:] for word in words)
