"""The secret that signs sessions: the configured one, or one generated once and kept in the data directory."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from pakhus.settings.load import SettingsError
from pakhus.settings.schema import Settings, weakness

FILE_NAME = "jwt.secret"


def signing_secret(settings: Settings) -> str:
    """The secret. Nodes that share no data directory must share `auth.jwt_secret`.

    Raises `SettingsError` if the kept one was cut short or replaced by a weak one, or cannot be read or written.
    """
    if configured := settings.auth.jwt_secret.get_secret_value():
        return configured
    file = settings.data / FILE_NAME
    try:
        if not file.exists():
            keep(file, secrets.token_urlsafe(48))
        secret = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"cannot keep the signing secret in {file}: {error}"]) from error
    if problem := weakness(secret):
        raise SettingsError([f"the signing secret in {file} {problem}: remove the file to have a new one made"])
    return secret


def keep(file: Path, secret: str) -> None:
    """Write the secret where nobody wrote one yet, complete or not at all: two nodes may start at once."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(secret + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        # A link, unlike a rename, fails where another process was first; then that one's secret is the secret.
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink()
