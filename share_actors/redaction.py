"""Masking of secrets for display: by type, by the keys of a configuration, in URLs, and as known texts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any
from urllib.parse import quote

from pydantic import SecretBytes, SecretStr

from share_actors.values.checks.urls import MASK, without_url_passwords
from share_actors.values.secret import Sealed, Secret

__all__ = [
    "MASK",
    "KnownSecrets",
    "known_secrets",
    "looks_secret",
    "masked",
    "remember_secret",
    "scrubbed",
    "without_url_passwords",
]
_SECRET_PART = re.compile(r"pass|pwd?\b|secret|token|key|cipher|cypher|credential", re.IGNORECASE)
_SECRET_WORDS = ("password", "passphrase", "secret", "token", "key", "cipher", "credentials")
_MIN_SIMILARITY = 0.66
"""From here on (`difflib`), a word counts as a misspelt secret word: masking too much is the lesser harm."""
_OPTION = re.compile(r"backends\.[^.]+\.options(\.|$)")


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


def masked(key: str, value: Any, *, options: bool = False) -> Any:
    """Return the configuration *value* of *key* with its secrets masked, for display.

    What text among a driver's options is secret, only the driver knows: all of it is masked, unless
    *options* says that those are masked already that the driver declares (`registry.shown_options`).
    """
    match value:
        case SecretStr() | SecretBytes():
            return MASK if value.get_secret_value() else ""
        case Secret() | Sealed():
            return MASK
        case dict():
            items = value.items()
            return {name: masked(f"{key}.{name}", item, options=options) for name, item in items}
        case list() | tuple():
            return [masked(key, item, options=options) for item in value]
        case None | "" | bool():
            return value
        case str() if _OPTION.match(key) and not options:
            return MASK
        case _ if looks_secret(key):
            return MASK
        case str():
            return without_url_passwords(value)
        case _:
            return value


# -- known secrets -------------------------------------------------------------------------------
class KnownSecrets:
    """The secrets that a process has had to do with, at most *most* of them, the last ones.

    Those of less than `MIN_KNOWN` characters are left out: masking them would make texts unreadable.
    """

    MIN_KNOWN = 4
    SHORT = 8
    """Shorter secrets are masked as whole words only."""

    def __init__(self, most: int = 1000) -> None:
        self._most = most
        self._known: dict[str, None] = {}
        self._pattern: re.Pattern[str] | None = None

    def remember(self, secret: str) -> None:
        """Mask *secret* from now on."""
        if len(secret) < self.MIN_KNOWN or secret in self._known:
            return
        known = {**self._known, secret: None}
        if len(known) > self._most:
            del known[next(iter(known))]
        self._known, self._pattern = known, None

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Forget at the end what is remembered meanwhile."""
        known = self._known
        try:
            yield
        finally:
            self._known, self._pattern = known, None

    def scrub(self, text: str) -> str:
        """*text* without the known secrets, and without credentials in URLs."""
        if self._known:
            pattern = self._pattern = self._pattern or self._compile()
            text = pattern.sub(MASK, text)
        return without_url_passwords(text)

    def _compile(self) -> re.Pattern[str]:
        forms = {form: None for secret in self._known for form in self._forms(secret)}
        return re.compile("|".join(sorted(forms, key=len, reverse=True)))

    def _forms(self, secret: str) -> Iterator[str]:
        """*secret* as texts may hold it: itself, in a string literal, in JSON, and in a URL."""
        for form in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe="")):
            pattern = re.escape(form)
            yield rf"(?<!\w){pattern}(?!\w)" if len(secret) < self.SHORT else pattern


known_secrets = KnownSecrets()
"""The secrets that this process has had to do with."""
remember_secret = known_secrets.remember
"""Mask a secret from now on in what this process logs, and records of failures."""
scrubbed = known_secrets.scrub
"""A text without the secrets that this process has had to do with, and without credentials in URLs."""
