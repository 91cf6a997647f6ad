"""Who asks: login, logout, whoami, ping.

`npm login` first asks for a web login (`/-/v1/login`), which needs a page in a browser; the 404 that it gets here
makes it ask for name and password in the terminal, and send these as CouchDB did (`/-/user/org.couchdb.user:…`).
Source: what npm-profile sends; Nexus's answers.
"""

from __future__ import annotations

from pakhus.domain.errors import Invalid, NotFound, Unauthenticated
from pakhus.formats.npm.package import answer
from pakhus.kit.context import Call, Reply, View
from pakhus.kit.wire import parse_json, read_body

MAX_BODY = 64 << 10
USER = "org.couchdb.user:"
NO_REVISION = "_we_dont_use_revs_any_more"


async def login(call: Call, view: View) -> Reply:
    """Name and password for a token, 201."""
    document = parse_json(await read_body(call.body, limit=MAX_BODY))
    if not isinstance(document, dict):
        raise Invalid("the body is not a user document")
    name, password = document.get("name"), document.get("password")
    if not isinstance(name, str) or not isinstance(password, str):
        raise Invalid("a user document has a name and a password")
    if name != call.ctx["user"]:
        raise Invalid(f"the document is of '{name}', its URL of '{call.ctx['user']}'", field="name")
    token = await view.login(name, password, label="npm login")
    return answer({"ok": "true", "rev": NO_REVISION, "id": USER + name, "token": token}, 201)


async def web_login(call: Call, view: View) -> Reply:
    raise NotFound("web login is not offered here; log in with: npm login --auth-type=legacy")


async def logout(call: Call, view: View) -> Reply:
    await view.logout(call.ctx["token"])
    return answer({"ok": True})


async def whoami(call: Call, view: View) -> Reply:
    return answer({"username": view.user or "anonymous"})


async def show_user(call: Call, view: View) -> Reply:
    """What `npm owner add` wants to know of somebody: the name that it will send as maintainer."""
    if view.user is None:
        raise Unauthenticated("log in to see users")
    name = call.ctx["user"]
    return answer({"_id": USER + name, "name": name, "email": "", "type": "user", "roles": []})


async def profile(call: Call, view: View) -> Reply:
    if view.user is None:
        raise Unauthenticated("log in to see your profile")
    return answer({"name": view.user, "email": "", "email_verified": False, "fullname": "", "tfa": None})


async def ping(call: Call, view: View) -> Reply:
    return answer({})
