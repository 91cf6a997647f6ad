"""Repositories as an administrator sees them: created, changed and removed as the REST objects that Nexus speaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from pakhus.database import cleanup, repositories, rights, values
from pakhus.database.repositories import described
from pakhus.database.signing_keys import KeyRow
from pakhus.database.transaction import Database, Transaction
from pakhus.database.vault import Vault
from pakhus.domain.errors import Conflict, Invalid, RepositoryNotFound
from pakhus.domain.repository import NAME, NAME_RULE, Repository, RepositoryType, RoutingRule, WritePolicy
from pakhus.engine.catalog import Catalog
from pakhus.engine.keyring import Keyring, signs
from pakhus.kit.context import SigningKeyPair
from pakhus.services import builtin_privileges, doors
from pakhus.services.sections import SHARED, HttpClient, NegativeCache, Proxy, checked, first

DUPLICATE = "Name is already used, must be unique (ignoring case)"
OTHER_STORE = "You cannot change a repository's blob store through the API"
Settings = Mapping[str, Any]
WATCHED = "watched"
"""The server-wide setting that names the proxies whose upstreams are watched."""


class Repositories:
    def __init__(
        self, database: Database, catalog: Catalog, vault: Vault, keyring: Keyring, frame: doors.Frame | None = None
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._vault = vault
        self._keyring = keyring
        self._frame = frame or doors.Frame()

    async def get(self, format: str, type: RepositoryType, name: str) -> Repository:
        """The repository, if it is of this format and type."""
        await self._catalog.refresh()
        found = self._catalog.find(name)
        if found is None or found.format != format or found.type is not type:
            raise RepositoryNotFound("Repository not found")
        return found

    async def create(self, format: str, type: RepositoryType, body: Settings, *, prepared: bool = True) -> Repository:
        """A new repository from the object that the REST API takes. Raises `Invalid`.

        A `prepared` one begins at once to generate the key that it will sign with; any other when it needs one.
        """
        await self._catalog.refresh()
        name = str(body.get("name") or "")
        if not NAME.match(name):
            raise Invalid(NAME_RULE, field="name")
        if (same := self._catalog.named(name)) is not None:
            if self._storage(type, body)["blobStoreName"] != same.blob_store:
                raise Invalid(OTHER_STORE)
            raise Invalid(DUPLICATE, field="name")
        settings = await self._settings(format, type, name, body)
        key = await self._brought_key(format, type, settings)
        new = described(name, format, type, settings, rule=self._rule(body))
        identity = await self._database.write(repositories.create, new, self._vault.seal(settings))
        created = replace(new, id=identity)
        if key is not None:
            await self._keyring.rotate(created, key)
        elif prepared and signs(self._catalog.formats[format], created):
            self._keyring.generate(created, first=True)
        await self._catalog.refresh()
        return created

    async def update(self, format: str, type: RepositoryType, name: str, body: Settings) -> None:
        """Replace a repository's settings; secrets that the body leaves out stay."""
        found = await self.get(format, type, name)
        if body.get("name", name) != name:
            raise Invalid("Renaming a repository is not supported")
        settings = await self._settings(format, type, name, _with_kept_secrets(body, found.settings))
        key = await self._brought_key(format, type, settings)
        changed = described(name, format, type, settings, id=found.id, rule=self._rule(body))
        if changed.blob_store != found.blob_store:
            raise Invalid(OTHER_STORE)
        await self._database.write(repositories.change, changed, self._vault.seal(settings))
        if key is not None:
            await self._keyring.rotate(changed, key)
        await self._catalog.refresh()

    async def change_store(self, name: str, blob_store: str) -> None:
        """New blobs go to another store from now on; those that are there stay where they are."""
        await self._catalog.refresh()
        found = self._catalog.get(name)
        if blob_store not in self._catalog.stores:
            raise Invalid("Blob store not found")
        settings = {**found.settings, "storage": {**found.settings["storage"], "blobStoreName": blob_store}}
        changed = replace(found, blob_store=blob_store, settings=settings)
        await self._database.write(repositories.change, changed, self._vault.seal(settings))
        await self._catalog.refresh()

    async def rebuild_index(self, name: str) -> None:
        """Search reads what repositories hold, so that its index is never behind; refused for groups, as in Nexus."""
        await self._catalog.refresh()
        if self._catalog.get(name).type is RepositoryType.GROUP:
            raise Invalid("You can rebuild search index of hosted or proxy repository only")

    async def delete(self, name: str) -> None:
        """The repository goes, and its name from every group."""
        await self._catalog.refresh()
        gone = self._catalog.get(name)
        groups = [(group, self._without(group, name)) for group in self._catalog.groups_of(name)]
        await self._database.write(_delete, gone, groups)
        await self._catalog.refresh()

    async def watch(self, name: str, wanted: bool) -> None:
        """Let the server's checks tell of the upstream's troubles, or not. Raises `Conflict` if it is so already."""
        found = self._catalog.get(name)
        if found.remote is None:
            raise Invalid("You can watch the upstream of a proxy repository only")
        await self._database.write(_watch, name, wanted)
        await self._catalog.refresh()

    async def invalidate(self, name: str) -> None:
        """All that a proxy keeps, and a group's members keep, is checked with upstream again."""
        await self._catalog.refresh()
        found = self._catalog.get(name)
        affected = self._behind(found, set())
        if found.type is RepositoryType.HOSTED:
            raise Invalid("You can invalidate cache of proxy or group repository only")
        await self._database.write(_invalidate, sorted(affected))
        await self._catalog.refresh()

    def _behind(self, found: Repository, seen: set[int]) -> set[int]:
        if found.id in seen:
            return seen
        seen.add(found.id)
        for name in found.members:
            member = self._catalog.find(name)
            if member is not None:
                self._behind(member, seen)
        return seen

    def _without(self, group: Repository, name: str) -> Settings:
        section = dict(group.settings.get("group") or {})
        section["memberNames"] = [each for each in group.members if each != name]
        if section.get("writableMember") == name:
            section["writableMember"] = None
        return self._vault.seal({**group.settings, "group": section})  # type: ignore[no-any-return]

    async def _brought_key(self, format: str, type: RepositoryType, settings: dict[str, Any]) -> KeyRow | None:
        """The signing key among the settings, taken out of them: keys have a place of their own. Raises `Invalid`."""
        options = self._catalog.formats[format].options(type).model_validate(settings)
        found = None
        for name, field in options.__class__.model_fields.items():
            pair = getattr(options, name)
            if not isinstance(pair, SigningKeyPair):
                continue
            member = field.alias or name
            settings[member] = None
            if pair.keypair:
                try:
                    found = await self._keyring.read(pair.keypair, pair.passphrase)
                except Invalid as error:
                    raise Invalid(error.message, field=f"{member}.keypair") from error
        return found

    def _rule(self, body: Settings) -> RoutingRule | None:
        name = body.get("routingRuleName") or body.get("routingRule") or ""
        return self._catalog.rules.get(name)

    # -- validation ------------------------------------------------------------------------------------------------

    async def _settings(self, format: str, type: RepositoryType, name: str, body: Settings) -> dict[str, Any]:
        """The settings that are kept: the common members, and those of the format."""
        if format not in self._catalog.formats:
            raise Invalid(f"there is no format '{format}'", field="format")
        settings: dict[str, Any] = {"online": bool(body.get("online", True)), "storage": self._storage(type, body)}
        if type is RepositoryType.GROUP:
            settings["group"] = self._group(format, name, body)
        elif type is RepositoryType.PROXY:
            settings.update(_proxy(body))
        for member, section in SHARED.items():
            if body.get(member) is not None:
                settings[member] = checked(section, member, body[member])
        if "cleanup" in settings:
            known = {each.name for each in await self._database.read(cleanup.everything)}
            settings["cleanup"] = {
                "policyNames": [each for each in settings["cleanup"]["policyNames"] if each in known]
            }
        model = self._catalog.formats[format].options(type)
        try:
            options = model.model_validate({k: v for k, v in body.items() if v is not None})
        except ValidationError as error:
            raise first(error) from error
        doors.check(self._catalog, self._frame, name, self._catalog.formats[format].doors(options))
        return settings | options.model_dump(by_alias=True, mode="json")

    def _storage(self, type: RepositoryType, body: Settings) -> dict[str, Any]:
        given = _section(body, "storage")
        store = str(given.get("blobStoreName") or "default")
        if store not in self._catalog.stores:
            raise Invalid("Blob store not found")
        storage = {
            "blobStoreName": store,
            "strictContentTypeValidation": bool(given.get("strictContentTypeValidation", False)),
        }
        if type is RepositoryType.HOSTED:
            policy = str(given.get("writePolicy") or "ALLOW")
            if policy.upper() not in WritePolicy.__members__:
                raise Invalid("must be one of ALLOW, ALLOW_ONCE, DENY", field="storage.writePolicy")
            storage["writePolicy"] = policy
            if "latestPolicy" in given:
                storage["latestPolicy"] = bool(given["latestPolicy"])
        return storage

    def _group(self, format: str, name: str, body: Settings) -> dict[str, Any]:
        given = _section(body, "group")
        listed = given.get("memberNames") or ()
        if not isinstance(listed, list | tuple) or not all(isinstance(each, str) for each in listed):
            raise Invalid("must be a list of names", field="group.memberNames")
        members = list(dict.fromkeys(listed))
        if not members:
            raise Invalid("must not be empty", field="group.memberNames")
        for each in members:
            self._check_member(format, name, each)
        group: dict[str, Any] = {"memberNames": members}
        if writable := given.get("writableMember"):
            found = self._catalog.find(str(writable))
            if found is None or found.type is not RepositoryType.HOSTED or writable not in members:
                raise Invalid("must be a hosted repository among the members", field="group.writableMember")
            group["writableMember"] = writable
        return group

    def _check_member(self, format: str, group: str, member: str) -> None:
        found = self._catalog.find(member)
        if found is None:
            if member == group:
                raise _cycle(group, member)
            raise Invalid(f"Member repository does not exist: {member}", field="memberNames")
        if found.format != format:
            raise Invalid(
                f"Member repository format does not match group repository format: {member}", field="memberNames"
            )
        own = self._catalog.find(group)
        if own is not None and own.id in self._behind(found, set()):
            raise _cycle(group, member)


