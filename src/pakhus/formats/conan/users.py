"""Who asks, and what this server can do.

A client sends name and password once, by Basic authentication to `users/authenticate`, and from then on the token that
it gets as plain text. Source: the requests of Conan 1.66 and 2.
"""

from __future__ import annotations

import base64
import binascii

from pakhus.domain.errors import Unauthenticated
from pakhus.kit.context import Call, Reply, View

TEXT = {"content-type": "text/plain; charset=utf-8"}


async def ping(call: Call, view: View) -> Reply:
    """Without `revisions` among the capabilities, Conan 1 speaks the protocol's version 1, and Conan 2 goes away."""
    proxy = getattr(call.ctx.settings, "conan_proxy", None)
    revisions = proxy is None or proxy.conan_version == "V2"
    return Reply(200, b"", {**TEXT, "x-conan-server-capabilities": "revisions" if revisions else ""})


async def authenticate(call: Call, view: View) -> Reply:
    name, password = _basic(call.headers.get("authorization", ""))
    token = await view.login(name, password, label="conan login")
    return Reply(200, token.encode(), TEXT)


async def check_credentials(call: Call, view: View) -> Reply:
    if view.user is None:
        raise Unauthenticated("Logged user needed!")
    return Reply(200, view.user.encode(), TEXT)


def _basic(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise Unauthenticated("send a name and a password by Basic authentication")
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Unauthenticated("malformed Basic credentials") from error
    if not colon:
        raise Unauthenticated("malformed Basic credentials")
    return name, password
