"""A registry as a client sees it: requests of the OCI distribution protocol to a repository of the test's server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx2

from tests.contract.serving import Serving
from tests.samples.docker import MANIFEST, digest, manifest


@dataclass
class Registry:
    """`base` is what stands before `/v2/`: a repository's URL, a port's, or nothing but the server's."""

    http: httpx2.AsyncClient
    base: str

    @classmethod
    def of(cls, server: Serving, repository: str) -> Registry:
        return cls(server.http, server.at(repository).rstrip("/"))

    def url(self, path: str) -> str:
        return f"{self.base}/v2/{path}"

    async def ask(self, method: str, path: str, **options: Any) -> httpx2.Response:
        return await self.http.request(method, self.url(path), **options)

    async def get(self, path: str, **options: Any) -> httpx2.Response:
        return await self.ask("GET", path, **options)

    async def blob(self, image: str, body: bytes) -> str:
        """Upload a blob in one request; its digest."""
        name = digest(body)
        answer = await self.ask("POST", f"{image}/blobs/uploads/?digest={name}", content=body)
        assert answer.status_code == 201, answer.text
        return name

    async def manifest(self, image: str, reference: str, body: bytes, kind: str = MANIFEST) -> httpx2.Response:
        return await self.ask("PUT", f"{image}/manifests/{reference}", content=body, headers={"content-type": kind})

    async def push(self, image: str, tag: str, layer: bytes = b"a layer", **more: object) -> bytes:
        """Push an image of one layer; its manifest."""
        config = b"{}"
        for body in (config, layer):
            await self.blob(image, body)
        made = manifest(config, [layer], **more)
        answer = await self.manifest(image, tag, made)
        assert answer.status_code == 201, answer.text
        return made

    async def tags(self, image: str) -> list[str]:
        answer = await self.get(f"{image}/tags/list")
        return [] if answer.status_code == 404 else answer.json()["tags"]


def code(answer: httpx2.Response) -> str:
    """The error code of a refusal."""
    return str(answer.json()["errors"][0]["code"])
