"""Repositories, routing rules and blob stores: rows to and from the domain's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from pakhus.database import tables
from pakhus.database.tables import asset, component, repository
from pakhus.database.transaction import Transaction
from pakhus.domain import events
from pakhus.domain.repository import (
    Authentication,
    Connection,
    Remote,
    Repository,
    RepositoryType,
    RoutingRule,
    WritePolicy,
)


@dataclass(frozen=True, slots=True)
class StoreRow:
    """A configured blob store."""

    name: str
    type: str
    settings: Mapping[str, Any]


def everything(tx: Transaction) -> list[Repository]:
    """All repositories, by name. Secrets in their settings are still sealed."""
    rules = {rule.name: rule for rule in routing_rules(tx)}
    return [_from_row(row, rules) for row in tx.rows(select(repository).order_by(repository.c.name))]


def create(tx: Transaction, new: Repository, settings: Mapping[str, Any]) -> int:
    tx.configures = True
    result = tx.execute(
        insert(repository)
        .values(
            name=new.name,
            name_key=new.name.lower(),
            format=new.format,
            type=new.type.value,
            created=tx.now,
            updated=tx.now,
            **_settings_values(new, settings),
        )
        .returning(repository.c.id)
    )
    shown = {**settings, **_rule(new)}
    tx.record(
        events.REPOSITORY_CREATED, new.name, subject=new.name, after=shown, format=new.format, type=new.type.value
    )
    return int(result.scalar_one())


def change(tx: Transaction, changed: Repository, settings: Mapping[str, Any]) -> None:
    tx.configures = True
    before = _shown(tx, changed.id)
    tx.execute(
        update(repository)
        .where(repository.c.id == changed.id)
        .values(updated=tx.now, **_settings_values(changed, settings))
    )
    after = {**settings, **_rule(changed)}
    tx.record(
        events.REPOSITORY_UPDATED,
        changed.name,
        subject=changed.name,
        before=before,
        after=after,
        format=changed.format,
        type=changed.type.value,
    )


def _rule(described: Repository) -> dict[str, Any]:
    return {"routingRule": described.routing_rule.name} if described.routing_rule else {}


def _shown(tx: Transaction, repository_id: int) -> dict[str, Any]:
    """The settings of a repository as the audit shows them."""
    row = tx.one(select(repository.c.settings, repository.c.routing_rule).where(repository.c.id == repository_id))
    if row is None:
        return {}
    return {**row.settings, **({"routingRule": row.routing_rule} if row.routing_rule else {})}


def remove(tx: Transaction, gone: Repository) -> None:
    """The repository and all that it lists; its blobs stay for the sweep."""
    tx.configures = True
    before = _shown(tx, gone.id)
    for table in (tables.asset, tables.component):
        tx.execute(delete(table).where(table.c.repository_id == gone.id))
    tx.execute(delete(repository).where(repository.c.id == gone.id))
    tx.record(
        events.REPOSITORY_DELETED,
        gone.name,
        subject=gone.name,
        before=before,
        format=gone.format,
        type=gone.type.value,
    )


def invalidate(tx: Transaction, repository_id: int) -> None:
    """Everything that the repository keeps of its upstream is to be checked again: one write, whatever it holds."""
    tx.configures = True
    where = repository.c.id == repository_id
    tx.execute(update(repository).where(where).values(invalidated=tx.now))
    name = str(tx.value(select(repository.c.name).where(where)) or "")
    tx.record(events.REPOSITORY_INVALIDATED, name, subject=name)


def size(tx: Transaction, repository_id: int) -> tuple[int, int]:
    """How many assets a repository has, and their bytes."""
    statement = select(func.count().label("assets"), func.coalesce(func.sum(tables.blob.c.size), 0).label("bytes"))
    statement = statement.select_from(asset).join(tables.blob).where(asset.c.repository_id == repository_id)
    row = tx.execute(statement).one()
    return int(row.assets), int(row.bytes)


def counts(tx: Transaction) -> dict[str, tuple[int, int]]:
    """Components and assets of every repository, for metrics."""
    names = {row.id: row.name for row in tx.rows(select(repository.c.id, repository.c.name))}
    found: dict[str, tuple[int, int]] = {}
    for table, position in ((component, 0), (asset, 1)):
        statement = select(table.c.repository_id, func.count().label("number")).group_by(table.c.repository_id)
        for row in tx.rows(statement):
            pair = list(found.get(names[row.repository_id], (0, 0)))
            pair[position] = row.number
            found[names[row.repository_id]] = (pair[0], pair[1])
    return found


def routing_rules(tx: Transaction) -> list[RoutingRule]:
    rule = tables.routing_rule
    return [
        RoutingRule(row.name, row.mode, tuple(row.matchers), row.description)
        for row in tx.rows(select(rule).order_by(rule.c.name))
    ]


def put_routing_rule(tx: Transaction, rule: RoutingRule) -> None:
    tx.configures = True
    tx.changed(events.ROUTING_RULE, rule.name, _rule_named(tx, rule.name), rule)
    tx.execute(delete(tables.routing_rule).where(tables.routing_rule.c.name == rule.name))
    tx.execute(
        insert(tables.routing_rule).values(
            name=rule.name, description=rule.description, mode=rule.mode, matchers=list(rule.matchers)
        )
    )


def _rule_named(tx: Transaction, name: str) -> RoutingRule | None:
    return next((each for each in routing_rules(tx) if each.name == name), None)


def rename_routing_rule(tx: Transaction, name: str, to: str) -> None:
    """Repositories with the rule follow it to its new name; the row itself is for `put_routing_rule`."""
    if name == to:
        return
    tx.configures = True
    tx.changed(events.ROUTING_RULE, name, _rule_named(tx, name), None, renamed=to)
    tx.execute(update(repository).where(repository.c.routing_rule == name).values(routing_rule=to))
    tx.execute(delete(tables.routing_rule).where(tables.routing_rule.c.name == name))


def remove_routing_rule(tx: Transaction, name: str) -> None:
    tx.configures = True
    tx.changed(events.ROUTING_RULE, name, _rule_named(tx, name), None)
    tx.execute(delete(tables.routing_rule).where(tables.routing_rule.c.name == name))


def blob_stores(tx: Transaction) -> list[StoreRow]:
    store = tables.blob_store
    statement = select(store).order_by(store.c.created, store.c.name)
    return [StoreRow(row.name, row.type, row.settings) for row in tx.rows(statement)]


def put_blob_store(tx: Transaction, row: StoreRow) -> None:
    """Insert the store, or change the settings of the one with this name."""
    tx.configures = True
    store = tables.blob_store
    known = next((each for each in blob_stores(tx) if each.name == row.name), None)
    tx.changed(events.BLOB_STORE, row.name, known, row)
    values = {"type": row.type, "settings": dict(row.settings)}
    if not tx.execute(update(store).where(store.c.name == row.name).values(**values)).rowcount:
        tx.execute(insert(store).values(name=row.name, created=tx.now, **values))


def convert_blob_store(tx: Transaction, renamed: StoreRow, group: StoreRow) -> None:
    """The store and its blobs get a new name; the old name is the group's."""
    put_blob_store(tx, renamed)
    tx.execute(update(tables.blob).where(tables.blob.c.blob_store == group.name).values(blob_store=renamed.name))
    put_blob_store(tx, group)


