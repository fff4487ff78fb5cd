"""The Ed25519 key that signs checkpoints, in a file that only its owner may read."""

from __future__ import annotations

from base64 import b64decode, b64encode
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from share_actors.durable_files import create_file
from share_actors.errors import ConfigError
from share_actors.events.checkpoints.check_bundle import ED25519, PublicKey, key_id_of

PREFIX = "PRIVATE+KEY"


class SigningKey:
    """A private key with the name of the log that it signs for."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        raw = private.public_key().public_bytes_raw()
        self._private = private
        self.public = PublicKey(name, key_id_of(name, raw), raw)

    @property
    def public_text(self) -> str:
        """The public key as auditors get it: `NAME+ID+BASE64`."""
        return _text(self.public, self.public.raw)

    def sign(self, text: str) -> str:
        """The signed note with *text*, which ends with a newline."""
        signature = b64encode(self.public.id + self._private.sign(text.encode())).decode()
        return f"{text}\n\N{EM DASH} {self.public.name} {signature}\n"

    @classmethod
    def generate(cls, name: str) -> SigningKey:
        """A new key."""
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path, name: str) -> SigningKey:
        """Read the key in the file *path*, made for the log *name*; raises `ConfigError`."""
        try:
            text = path.read_text(encoding="ascii").strip()
            _, _, found, key_id, encoded = text.split("+", 4)
            content = b64decode(encoded, validate=True)
            key = cls(found, Ed25519PrivateKey.from_private_bytes(content[1:]))
            is_valid = text.startswith(f"{PREFIX}+") and key_id == key.public.id.hex()
        except OSError as error:
            raise _unusable(path, str(error.strerror)) from None
        except ValueError:
            is_valid = False
        if not is_valid:
            raise _unusable(path, "it is not a key for checkpoints")
        if found != name:
            raise _unusable(path, f"it is the key of the log {found}, and this one is {name}")
        return key

    @classmethod
    def load_or_create(cls, path: Path, name: str) -> SigningKey:
        """Read the key in the file *path*, or create both; raises `ConfigError`."""
        if not path.exists():
            key = cls.generate(name)
            text = f"{PREFIX}+{_text(key.public, key._private.private_bytes_raw())}\n"
            try:
                create_file(path, text.encode())
            except OSError as error:
                raise _unusable(path, str(error.strerror)) from None
        return cls.load(path, name)


def _text(key: PublicKey, content: bytes) -> str:
    return f"{key.name}+{key.id.hex()}+{b64encode(ED25519 + content).decode()}"


def _unusable(path: Path, problem: str) -> ConfigError:
    return ConfigError(
        f"audit.signer_file {path}: {problem}", field="audit.signer_file", value=str(path)
    )
