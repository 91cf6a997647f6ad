"""HTML indexes of folders, in the shape that `wget -r` and people know."""

from __future__ import annotations

import html
from collections.abc import Callable
from datetime import UTC
from email.utils import format_datetime
from urllib.parse import quote

from pakhus.domain.content import Asset
from pakhus.engine.browse import Entry, Folder

STYLE = "body{font-family:sans-serif}td,th{padding:.1em 1em;text-align:left}td.size{text-align:right}"


def render(path: str, folder: Folder, *, file: Callable[[Asset], str] | None = None) -> str:
    """The page of a folder. Links are relative; `file` gives those of files where they lie elsewhere."""
    rows = "" if path == "/" else '<tr><td><a href="../">Parent Directory</a></td></tr>\n'
    rows += "".join(_row(entry, file) for entry in folder.entries)
    if folder.more is not None:
        rows += f'<tr><td><a href="?after={quote(folder.more)}">More</a></td></tr>\n'
    title = html.escape(f"Index of {path}")
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n<table>\n"
        "<tr><th>Name</th><th>Last Modified</th><th>Size</th><th>Description</th></tr>\n"
        f"{rows}</table></body></html>\n"
    )


def _row(entry: Entry, file: Callable[[Asset], str] | None) -> str:
    asset = entry.asset
    target = quote(entry.name) if asset is None or file is None else html.escape(file(asset))
    link = f'<a href="{target}">{html.escape(entry.name)}</a>'
    if asset is None:
        return f"<tr><td>{link}</td><td></td><td></td><td></td></tr>\n"
    modified = format_datetime(asset.updated.astimezone(UTC).replace(microsecond=0), usegmt=True)
    return f'<tr><td>{link}</td><td>{modified}</td><td class="size">{asset.blob.size}</td><td></td></tr>\n'
