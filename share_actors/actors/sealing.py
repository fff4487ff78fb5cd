"""Secrets at rest: the log holds secrets only sealed, that is, encrypted under the system's key.

AES-SIV (RFC 5297) is deterministic: a repeated request has the same content as the first.
"""

from __future__ import annotations

import os
import tempfile
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from share_actors.errors import ConfigError
from share_actors.redaction import looks_secret

if TYPE_CHECKING:
    from share_actors.config import Config

SEALED = "sealed:1:"
_BYTES = 64


class Sealer:
    """Encrypts and decrypts secrets; all processes of a system have the same key."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(key)

    @classmethod
    def of(cls, config: Config) -> Sealer:
        """A sealer with the key `secrets_key`, or else with the `home_key`."""
        configured = config.secrets_key
        key = home_key(config) if configured is None else configured.get_secret_value()
        return cls(urlsafe_b64decode(key))

    def seal(self, secret: str) -> str:
        """*secret* in sealed form; a sealed secret is returned unchanged."""
        if secret.startswith(SEALED):
            return secret
        return SEALED + urlsafe_b64encode(self._cipher.encrypt(secret.encode(), None)).decode()

    def open(self, sealed: str) -> str:
        """The secret, or *sealed* itself if it is not sealed; raises `ConfigError` if the key is another."""
        if not sealed.startswith(SEALED):
            return sealed
        try:
            return self._cipher.decrypt(urlsafe_b64decode(sealed[len(SEALED) :]), None).decode()
        except (InvalidTag, ValueError):
            raise ConfigError(
                "secrets_key: a secret in the log was sealed under another key: restore secrets.key"
                " from the home of the system that wrote it",
                field="secrets_key",
            ) from None

    def seal_details(self, details: Mapping[str, str]) -> dict[str, str]:
        """*details* with the values sealed whose names are those of secrets (see `looks_secret`)."""
        return {k: self.seal(v) if looks_secret(k) else v for k, v in details.items()}

    def open_details(self, details: Mapping[str, str]) -> dict[str, str]:
        """*details* with sealed values opened; raises `ConfigError` as `open` does."""
        return {k: self.open(v) for k, v in details.items()}


def new_key() -> bytes:
    """A new random key of 64 bytes; `secrets_key` is its base64 form."""
    return os.urandom(_BYTES)


def home_key(config: Config) -> str:
    """The key in the home's file `secrets.key`, in base64; the file is created if it is missing.

    Raises `ConfigError` if the file does not hold a key, or can't be read or created.
    """
    path = config.home / "secrets.key"
    try:
        key = _read_or_create(path)
    except OSError as error:
        raise ConfigError(f"home {path}: {error.strerror}", field="home", value=str(path)) from None
    if len(key) != _BYTES:
        raise ConfigError(
            f"home {path}: is not a key of {_BYTES} bytes", field="home", value=str(path)
        )
    return urlsafe_b64encode(key).decode()


def _read_or_create(path: Path) -> bytes:
    """The key in the file, which is created atomically, for this user only, if it is missing."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(new_key())
            file.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):  # another process created it first
            os.link(temporary, path)
    finally:
        os.unlink(temporary)
    _sync_directory(path.parent)
    return path.read_bytes()


def _sync_directory(path: Path) -> None:
    """Make the names of the files in *path* durable: without its key, a log's secrets are lost."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
