"""What is merged into the metadata beside the lists of packages: comps, modules, updateinfo.

An upload of one is kept with its asset, like the XML of a package, so that publishing opens no file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pakhus.domain.content import Asset
from pakhus.domain.errors import BadPackage, Invalid
from pakhus.formats.yum import advisories, comps, index, modules
from pakhus.formats.yum.compressed import whole
from pakhus.formats.yum.listed import packed, unpacked

DOCUMENT = "document"
"""The attribute of an asset that is such a document."""
MAX_UPLOAD, MAX_DOCUMENT = 64 << 20, 512 << 20
"""Bytes of an uploaded document as it is sent, and of any document as it is unpacked."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`check` raises `Invalid` for a document that is not one; `name` is that of the published file."""

    name: str
    check: Callable[[bytes], object]
    merge: Callable[[Sequence[bytes]], bytes]


KINDS = {
    "group": Kind("comps.xml", comps.checked, comps.merged),
    "modules": Kind("modules.yaml", modules.checked, modules.merged),
    "updateinfo": Kind("updateinfo.xml", lambda body: list(advisories.checked(body)), advisories.merged),
}
"""By the type of their record in `repomd.xml`."""


def kept_of(kind: str, body: bytes) -> dict[str, Any]:
    """What the asset of an uploaded document keeps, as JSON values. Raises `BadPackage`."""
    try:
        plain = whole(body, MAX_DOCUMENT)
        KINDS[kind].check(plain)
        return {"kind": kind, "text": packed(plain.decode("utf-8-sig"))}
    except (Invalid, UnicodeDecodeError) as error:
        message = error.message if isinstance(error, Invalid) else "it is not UTF-8"
        raise BadPackage(f"{KINDS[kind].name} cannot be read: {message}") from error


def held(asset: Asset, base: str) -> tuple[str, bytes] | None:
    """Kind and text of the document that an asset in the folder `base` is, if it is one."""
    kept = asset.attributes.get(DOCUMENT)
    if kept is None or asset.path.rpartition("/")[0] != base.rstrip("/"):
        return None
    return kept["kind"], unpacked(kept["text"]).encode()


def records(documents: Sequence[tuple[str, bytes]], codec: index.Codec) -> list[index.Record]:
    """The files of all documents: one for each kind, merged where there are several."""
    found: list[index.Record] = []
    for kind, about in KINDS.items():
        bodies = list(dict.fromkeys(body for each, body in documents if each == kind))
        if not bodies:
            continue
        body = about.merge(bodies) if len(bodies) > 1 else bodies[0]
        if kind == "group":  # the one that every client reads, and the one that saves it time
            found.append(index.document(kind, about.name, body))
            found.append(index.document("group_gz", about.name, body, index.GZIP))
        else:
            found.append(index.document(kind, about.name, body, codec))
    return found
