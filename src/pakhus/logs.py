"""Logging: events with fields, one JSON object a line or text for people. No secrets."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping
from typing import Any

import structlog

QUIET = ("uvicorn.access", "asyncio", "aiohttp.access", "httpx2")


def configure(*, level: str, format: str) -> None:
    """Send structlog's and the standard library's records to standard error in one shape."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: Any = structlog.processors.JSONRenderer()
    if format == "text":
        shared.pop()
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,  # the pretty one shows local variables: passwords
        )
    number = logging.getLevelNamesMapping()[level.upper()]
    _Shape.format, _Shape.enabled = format, number <= logging.INFO
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processors=[_drop_meta, renderer], foreign_pre_chain=shared)
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


class _Shape:
    """How lines look, for those who write very many of them."""

    format = "json"
    enabled = True


def prepared(event: str, fields: Mapping[str, Any]) -> str:
    """The part of a line that is the same every time; `Lines` adds the rest."""
    if _Shape.format == "json":
        return json.dumps({"event": event, "level": "info", **fields}, default=str)[1:]
    return f"[info     ] {event:<30} " + " ".join(f"{name}={value}" for name, value in sorted(fields.items()))


class Lines:
    """Lines with a prepared part, gathered and written together: one line costs a microsecond."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, str, str, int, int, str]] = []

    def add(self, prepared: str, request_id: str, status: int, size: int, client: str) -> None:
        if _Shape.enabled:
            self._waiting.append((time.time(), prepared, request_id, status, size, client))

    def flush(self) -> None:
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        sys.stderr.write("".join([_line(*each) for each in waiting]))


def _line(when: float, prepared: str, request_id: str, status: int, size: int, client: str) -> str:
    moment = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(when))}.{int(when % 1 * 1e6):06d}Z"
    if _Shape.format == "json":
        own = f'"timestamp": "{moment}", "request_id": "{request_id}", "status": {status}, "bytes": {size}'
        return f'{{{own}, "client": "{client}", {prepared}\n'
    return f"{moment} {prepared} bytes={size} client={client} request_id={request_id} status={status}\n"


def _drop_meta(logger: Any, name: str, event: Any) -> Any:
    return structlog.stdlib.ProcessorFormatter.remove_processors_meta(logger, name, event)
