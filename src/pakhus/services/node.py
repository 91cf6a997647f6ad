"""The identity of this node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

NODE_FILE = "node.id"


class Node:
    def __init__(self, data: Path, new: Callable[[], str]) -> None:
        self._path = data / NODE_FILE
        self._new = new

    @property
    def id(self) -> str:
        """Kept in the data directory, made when it is first asked for."""
        try:
            kept = self._path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            kept = ""
        return kept or self.reset()

    def reset(self) -> str:
        """A new identity."""
        made = self._new()
        self._path.write_text(made + "\n", encoding="utf-8")
        return made
