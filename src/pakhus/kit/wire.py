"""Bodies in bounded form: what comes from and goes over the wire.

The documents, the forms and the attachments have a module each; formats import all of it from here.
"""

from __future__ import annotations

from collections.abc import AsyncIterable

from pakhus.domain.errors import TooLarge
from pakhus.kit.attachments import read_json_with_attachments
from pakhus.kit.documents import dump_json, dump_yaml, parse_json, parse_xml, parse_yaml
from pakhus.kit.forms import FormData, FormFile, read_form


async def read_body(chunks: AsyncIterable[bytes], *, limit: int) -> bytes:
    """The whole body. Raises `TooLarge` as soon as it has more than `limit` bytes."""
    body = bytearray()
    async for chunk in chunks:
        if len(body) + len(chunk) > limit:
            raise TooLarge(f"the body has more than {limit} bytes")
        body += chunk
    return bytes(body)


__all__ = [
    "FormData",
    "FormFile",
    "dump_json",
    "dump_yaml",
    "parse_json",
    "parse_xml",
    "parse_yaml",
    "read_body",
    "read_form",
    "read_json_with_attachments",
]
