"""TLS with an own authority, and outbound proxies."""

from __future__ import annotations

import asyncio
import base64
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pakhus.domain.errors import Blocked, UpstreamDown
from pakhus.remote.upstreams import HttpUpstreams

from .conftest import PRIVATE, PRIVATE_2, Names, Serve, ServeRaw, get, remote, says, text, to, user
from .test_authorization import BASIC, registry, tokens


@dataclass(frozen=True)
class Authority:
    pem: str
    server: ssl.SSLContext


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority, and a server context for the addresses and names of the tests."""
    now = datetime.datetime.now(datetime.UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Authority")])

    def builder(name: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        made = x509.CertificateBuilder(issuer_name=ca_name, subject_name=name, public_key=public)
        made = made.serial_number(x509.random_serial_number())
        return made.not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))

    ca = builder(ca_name, ca_key.public_key()).add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
    ca_cert = ca.sign(ca_key, hashes.SHA256())
    alternatives = [x509.IPAddress(ipaddress.ip_address(a)) for a in (PRIVATE, PRIVATE_2)]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "up.test")])
    leaf = builder(subject, key.public_key()).add_extension(
        x509.SubjectAlternativeName([x509.DNSName("up.test"), *alternatives]), False
    )
    chain = tmp_path_factory.mktemp("tls") / "server.pem"
    chain.write_bytes(
        leaf.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain)
    return Authority(ca_cert.public_bytes(serialization.Encoding.PEM).decode(), context)


async def test_an_unknown_authority_is_not_trusted(
    upstreams: HttpUpstreams, serve: Serve, authority: Authority
) -> None:
    server = await serve(text(), tls=authority.server)
    with pytest.raises(UpstreamDown, match="certificate is not trusted"):
        await get(upstreams, remote(server.url))


async def test_own_authorities_are_trusted_as_text_and_as_file(
    upstreams: HttpUpstreams, serve: Serve, authority: Authority, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(authority.pem)
    server = await serve(text(), tls=authority.server)
    for certificates in (authority.pem, str(file)):
        assert (await get(upstreams, remote(server.url, ca_certificates=certificates)))[0] == 200


async def test_the_name_in_the_certificate_is_checked(
    upstreams: HttpUpstreams, serve: Serve, authority: Authority, names: Names
) -> None:
    server = await serve(text(), tls=authority.server)
    for name in ("up.test", "other.test"):
        names.set(name, PRIVATE)
    assert (await get(upstreams, remote(server.at("up.test"), ca_certificates=authority.pem)))[0] == 200
    with pytest.raises(UpstreamDown, match="certificate is not trusted"):
        await get(upstreams, remote(server.at("other.test"), ca_certificates=authority.pem))


@pytest.mark.parametrize("certificates", ["/does/not/exist.pem", "-----BEGIN CERTIFICATE-----\nx\n"])
async def test_certificates_that_cannot_be_read_are_said(upstreams: HttpUpstreams, certificates: str) -> None:
    with pytest.raises(UpstreamDown, match="CA certificates"):
        await get(upstreams, remote("https://127.0.0.1:1/", ca_certificates=certificates))


async def test_plain_http_on_a_tls_port_is_down(upstreams: HttpUpstreams, serve: Serve) -> None:
    server = await serve(text())
    with pytest.raises(UpstreamDown, match="TLS failed"):
        await get(upstreams, remote(server.url.replace("http:", "https:")))


async def test_a_downgrade_is_refused_only_where_there_are_credentials(
    upstreams: HttpUpstreams, serve: Serve, authority: Authority
) -> None:
    plain = await serve(text("plain"))
    server = await serve(to(plain.url), tls=authority.server)
    assert (await get(upstreams, remote(server.url, ca_certificates=authority.pem)))[1] == b"plain"
    with pytest.raises(Blocked, match="https to http"):
        await get(upstreams, remote(server.url, ca_certificates=authority.pem, authentication=user()))
    assert len(plain.requests) == 1


@pytest.mark.parametrize(("realm_tls", "sent"), [(True, BASIC), (False, None)])
async def test_a_realm_elsewhere_gets_credentials_only_over_https(
    upstreams: HttpUpstreams, serve: Serve, authority: Authority, realm_tls: bool, sent: str | None
) -> None:
    auth = await serve(tokens("token", lambda: "t"), host=PRIVATE_2, tls=authority.server if realm_tls else None)
    server = await serve(registry(lambda: auth.url, lambda: "t"), tls=authority.server)
    at = remote(server.url, ca_certificates=authority.pem, authentication=user())
    assert (await get(upstreams, at, "v2/a/manifests/1"))[0] == 200
    assert auth.sent("Authorization") == [sent]


@dataclass
class Proxy:
    """A forward proxy that resolves every name to one address."""

    address: str = PRIVATE
    url: str = ""
    lines: list[str] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *headers = head.rstrip().split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (h.partition(":") for h in headers)}
        self.lines.append(line)
        self.authorizations.append(fields.get("proxy-authorization"))
        method, where, _ = line.split()
        authority, _, path = where.removeprefix("http://").partition("/")
        to_server = await asyncio.open_connection(self.address, int(authority.rpartition(":")[2]))
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        else:
            to_server[1].write(head.replace(where, "/" + path, 1).encode())
        await asyncio.gather(_pump(reader, to_server[1]), _pump(to_server[0], writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    finally:
        writer.close()


@pytest.fixture
async def proxy(serve_raw: ServeRaw) -> AsyncIterator[Proxy]:
    made = Proxy()
    server = await serve_raw(made.talk, host=PRIVATE_2)
    made.url = f"http://prx:pw@{PRIVATE_2}:{server.port}"
    yield made


async def test_http_goes_through_the_proxy_with_its_credentials(
    upstreams: HttpUpstreams, serve: Serve, proxy: Proxy, names: Names
) -> None:
    server = await serve(text())
    at = remote(server.at("only-the-proxy-knows.test"), proxy_url=proxy.url)
    assert await get(upstreams, at) == (200, b"ok")
    assert proxy.lines == [f"GET http://only-the-proxy-knows.test:{server.port}/file HTTP/1.1"]
    assert proxy.authorizations == ["Basic " + base64.b64encode(b"prx:pw").decode()]
    assert names.asked == []


async def test_https_goes_through_a_tunnel(
    upstreams: HttpUpstreams, serve: Serve, proxy: Proxy, authority: Authority
) -> None:
    server = await serve(text(), tls=authority.server)
    at = remote(server.at("up.test"), proxy_url=proxy.url, ca_certificates=authority.pem)
    assert await get(upstreams, at) == (200, b"ok")
    assert proxy.lines == [f"CONNECT up.test:{server.port} HTTP/1.1"]
    assert server.sent("Proxy-Authorization") == [None]


@pytest.mark.parametrize("host", [PRIVATE, "2130706433", "x.localhost", "[::1]"])
async def test_behind_a_proxy_literal_private_addresses_are_refused(
    upstreams: HttpUpstreams, serve: Serve, proxy: Proxy, host: str
) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": f"http://{host}:{server.port}/secret"})

    server = await serve(handler)
    with pytest.raises(Blocked):
        await get(upstreams, remote(server.at("up.test"), proxy_url=proxy.url))
    with pytest.raises(Blocked):
        await get(upstreams, remote("http://up.test/", proxy_url=proxy.url), f"http://{host}:{server.port}/x")
    assert len(server.requests) == 1


async def test_behind_a_proxy_the_remote_may_be_private(upstreams: HttpUpstreams, serve: Serve, proxy: Proxy) -> None:
    server = await serve(text())
    assert (await get(upstreams, remote(server.url, proxy_url=proxy.url)))[0] == 200
    with pytest.raises(Blocked):
        await get(upstreams, remote("http://169.254.169.254/", proxy_url=proxy.url))


async def test_a_proxy_that_refuses_or_is_away_is_down(upstreams: HttpUpstreams, serve_raw: ServeRaw) -> None:
    refusing = await serve_raw(says(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"))
    with pytest.raises(UpstreamDown, match="proxy answered 407"):
        await get(upstreams, remote("https://up.test/", proxy_url=refusing.url))
    with pytest.raises(UpstreamDown, match="outbound proxy") as caught:
        await get(upstreams, remote("https://up.test/", proxy_url="http://prx:pw@127.0.0.1:1"))
    assert "pw" not in str(caught.value)
    with pytest.raises(UpstreamDown, match="not valid"):
        await get(upstreams, remote("https://up.test/", proxy_url="proxy:3128"))
