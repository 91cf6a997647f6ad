"""OpenPGP keys and signatures (RFC 9580), by Sequoia. Everything but `generate` computes: call it in a thread.

Run as a program it generates a key: `python -m pakhus.engine.openpgp ALGORITHM USER_ID` prints an armored secret key.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pysequoia import ArmorKind, Cert, CipherSuite, PySigner, Sig, SignatureMode, Tsk, armor, sign
from pysequoia.packet import PacketPile, Tag

from pakhus.domain.errors import Invalid, Unavailable

ALGORITHMS = {
    "rsa3072": CipherSuite.RSA3k,
    "rsa4096": CipherSuite.RSA4k,
    "ed25519": CipherSuite.Cv25519,
}
"""What a key can be generated as. RSA is what every apt and rpm in use verifies; it takes seconds to generate."""
INSTANT = frozenset({"ed25519"})

SIGNATURE = b"-----BEGIN PGP SIGNATURE-----"
CLEARTEXT = b"-----BEGIN PGP SIGNED MESSAGE-----\n"
HASH = re.compile(rb"^Hash: *(.+?) *$", re.M)
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret key and what opens it. `public` is the armored certificate, `fingerprint` lower-case hexadecimal."""

    keypair: str
    passphrase: str
    public: str
    fingerprint: str
    user_ids: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Secret({self.fingerprint})"


async def generate(user_id: str, algorithm: str) -> Secret:
    """A new key that does not expire. RSA takes seconds, in which Sequoia lets no other thread of its process run."""
    if algorithm in INSTANT:
        return _secret(generated(user_id, algorithm), "")
    program = (sys.executable, "-P", "-m", "pakhus.engine.openpgp", algorithm, user_id)
    process = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    if process.returncode:
        raise Unavailable("the signing key could not be generated")
    return read(printed.decode(), "")


def generated(user_id: str, algorithm: str) -> Tsk:
    return Tsk.generate(user_id=user_id, cipher_suite=ALGORITHMS[algorithm])


def read(keypair: str, passphrase: str) -> Secret:
    """An armored secret key that can sign. Raises `Invalid`."""
    key = _attempt(lambda: Tsk.from_bytes(keypair.encode()), "is not an OpenPGP secret key")
    _attempt(lambda: _signer(key, passphrase), "cannot sign: is the passphrase right, and has it a signing key?")
    return _secret(key, passphrase, keypair)


class Ring:
    """The keys that a repository signs with, newest first: a `Signer`."""

    def __init__(self, secrets: Sequence[Secret], moment: datetime) -> None:
        self._secrets = secrets
        self._moment = moment

    @property
    def moment(self) -> datetime:
        return self._moment

    def clear(self, text: bytes) -> bytes:
        """One text, and below it one armored block with the signature packets of all keys.

        The end of its last line is not signed (RFC 9580, section 7.1).
        """
        body = text.removesuffix(b"\n")
        signed = [sign(signer, body, mode=SignatureMode.CLEAR) for signer in self._signers()]
        framed = [each.partition(SIGNATURE) for each in signed]
        hashes = sorted({name for head, _, _ in framed for name in HASH.findall(head.partition(b"\n\n")[0])})
        escaped = framed[0][0].partition(b"\n\n")[2]
        packets = b"".join(bytes(Sig.from_bytes(SIGNATURE + tail)) for _, _, tail in framed)
        lines = b"".join(b"Hash: " + name + b"\n" for name in hashes)
        return CLEARTEXT + lines + b"\n" + escaped + _armored(packets)

    def detached(self, data: bytes) -> bytes:
        signers = self._signers()
        return _armored(b"".join(sign(each, data, mode=SignatureMode.DETACHED, armor=False) for each in signers))

    def public(self, *, armored: bool) -> bytes:
        return published([each.public for each in self._secrets], armored=armored)

    def _signers(self) -> list[PySigner]:
        """Of every key that can sign now: an imported one may have expired. Raises `Unavailable` when none can."""
        found = []
        refusals = []
        for each in self._secrets:
            try:
                found.append(_opened(each))
            except Invalid as error:
                refusals.append(f"{each.fingerprint} {error.message}")
        if not found:
            raise Unavailable(f"no key can sign: {'; '.join(refusals) or 'the repository has none'}")
        return found


def published(certificates: Sequence[str], *, armored: bool) -> bytes:
    """Public keys as one file: binary ones follow each other, armored ones share one block."""
    binary = b"".join(bytes(Cert.from_bytes(each.encode())) for each in certificates)
    return armor(binary, ArmorKind.PublicKey).encode() if armored else binary


def _opened(secret: Secret) -> PySigner:
    key = Tsk.from_bytes(secret.keypair.encode())
    return _attempt(lambda: _signer(key, secret.passphrase), "cannot sign")


def _signer(key: Tsk, passphrase: str) -> PySigner:
    """The signing key opened by the passphrase, or as it is: people give one for a key that needs none."""
    try:
        return key.signer(passphrase or None)
    except RuntimeError:
        return key.signer()


def _secret(key: Tsk, passphrase: str, keypair: str = "") -> Secret:
    certificate = key.extract_certificate()
    return Secret(
        keypair=keypair or str(key),
        passphrase=passphrase,
        public=_public(certificate),
        fingerprint=certificate.fingerprint,
        user_ids=tuple(str(each) for each in certificate.user_ids),
    )


def _public(certificate: Cert) -> str:
    """The certificate, armored, with nothing secret in it: read again, so that this is certain."""
    text = str(certificate)
    if any(packet.tag in (Tag.SecretKey, Tag.SecretSubkey) for packet in PacketPile.from_bytes(text.encode())):
        raise Invalid("the public part of the key cannot be told from its secret part")
    return text


def _armored(packets: bytes) -> bytes:
    return armor(packets, ArmorKind.Signature).encode()


def _attempt(work: Callable[[], Result], refusal: str) -> Result:
    """Sequoia's errors are `RuntimeError`s with a first line for people."""
    try:
        return work()
    except RuntimeError as error:
        raise Invalid(f"{refusal} ({str(error).partition(chr(10))[0]})") from error


if __name__ == "__main__":
    sys.stdout.write(str(generated(sys.argv[2], sys.argv[1])))