def _cycle(group: str, member: str) -> Invalid:
    return Invalid(
        f"Group '{group}' has a member repository '{member}' and cannot be added to this list.",
        field="group.memberNames",
    )


def _proxy(body: Settings) -> dict[str, Any]:
    proxy = checked(Proxy, "proxy", body.get("proxy") or {})
    client = checked(HttpClient, "httpClient", body.get("httpClient") or {})
    if not is_web_address(proxy["remoteUrl"]):
        raise Invalid("must be a valid http or https URL", field="proxy.remoteUrl")
    if proxy["remoteUrl"].lower().startswith("http:") and (client["connection"] or {}).get("useTrustStore"):
        raise Invalid("TrustStore is available only with HTTPS remote URLs")
    negative = checked(NegativeCache, "negativeCache", body.get("negativeCache") or {})
    return {"proxy": proxy, "negativeCache": negative, "httpClient": client}


def is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _section(body: Settings, name: str) -> Mapping[str, Any]:
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Invalid("must be an object", field=name)
    return value


def _with_kept_secrets(body: Settings, kept: Settings) -> Settings:
    """The body, with the secrets that it could not know; they never follow to another server."""
    if _server(body) != _server(kept):
        return body
    client = dict(_section(body, "httpClient"))
    given = client.get("authentication")
    before = (kept.get("httpClient") or {}).get("authentication") or {}
    if not isinstance(given, Mapping) or not before:
        return body
    merged = dict(given)
    for name in ("password", "bearerToken"):
        if not merged.get(name) and before.get(name) and merged.get("username") == before.get("username"):
            merged[name] = before[name]
    return {**body, "httpClient": {**client, "authentication": merged}}


def _server(settings: Settings) -> tuple[str, str]:
    parts = urlsplit(str(_section(settings, "proxy").get("remoteUrl") or ""))
    return parts.scheme, parts.netloc


def _watch(tx: Transaction, name: str, wanted: bool) -> None:
    watched = list(values.get(tx, WATCHED) or ())
    if (name in watched) is wanted:
        raise Conflict(f"The health check of {name} is {'enabled' if wanted else 'disabled'} already")
    values.put(tx, WATCHED, [*watched, name] if wanted else [each for each in watched if each != name])


def _delete(tx: Transaction, gone: Repository, groups: list[tuple[Repository, Settings]]) -> None:
    for group, settings in groups:
        changed = described(group.name, group.format, group.type, settings, id=group.id, rule=group.routing_rule)
        repositories.change(tx, changed, settings)
    rights.withdraw(tx, builtin_privileges.of_repository(gone))
    repositories.remove(tx, gone)


def _invalidate(tx: Transaction, ids: list[int]) -> None:
    for each in ids:
        repositories.invalidate(tx, each)
