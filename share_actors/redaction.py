"""What is not shown: values whose key says, or nearly says, that they are secret."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any

from pydantic import SecretBytes, SecretStr

MASK = "********"
_STEM = re.compile(r"pass|pwd?\b|secret|token|key|cipher|cypher|credential", re.IGNORECASE)
_WORDS = ("password", "passphrase", "secret", "token", "key", "cipher", "credentials")
_NEAR = 0.66
"""How like one of the words a misspelt one is; too much that is masked does less harm than too little."""
_IN_URL = re.compile(r"(?<=://)([^/@\s:]*):[^@\s]+(?=@)")


def looks_secret(key: str) -> bool:
    """Whether a part of *key* names something secret, also when it is misspelt."""
    parts = key.lower().split(".")
    if parts[0] == "backends":
        del parts[1:2]  # a backend may be called `keystone` without being a secret
    words = [word for part in parts for word in re.split(r"[^a-z]+", part) if word]
    return any(_STEM.search(word) or _near(word) for word in words)


def _near(word: str) -> bool:
    if word in ("server", "servers"):  # which is nearly a secret
        return False
    likely = [known for known in _WORDS if abs(len(known) - len(word)) <= 2]
    return bool(get_close_matches(word, likely, n=1, cutoff=_NEAR))


def masked(key: str, value: Any) -> Any:
    """*value* of the configuration's *key* as it may be shown: secrets in it are masked."""
    match value:
        case SecretStr() | SecretBytes():
            return MASK if value.get_secret_value() else ""
        case dict():
            return {inner: masked(f"{key}.{inner}", one) for inner, one in value.items()}
        case list() | tuple():
            return [masked(key, one) for one in value]
        case None | "" | bool():
            return value
        case _ if looks_secret(key):
            return MASK
        case str():
            return _IN_URL.sub(rf"\1:{MASK}", value)
        case _:
            return value
