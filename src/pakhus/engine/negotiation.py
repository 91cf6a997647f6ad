"""Content negotiation (RFC 9110, section 12.5.1): which of a document's media types a client gets."""

from __future__ import annotations

from collections.abc import Sequence


def choose(accept: str, offered: Sequence[str]) -> str:
    """The offered type with the greatest quality; the first one offered where the client has no say or no match."""
    if len(offered) == 1 or not accept or accept == "*/*":
        return offered[0]
    ranges = [_parsed(part) for part in accept.split(",") if part.strip()]
    best, best_quality = offered[0], 0.0
    for position, kind in enumerate(offered):
        quality = _quality(kind, ranges) - position * 1e-6
        if quality > best_quality:
            best, best_quality = kind, quality
    return best


def _parsed(part: str) -> tuple[str, float]:
    kind, *parameters = (piece.strip() for piece in part.split(";"))
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                quality = float(value)
            except ValueError:
                quality = 0.0
    return kind.lower(), quality


def _quality(kind: str, ranges: Sequence[tuple[str, float]]) -> float:
    """The quality of the most specific range that covers the type."""
    main = kind.partition("/")[0]
    for wanted in (kind, f"{main}/*", "*/*"):
        for covered, quality in ranges:
            if covered == wanted:
                return quality
    return 0.0
