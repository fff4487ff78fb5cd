"""Masking of secret configuration values, found by their keys, also misspelt ones."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any

from pydantic import SecretBytes, SecretStr

MASK = "********"
_SECRET_PART = re.compile(r"pass|pwd?\b|secret|token|key|cipher|cypher|credential", re.IGNORECASE)
_SECRET_WORDS = ("password", "passphrase", "secret", "token", "key", "cipher", "credentials")
_MIN_SIMILARITY = 0.66
"""From here on (`difflib`), a word counts as a misspelt secret word: masking too much is the lesser harm."""
_URL_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*):[^@\s]+(?=@)")


def looks_secret(key: str) -> bool:
    """Return whether a part of *key* names a secret, also when it is misspelt."""
    parts = key.lower().split(".")
    if parts[0] == "backends":
        del parts[1:2]  # a backend may be called `keystone` without being a secret
    words = [word for part in parts for word in re.split(r"[^a-z]+", part) if word]
    return any(_SECRET_PART.search(word) or _is_misspelt_secret(word) for word in words)


def _is_misspelt_secret(word: str) -> bool:
    if word in ("server", "servers"):  # similar to "secret"
        return False
    candidates = [secret for secret in _SECRET_WORDS if abs(len(secret) - len(word)) <= 2]
    return bool(get_close_matches(word, candidates, n=1, cutoff=_MIN_SIMILARITY))


def masked(key: str, value: Any) -> Any:
    """Return the configuration *value* of *key* with its secrets masked, for display."""
    match value:
        case SecretStr() | SecretBytes():
            return MASK if value.get_secret_value() else ""
        case dict():
            return {name: masked(f"{key}.{name}", item) for name, item in value.items()}
        case list() | tuple():
            return [masked(key, item) for item in value]
        case None | "" | bool():
            return value
        case _ if looks_secret(key):
            return MASK
        case str():
            return _URL_PASSWORD.sub(rf"\1:{MASK}", value)
        case _:
            return value
