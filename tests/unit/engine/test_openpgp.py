"""Keys and signatures, checked by GnuPG: what apt and rpm verify with."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pakhus.domain.errors import Invalid, Unavailable
from pakhus.engine import openpgp
from pakhus.engine.openpgp import Ring, Secret

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEXT = b"Origin: Pakhus\n- a dash\nFrom a line that mail would change\n"
Verify = Callable[..., bytes]


@pytest.fixture(scope="module")
def keys() -> list[Secret]:
    return [openpgp.read(str(openpgp.generated(f"key {number}", "ed25519")), "") for number in range(2)]


@pytest.fixture
def verify(tmp_path: Path) -> Verify:
    """Verify with a keyring of these keys; the text of a cleartext signature. Raises if gpgv is not content."""

    def run(certificates: bytes, signature: bytes, data: bytes | None = None) -> bytes:
        (tmp_path / "keyring.gpg").write_bytes(certificates)
        (tmp_path / "signature").write_bytes(signature)
        command = ["gpgv", "--keyring", str(tmp_path / "keyring.gpg"), "--output", str(tmp_path / "text")]
        (tmp_path / "text").unlink(missing_ok=True)
        if data is not None:
            (tmp_path / "data").write_bytes(data)
            command = [*command[:3], str(tmp_path / "signature"), str(tmp_path / "data")]
        else:
            command.append(str(tmp_path / "signature"))
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "Good signature" in done.stderr, done.stderr
        assert "BAD" not in done.stderr
        return (tmp_path / "text").read_bytes() if data is None else b""

    return run


@pytest.mark.parametrize("known", [(0,), (1,), (0, 1)])
def test_what_two_keys_sign_is_verified_with_either(keys: list[Secret], verify: Verify, known: tuple[int, ...]) -> None:
    ring = Ring(keys, NOW)
    certificates = openpgp.published([keys[each].public for each in known], armored=False)

    assert verify(certificates, ring.clear(TEXT)) == TEXT
    verify(certificates, ring.detached(TEXT), TEXT)


def test_a_key_that_another_repository_signs_with_does_not_verify(keys: list[Secret], verify: Verify) -> None:
    with pytest.raises(AssertionError):
        verify(openpgp.published([keys[1].public], armored=False), Ring(keys[:1], NOW).clear(TEXT))


@pytest.mark.parametrize("algorithm", ["rsa3072", "ed25519"])
async def test_a_generated_key_is_of_the_algorithm_that_was_asked_for(algorithm: str, tmp_path: Path) -> None:
    key = await openpgp.generate("a repository", algorithm)
    file = tmp_path / "key"
    file.write_text(key.public)
    command = ["gpg", "--homedir", str(tmp_path), "--with-colons", "--show-keys", str(file)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    size, number = next(line.split(":")[2:4] for line in shown.splitlines() if line.startswith("pub:"))
    assert {"rsa3072": ("3072", "1"), "ed25519": ("255", "22")}[algorithm] == (size, number)
    assert key.fingerprint.upper() in shown
    assert "a repository" in shown


def test_public_keys_share_one_armored_block_and_hold_nothing_secret(keys: list[Secret], tmp_path: Path) -> None:
    armored = Ring(keys, NOW).public(armored=True)
    (tmp_path / "key.asc").write_bytes(armored)
    command = ["gpg", "--homedir", str(tmp_path), "--with-colons", "--show-keys", str(tmp_path / "key.asc")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert armored.count(b"BEGIN PGP PUBLIC KEY BLOCK") == 1
    assert [line[:4] for line in shown.splitlines() if line[:3] in ("pub", "sec")] == ["pub:", "pub:"]


def gpg_key(home: Path, passphrase: str) -> str:
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--pinentry-mode", "loopback", "--passphrase", passphrase]
    subprocess.run([*gpg, "--quick-gen-key", "An administrator", "ed25519", "sign", "0"], check=True)
    return subprocess.run([*gpg, "--armor", "--export-secret-keys"], check=True, capture_output=True, text=True).stdout


def test_a_key_of_gnupg_with_a_passphrase_signs(verify: Verify, tmp_path: Path) -> None:
    key = openpgp.read(gpg_key(tmp_path / "home", "open sesame"), "open sesame")

    assert verify(openpgp.published([key.public], armored=False), Ring([key], NOW).clear(TEXT)) == TEXT
    assert key.user_ids == ("An administrator",)
    assert "PRIVATE" not in key.public


def test_what_cannot_sign_is_not_taken(keys: list[Secret], tmp_path: Path) -> None:
    locked = gpg_key(tmp_path / "home", "open sesame")

    for keypair, passphrase in ((locked, "wrong"), (locked, ""), (keys[0].public, ""), ("no key", ""), ("", "")):
        with pytest.raises(Invalid) as refused:
            openpgp.read(keypair, passphrase)
        assert "\n" not in refused.value.message


def test_without_a_key_nothing_is_signed() -> None:
    with pytest.raises(Unavailable):
        Ring([], NOW).clear(TEXT)


def test_a_secret_does_not_show_itself(keys: list[Secret]) -> None:
    assert "PRIVATE" not in repr(keys[0])
