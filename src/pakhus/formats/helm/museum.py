"""What ChartMuseum's API tells: charts and versions as JSON, from the same model as `index.yaml`."""

from __future__ import annotations

from typing import Any

from pakhus.domain.errors import ComponentNotFound
from pakhus.formats.helm.index import INDEX, Index, gathered
from pakhus.kit.context import Call, Reply, View
from pakhus.kit.wire import dump_json

JSON = {"content-type": "application/json"}


async def _index(view: View) -> Index:
    return await view.model(INDEX) or gathered(())


async def charts(call: Call, view: View) -> Reply:
    """`GET api/charts`, with `offset` and `limit` over the names."""
    index = await _index(view)
    offset, limit = (_number(call.ctx.query.get(name, "")) for name in ("offset", "limit"))
    names = list(index.charts)[offset or 0 :][: limit or None]
    return _said({name: [entry.fields for entry in index.charts[name]] for name in names})


async def versions(call: Call, view: View) -> Reply:
    """`GET api/charts/{name}`."""
    found = (await _index(view)).charts.get(call.ctx["name"])
    if not found:
        raise ComponentNotFound(f"there is no chart {call.ctx['name']}")
    return _said([entry.fields for entry in found])


async def version(call: Call, view: View) -> Reply:
    """`GET api/charts/{name}/{version}`; `latest` is the newest."""
    name, wanted = call.ctx["name"], call.ctx["version"]
    index = await _index(view)
    found = next(iter(index.charts.get(name, ())), None) if wanted == "latest" else index.version(name, wanted)
    if found is None:
        raise ComponentNotFound(f"there is no version {wanted} of the chart {name}")
    return _said(found.fields)


async def health(call: Call, view: View) -> Reply:
    """`GET health`, by which ChartMuseum's clients see that one is there."""
    return _said({"healthy": True})


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _said(answer: Any) -> Reply:
    return Reply(200, dump_json(answer), JSON)
