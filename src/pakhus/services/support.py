"""What this node can say of itself, for support."""

from __future__ import annotations

import io
import json
import os
import platform
import socket
import sys
import threading
import traceback
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pakhus import __version__
from pakhus.services.services import Services

LARGEST = 30 << 20
"""Bytes of one file in a support zip whose sizes are limited."""


def information(services: Services, version: str) -> dict[str, Any]:
    """What this server is and runs on. Nothing secret: of the environment only the names."""
    disk = os.statvfs(services.data)
    return {
        "nexus-status": {"version": version, "edition": "COMMUNITY", "pakhus": __version__},
        "nexus-node": {"node-id": services.node.id},
        "nexus-configuration": {"workingDirectory": str(services.data)},
        "nexus-properties": {},
        "nexus-license": {},
        "nexus-bundles": {name: format.__module__ for name, format in _formats(services).items()},
        "system-time": {"current": services.now().isoformat()},
        "system-properties": {"os.name": platform.system(), "os.version": platform.release()},
        "system-environment": dict.fromkeys(sorted(os.environ), "…"),
        "system-runtime": {
            "availableProcessors": os.cpu_count(),
            "python": sys.version.split()[0],
            "threads": threading.active_count(),
        },
        "system-network": {"hostname": socket.gethostname()},
        "system-filestores": {
            "data": {"totalSpace": disk.f_blocks * disk.f_frsize, "usableSpace": disk.f_bavail * disk.f_frsize}
        },
    }


def _formats(services: Services) -> Mapping[str, Any]:
    return {name: type(format) for name, format in services.catalog.formats.items()}


def stacks() -> str:
    """What every thread does now."""
    names = {each.ident: each.name for each in threading.enumerate()}
    found = []
    for ident, frame in sys._current_frames().items():
        found.append(f"{names.get(ident, ident)}\n{''.join(traceback.format_stack(frame))}")
    return "\n".join(found)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A support zip. `truncated` says that some file is not complete."""

    name: str
    body: bytes
    truncated: bool


def bundle(files: Mapping[str, bytes], *, moment: datetime, limited: bool) -> Bundle:
    """Pack files for support; where sizes are limited, each is cut to its last 30 MiB."""
    packed = io.BytesIO()
    truncated = False
    name = f"support-{moment:%Y%m%d-%H%M%S}-1"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, body in files.items():
            cut = limited and len(body) > LARGEST
            truncated |= cut
            archive.writestr(f"{name}/{path}", body[-LARGEST:] if cut else body)
    return Bundle(f"{name}.zip", packed.getvalue(), truncated)


def configuration(services: Services) -> bytes:
    """Repositories, blob stores and routing rules as they are kept, without secrets."""
    catalog = services.catalog
    found = {
        "repositories": [
            {"name": each.name, "format": each.format, "type": each.type.value, "settings": each.settings}
            for each in catalog.everything()
        ],
        "blobStores": [
            {"name": row.name, "type": row.type, "settings": row.settings} for row in catalog.stores.values()
        ],
        "routingRules": [
            {"name": rule.name, "mode": rule.mode, "matchers": rule.matchers} for rule in catalog.rules.values()
        ],
        "settings": catalog.values,
    }
    return as_json(found)


def as_json(found: Any) -> bytes:
    """For people; without secrets."""
    return json.dumps(without_secrets(found), indent=2, default=str).encode()


SECRETS = ("password", "token", "secret", "passphrase", "keypair", "$sealed")


def without_secrets(value: Any) -> Any:
    """The value, with dots where a member's name tells of a secret."""
    if isinstance(value, Mapping):
        return {k: "…" if v and _is_secret(k) else without_secrets(v) for k, v in value.items()}
    return [without_secrets(each) for each in value] if isinstance(value, list | tuple) else value


def _is_secret(name: str) -> bool:
    return any(word in name.lower() for word in SECRETS)
