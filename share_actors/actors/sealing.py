"""Secrets at rest: what a log must not hold in plain text is sealed under a key of the system's own.

AES-SIV (RFC 5297): the same secret seals to the same text, so that a request asked again is the same.
"""

from __future__ import annotations

import os
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
    """Seals and opens; two processes of one system have the same key."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(key)

    @classmethod
    def of(cls, config: Config) -> Sealer:
        """With `secrets_key`, or else the key in the home's file `secrets.key`, made if it is missing."""
        given = config.secrets_key
        return cls(
            urlsafe_b64decode(kept_key(config) if given is None else given.get_secret_value())
        )

    def seal(self, secret: str) -> str:
        """*secret* as it may be written; what is sealed already stays as it is."""
        if secret.startswith(SEALED):
            return secret
        return SEALED + urlsafe_b64encode(self._cipher.encrypt(secret.encode(), None)).decode()

    def open(self, sealed: str) -> str:
        """The secret; raises `ConfigError` if it was sealed under another key."""
        if not sealed.startswith(SEALED):
            return sealed
        try:
            return self._cipher.decrypt(urlsafe_b64decode(sealed[len(SEALED) :]), None).decode()
        except (InvalidTag, ValueError):
            raise ConfigError(
                "secrets_key: a secret in the log was sealed under another key: bring back secrets.key"
                " from the home that it was written in",
                field="secrets_key",
            ) from None

    def seal_details(self, details: Mapping[str, str]) -> dict[str, str]:
        """*details* with those sealed whose names say that they are secret."""
        return {k: self.seal(v) if looks_secret(k) else v for k, v in details.items()}

    def open_details(self, details: Mapping[str, str]) -> dict[str, str]:
        return {k: self.open(v) for k, v in details.items()}


def new_key() -> bytes:
    """A key for `secrets_key`, before base64."""
    return os.urandom(_BYTES)


def kept_key(config: Config) -> str:
    """The key in the home's file, as `secrets_key` has it; it is made if it is missing.

    Raises `ConfigError` if the file holds something else, or can't be read or made.
    """
    path = config.home / "secrets.key"
    try:
        key = _kept(path)
    except OSError as error:
        raise ConfigError(f"home {path}: {error.strerror}", field="home", value=str(path)) from None
    if len(key) != _BYTES:
        raise ConfigError(
            f"home {path}: is no key of {_BYTES} bytes", field="home", value=str(path)
        )
    return urlsafe_b64encode(key).decode()


def _kept(path: Path) -> bytes:
    """The key in the file; whoever comes first makes it, whole or not at all, for this user only."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_suffix(f".{os.getpid()}")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(fd, new_key())
        os.fsync(fd)
    finally:
        os.close(fd)
    with suppress(FileExistsError):
        os.link(new, path)
    new.unlink()
    return path.read_bytes()
