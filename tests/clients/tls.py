"""A server behind TLS of its own, for the clients which keep their credentials to themselves otherwise."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.clients.server import ADMIN, Server

ADDRESS = "127.0.0.1"


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for the loopback address, which vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Pakhus under test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(ADDRESS))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "server.pem", folder / "server.key"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return chain, private


class SecureServer(Server):
    """A server at an https URL. `chain` is what a client has to trust."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.chain, key = certificate(self.data.parent)
        self.url = f"https://{ADDRESS}:{self.port}"
        trust = ssl.create_default_context(cafile=str(self.chain))
        self.http = httpx2.Client(base_url=self.url, auth=ADMIN, timeout=60, trust_env=False, verify=trust)
        self.settings = {
            **self.settings,
            "PAKHUS_HTTP_TLS_ENABLED": "true",
            "PAKHUS_HTTP_TLS_CERT_FILE": str(self.chain),
            "PAKHUS_HTTP_TLS_KEY_FILE": str(key),
        }

    def authority(self, repository: str, path: str = "", *, user: tuple[str, str] = ADMIN) -> str:
        return self.at(repository, path).replace("https://", f"https://{user[0]}:{user[1]}@", 1)