def remove_blob_store(tx: Transaction, name: str) -> None:
    tx.configures = True
    known = next((each for each in blob_stores(tx) if each.name == name), None)
    tx.changed(events.BLOB_STORE, name, known, None)
    tx.execute(delete(tables.blob).where(tables.blob.c.blob_store == name))
    tx.execute(delete(tables.blob_store).where(tables.blob_store.c.name == name))


def _settings_values(described: Repository, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "online": described.online,
        "blob_store": described.blob_store,
        "routing_rule": described.routing_rule.name if described.routing_rule else None,
        "settings": dict(settings),
    }


def _from_row(row: Row[Any], rules: Mapping[str, RoutingRule]) -> Repository:
    return described(
        row.name,
        row.format,
        RepositoryType(row.type),
        row.settings,
        id=row.id,
        rule=rules.get(row.routing_rule or ""),
        invalidated=row.invalidated,
    )


def described(
    name: str,
    format: str,
    type: RepositoryType,
    settings: Mapping[str, Any],
    *,
    id: int = 0,
    rule: RoutingRule | None = None,
    invalidated: Any = None,
) -> Repository:
    """The domain's repository from the object that the REST API speaks."""
    storage = settings.get("storage") or {}
    group = settings.get("group") or {}
    return Repository(
        id=id,
        name=name,
        format=format,
        type=type,
        online=settings.get("online", True),
        blob_store=storage.get("blobStoreName", "default"),
        write_policy=WritePolicy(str(storage.get("writePolicy") or "ALLOW").upper()),
        strict_content_type=bool(storage.get("strictContentTypeValidation", False)),
        members=tuple(group.get("memberNames") or ()),
        writable_member=group.get("writableMember"),
        remote=_remote(settings) if "proxy" in settings else None,
        routing_rule=rule,
        settings=settings,
        invalidated=invalidated,
    )


def _remote(settings: Mapping[str, Any]) -> Remote:
    proxy = settings.get("proxy") or {}
    negative = settings.get("negativeCache") or {}
    client = settings.get("httpClient") or {}
    connection = client.get("connection") or {}
    return Remote(
        url=proxy.get("remoteUrl", ""),
        content_max_age=_number(proxy.get("contentMaxAge"), 1440),
        metadata_max_age=_number(proxy.get("metadataMaxAge"), 1440),
        negative_cache=bool(negative.get("enabled", True)),
        negative_ttl=_number(negative.get("timeToLive"), 1440),
        blocked=bool(client.get("blocked", False)),
        auto_block=bool(client.get("autoBlock", True)),
        authentication=_authentication(client.get("authentication")),
        connection=Connection(
            retries=_number(connection.get("retries"), 0),
            timeout=float(_number(connection.get("timeout"), 20)),
            user_agent_suffix=connection.get("userAgentSuffix") or "",
            circular_redirects=bool(connection.get("enableCircularRedirects", False)),
            cookies=bool(connection.get("enableCookies", False)),
            proxy_url=connection.get("proxyUrl") or "",
            ca_certificates=connection.get("caCertificates") or "",
        ),
    )


def _authentication(given: Mapping[str, Any] | None) -> Authentication | None:
    if not given:
        return None
    return Authentication(
        type=given.get("type") or "username",
        username=given.get("username") or "",
        password=given.get("password") or "",
        bearer_token=given.get("bearerToken") or "",
        preemptive=bool(given.get("preemptive", False)),
    )


def _number(value: Any, default: int) -> int:
    return default if value is None else int(value)
