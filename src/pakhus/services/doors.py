"""Ports and host names of single repositories: refused where another has them, or the server could not open them."""

from __future__ import annotations

from dataclasses import dataclass

from pakhus.domain.errors import Invalid
from pakhus.engine.catalog import Catalog
from pakhus.kit.doors import Doors


@dataclass(frozen=True, slots=True)
class Frame:
    """What the server itself has: its port, and whether it has a certificate."""

    port: int = 0
    certificate: bool = False


def check(catalog: Catalog, frame: Frame, name: str, doors: Doors) -> None:
    """Raises `Invalid` with what is in the way."""
    if doors.tls_ports and not frame.certificate:
        raise Invalid("the server has no certificate for HTTPS: set http.tls.cert_file and http.tls.key_file")
    wanted = {*doors.ports, *doors.tls_ports}
    if frame.port in wanted:
        raise Invalid(f"port {frame.port} is the server's own")
    for each in catalog.everything():
        if each.name == name:
            continue
        taken = catalog.format(each).doors(catalog.options(each))
        for port in sorted(wanted.intersection((*taken.ports, *taken.tls_ports))):
            raise Invalid(f"port {port} belongs to the repository {each.name}")
        if doors.label and doors.label.lower() == taken.label.lower():
            raise Invalid(f"the subdomain {doors.label} belongs to the repository {each.name}")
