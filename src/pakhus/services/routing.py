"""Routing rules: which paths a repository asks its upstream, or lets through at all."""

from __future__ import annotations

import re

from pakhus.database import repositories
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.errors import Invalid, NotFound
from pakhus.domain.repository import NAME, NAME_RULE, RoutingRule
from pakhus.engine.catalog import Catalog

DUPLICATE = "A rule with the same name already exists. Name must be unique."
RESERVED = "none"


class RoutingRules:
    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database = database
        self._catalog = catalog

    async def everything(self) -> list[RoutingRule]:
        await self._catalog.refresh()
        return list(self._catalog.rules.values())

    async def get(self, name: str) -> RoutingRule:
        await self._catalog.refresh()
        found = self._catalog.rules.get(name)
        if found is None:
            raise NotFound(f"Did not find a routing rule with the name '{name}'")
        return found

    async def create(self, new: RoutingRule) -> None:
        _check(new)
        await self._database.write(_create, new)
        await self._catalog.refresh()

    async def update(self, name: str, changed: RoutingRule) -> None:
        """Replace the rule; another name in `changed` renames it, wherever it is used."""
        await self.get(name)
        _check(changed)
        await self._database.write(_update, name, changed)
        await self._catalog.refresh()

    async def delete(self, name: str) -> None:
        await self.get(name)
        await self._database.write(_delete, name)
        await self._catalog.refresh()


def _check(rule: RoutingRule) -> None:
    if not NAME.match(rule.name):
        raise Invalid(NAME_RULE, field="name")
    if rule.name.lower() == RESERVED:
        raise Invalid(f"The name '{RESERVED}' is reserved.", field="name")
    if not rule.matchers:
        raise Invalid("A routing rule needs one matcher at least.", field="matchers")
    for position, matcher in enumerate(rule.matchers):
        try:
            re.compile(matcher)
        except re.error as error:
            raise Invalid(f"is not a regular expression: {error}", field=f"matchers[{position}]") from error
        if not matcher:
            raise Invalid("must not be empty", field=f"matchers[{position}]")


def _create(tx: Transaction, new: RoutingRule) -> None:
    _refuse_taken(tx, new.name, but="")
    repositories.put_routing_rule(tx, new)


def _update(tx: Transaction, name: str, changed: RoutingRule) -> None:
    _refuse_taken(tx, changed.name, but=name)
    repositories.rename_routing_rule(tx, name, changed.name)
    repositories.put_routing_rule(tx, changed)


def _refuse_taken(tx: Transaction, name: str, *, but: str) -> None:
    taken = {rule.name.lower() for rule in repositories.routing_rules(tx) if rule.name != but}
    if name.lower() in taken:
        raise Invalid(DUPLICATE, field="name")


def _delete(tx: Transaction, name: str) -> None:
    rules = [each.routing_rule.name for each in repositories.everything(tx) if each.routing_rule is not None]
    if used := rules.count(name):
        raise Invalid(f"Routing rule is still in use by {used} repositories.")
    repositories.remove_routing_rule(tx, name)
