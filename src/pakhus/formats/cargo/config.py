"""`config.json`: what cargo reads first of a registry, and whether it sends its token from then on.

Cargo asks for it without credentials. Only after a 401 does it ask again with its token, and only `auth-required` in
the answer makes it send the token with index files and downloads, too. So the answer depends on who asks: who came
with credentials needed them (or will not mind), who came without got here as anonymous, and needs none. A private
repository works with cargo's defaults, a public one without any token; nobody has to set anything for that. With
`requireAuthentication` it is always said.
Source: the Cargo book, "Registry Index" (Index Configuration), "Registry Authentication".
"""

from __future__ import annotations

from pydantic import Field as Option

from pakhus.formats.cargo.names import CRATE_LINK
from pakhus.kit.context import Call, Reply, Settings, View
from pakhus.kit.wire import dump_json

LOGIN = """\
A token for cargo is a user token of this server, or the word Basic, a space, and the base64 of name:password.
Give it to: cargo login --registry <name>
"""


class CargoOptions(Settings):
    require_authentication: bool = False


class CargoSettings(Settings):
    cargo: CargoOptions = Option(default_factory=CargoOptions)


async def config(call: Call, view: View) -> Reply:
    ctx = call.ctx
    document: dict[str, object] = {"dl": ctx.link("crates/") + CRATE_LINK, "api": ctx.link("").rstrip("/")}
    always = isinstance(ctx.settings, CargoSettings) and ctx.settings.cargo.require_authentication
    if always or view.user is not None:
        document["auth-required"] = True
    return Reply(200, dump_json(document), {"content-type": "application/json", "vary": "Authorization"})


async def login_page(call: Call, view: View) -> Reply:
    """Where `cargo login` sends its user for a token."""
    return Reply(200, LOGIN.encode(), {"content-type": "text/plain; charset=utf-8"})
