"""Secrets at rest: the log holds secrets only sealed, that is, encrypted under the system's key.

A secret is sealed for its place, an entity and a field: copied to another, it does not open. AES-SIV (RFC
5297) is deterministic: a repeated request has the same content as the first.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from share_actors.durable_files import create_file
from share_actors.errors import ConfigError
from share_actors.redaction import remember_secret, without_url_passwords
from share_actors.values.secret import Sealed, Secret

if TYPE_CHECKING:
    from share_actors.config import Config

ANYWHERE = "sealed:1:"
"""How secrets of earlier versions begin: they are not bound to a place."""
SEALED = "sealed:2:"
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

    def seal(self, secret: str, entity: str = "", field: str = "") -> Sealed:
        """*secret*, which may be any text, sealed for a *field* of the entity at an address."""
        remember_secret(secret)
        sealed = self._cipher.encrypt(secret.encode(), _place(entity, field))
        return Sealed(SEALED + urlsafe_b64encode(sealed).decode())

    def open(self, text: str, entity: str = "", field: str = "") -> str:
        """The secret, or *text* itself unless it is `Sealed`.

        Raises `ConfigError` if the key is another, or if it was sealed for another place.
        """
        if not isinstance(text, Sealed):
            return text
        place = None if text.startswith(ANYWHERE) else _place(entity, field)
        try:
            sealed = urlsafe_b64decode(text[len(SEALED) :])
            secret = Secret(self._cipher.decrypt(sealed, place).decode())
        except (InvalidTag, ValueError):
            raise ConfigError(
                "secrets_key: a secret in the log was sealed under another key, or for another entity:"
                " restore secrets.key from the home of the system that wrote it",
                field="secrets_key",
            ) from None
        remember_secret(secret)
        return secret

    def seal_details(
        self, details: Mapping[str, str], entity: str = "", public: Collection[str] = ()
    ) -> dict[str, str]:
        """*details* of a driver, sealed for *entity*, but for those with the names *public*.

        A `Secret`, and a URL with a password, are sealed whatever their names.
        """
        return {
            name: value
            if name in public and not _is_secret(value)
            else self.seal(value, entity, f"details.{name}")
            for name, value in details.items()
        }

    def open_details(self, details: Mapping[str, str], entity: str = "") -> dict[str, str]:
        """*details* with sealed values opened; raises `ConfigError` as `open` does."""
        return {name: self.open(v, entity, f"details.{name}") for name, v in details.items()}


def _is_secret(text: str) -> bool:
    return isinstance(text, Secret) or without_url_passwords(text) != text


def _place(entity: str, field: str) -> list[bytes]:
    return [entity.encode(), field.encode()]


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
        create_file(path, new_key())
    return path.read_bytes()
