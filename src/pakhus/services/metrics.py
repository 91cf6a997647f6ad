"""Figures for Prometheus. No label grows with what is asked: paths, users and unknown methods are none of them."""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pakhus import __version__
from pakhus.database import repositories
from pakhus.services.blobstores import StoreFigures
from pakhus.services.services import Services

METHODS = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"})
CLASSES = frozenset({"1xx", "2xx", "3xx", "4xx", "5xx"})
OTHER = "other"
NAMED = 200
"""So many repositories have figures of their own; those of the others are added up."""
KEPT = timedelta(seconds=30)
"""What has to be counted in the database is counted again after so long."""
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


@dataclass(frozen=True, slots=True)
class _Held:
    """What the server holds: (format, type) → repositories; repository → (components, assets); blob stores."""

    repositories: Mapping[tuple[str, str], int] = field(default_factory=dict)
    contents: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    stores: Iterable[StoreFigures] = ()


class Metrics:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._registry = CollectorRegistry()
        self._holding = _Holding()
        self._counted: datetime | None = None
        self._counting = asyncio.Lock()
        labels = ("method", "status", "kind", "format")
        registry = self._registry
        self._requests = Counter("pakhus_http_requests", "Answered requests.", labels, registry=registry)
        self._seconds = Histogram(
            "pakhus_http_request_seconds",
            "From the first byte of a request to the last of its answer.",
            ("method", "kind"),
            buckets=SECONDS,
            registry=registry,
        )
        self._sent = Counter("pakhus_http_sent_bytes", "Bytes of bodies sent.", ("kind", "format"), registry=registry)
        about = Gauge("pakhus_info", "The running version.", ("version",), registry=registry)
        about.labels(__version__).set(1)
        self._replays: dict[tuple[int, str], list[int]] = {}
        ProcessCollector(registry=registry)
        registry.register(self._holding)

    def observe(self, method: str, status: int, kind: str, format: str, seconds: float, sent: int) -> None:
        """One answered request. `kind` is one of a few words for its URL, `sent` the bytes of its body."""
        method = method if method in METHODS else OTHER
        answered = f"{status // 100}xx"
        self._requests.labels(method, answered if answered in CLASSES else OTHER, kind, format).inc()
        self._seconds.labels(method, kind).observe(seconds)
        self._sent.labels(kind, format).inc(sent)

    def replayed(self, status: int, format: str, sent: int) -> None:
        """One GET that was answered again as before: gathered here, since counting costs more than answering."""
        tally = self._replays.setdefault((status, format), [0, 0])
        tally[0] += 1
        tally[1] += sent

    def _gather(self) -> None:
        replays, self._replays = self._replays, {}
        for (status, format), (number, sent) in replays.items():
            self._requests.labels("GET", f"{status // 100}xx", "repository", format).inc(number)
            self._sent.labels("repository", format).inc(sent)

    async def figures(self) -> dict[str, float]:
        """All figures by their names with their labels."""
        await self.exposed()
        return {
            sample.name + _labelled(sample.labels): sample.value
            for family in self._registry.collect()
            for sample in family.samples
        }

    async def exposed(self) -> bytes:
        """All figures in the text format (version 0.0.4)."""
        self._gather()
        async with self._counting:
            now = self._services.now()
            if self._counted is None or now - self._counted >= KEPT:
                self._holding.held = await self._count()
                self._counted = now
        return generate_latest(self._registry)

    async def _count(self) -> _Held:
        known = self._services.catalog.everything()
        return _Held(
            Tally((each.format, each.type.value) for each in known),
            await self._services.database.read(repositories.counts),
            await self._services.blobstores.everything(),
        )


class _Holding(Collector):
    """Hands over what was counted last."""

    def __init__(self) -> None:
        self.held = _Held()

    def collect(self) -> Iterator[Metric]:
        found = GaugeMetricFamily("pakhus_repositories", "Repositories.", labels=("format", "type"))
        for (format, type), number in sorted(self.held.repositories.items()):
            found.add_metric((format, type), number)
        yield found
        yield from self._contents()
        yield from self._stores()

    def _contents(self) -> Iterator[Metric]:
        counted = bounded(self.held.contents)
        for position, (name, what) in enumerate((("components", "Components"), ("assets", "Assets"))):
            found = GaugeMetricFamily(f"pakhus_{name}", f"{what} in a repository.", labels=("repository",))
            for repository, numbers in counted.items():
                found.add_metric((repository,), numbers[position])
            yield found

    def _stores(self) -> Iterator[Metric]:
        blobs = GaugeMetricFamily("pakhus_blobs", "Blobs in a blob store.", labels=("blob_store",))
        size = GaugeMetricFamily("pakhus_blob_bytes", "Bytes of the blobs in a blob store.", labels=("blob_store",))
        free = GaugeMetricFamily(
            "pakhus_blob_store_free_bytes", "Bytes that a blob store can still take.", labels=("blob_store",)
        )
        for store in self.held.stores:
            blobs.add_metric((store.name,), store.blobs)
            size.add_metric((store.name,), store.size)
            free.add_metric((store.name,), store.free)
        yield from (blobs, size, free)


def _labelled(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f"{name}={value}" for name, value in sorted(labels.items())) + "}" if labels else ""


def bounded(contents: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """The figures of the first repositories by name; of all others together under an empty name."""
    names = sorted(contents)
    found = {name: contents[name] for name in names[:NAMED]}
    if rest := [contents[name] for name in names[NAMED:]]:
        found[""] = (sum(each[0] for each in rest), sum(each[1] for each in rest))
    return found
