"""Raw: any file under any path, as `curl` and `wget` use it.

Nexus's words: the component's group is the folder (`/` for the root), its name is the path, it has no version.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import ClassVar, Literal
from urllib.parse import quote

from pydantic import Field as Option

from pakhus.domain.content import Coordinates
from pakhus.domain.errors import Invalid
from pakhus.domain.repository import RepositoryType
from pakhus.kit.context import Content, Context, Form, Headers, Hosted, Settings
from pakhus.kit.format import Drop, Field, Format, Snippet, UploadForm
from pakhus.kit.paths import flaw


class RawOptions(Settings):
    content_disposition: Literal["INLINE", "ATTACHMENT"] = "ATTACHMENT"


class RawSettings(Settings):
    raw: RawOptions = Option(default_factory=RawOptions)


class Anything(Drop):
    path = "{path:path}"

    def identify(self, ctx: Context) -> Coordinates | None:
        folder = PurePosixPath("/" + ctx.path).parent
        return Coordinates(ctx.path, namespace=str(folder))

    def headers(self, ctx: Context, content: Content) -> Headers:
        kind = ctx.settings.raw.content_disposition.lower()
        name = ctx.path.rpartition("/")[2]
        return {"content-disposition": f"{kind}; filename*=UTF-8''{quote(name)}"}


async def store(form: Form, hosted: Hosted) -> None:
    folder = form.fields.get("directory", "/").strip("/")
    files = {}
    for asset in form.assets:
        path = f"{folder}/{asset.fields['filename'].strip('/')}".lstrip("/")
        if problem := flaw(path):
            raise Invalid(problem, field="filename")
        files[path] = asset.draft
    await hosted.drop(files)


UPLOAD = UploadForm(
    run=store,
    component_fields=(
        Field(
            "directory",
            description="Destination for uploaded files (e.g. /path/to/files/)",
            optional=False,
            group="Component attributes",
        ),
    ),
    asset_fields=(Field("filename", description="Filename", optional=False),),
    multiple=True,
)


class Raw(Format):
    name = "raw"
    routes = (Anything(),)
    settings: ClassVar[Mapping[RepositoryType, type[Settings]]] = dict.fromkeys(RepositoryType, RawSettings)
    upload = UPLOAD
    search: ClassVar[Mapping[str, str]] = {"raw.name": "name"}
    lists_folders = True
    usage = (
        Snippet("curl", "curl -f -u {user}:{password} -T file.bin {url}folder/file.bin"),
        Snippet("wget", "wget --user={user} --password={password} {url}folder/file.bin"),
    )
