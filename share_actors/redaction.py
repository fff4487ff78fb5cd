"""Masking of secrets for display: by type, by the keys of a configuration, in URLs, and as known texts."""

from __future__ import annotations

import json
import re
from difflib import get_close_matches
from typing import Any
from urllib.parse import quote

from pydantic import SecretBytes, SecretStr

from share_actors.values.secret import MASK, Sealed, Secret

__all__ = ["MASK", "looks_secret", "masked", "remember_secret", "scrubbed", "without_url_passwords"]
_SECRET_PART = re.compile(r"pass|pwd?\b|secret|token|key|cipher|cypher|credential", re.IGNORECASE)
_SECRET_WORDS = ("password", "passphrase", "secret", "token", "key", "cipher", "credentials")
_MIN_SIMILARITY = 0.66
"""From here on (`difflib`), a word counts as a misspelt secret word: masking too much is the lesser harm."""
_OPTION = re.compile(r"backends\.[^.]+\.options(\.|$)")
_URL_PASSWORD = re.compile(r"""(?<=://)([^/@\s:"'<>]*):[^\s"'<>]+(?=@)""")
"""The user and the password of a URL, up to the last `@`: a password may hold one itself."""
_URL_PARAMETER = re.compile(
    r"""([?&][^=&\s]*(?:pass|pwd|secret|token|key|sig|credential)[^=&\s]*=)[^&\s#"'<>]+""",
    re.IGNORECASE,
)
"""A parameter in the query of a URL whose value is a secret."""


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


def without_url_passwords(text: str) -> str:
    """*text* with the credentials in its URLs masked: passwords, and secret parameters of queries."""
    if "://" not in text:
        return text
    return _URL_PARAMETER.sub(rf"\1{MASK}", _URL_PASSWORD.sub(rf"\1:{MASK}", text))


# -- known secrets -------------------------------------------------------------------------------
MIN_KNOWN = 4
"""Shorter secrets are not looked for: masking them would only make texts unreadable."""
MAX_KNOWN = 1000
_known: dict[str, None] = {}
_pattern: re.Pattern[str] | None = None


def remember_secret(secret: str) -> None:
    """Mask *secret* from now on in what this process logs and records of failures (`scrubbed`)."""
    global _pattern  # noqa: PLW0603 - one set for the process, as its loggers are
    if len(secret) < MIN_KNOWN:
        return
    _pattern = None if secret not in _known else _pattern
    _known.pop(secret, None)
    _known[secret] = None
    if len(_known) > MAX_KNOWN:
        del _known[next(iter(_known))]


def scrubbed(text: str) -> str:
    """*text* without the secrets that this process has had to do with, and without credentials in URLs."""
    return without_url_passwords(_known_pattern().sub(MASK, text) if _known else text)


def _forms(secret: str) -> tuple[str, ...]:
    """*secret* as texts may hold it: itself, in a string literal, in JSON, and in a URL."""
    return (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe=""))


def _known_pattern() -> re.Pattern[str]:
    global _pattern  # noqa: PLW0603
    if _pattern is None:
        forms = {form for secret in [*_known] for form in _forms(secret)}
        _pattern = re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True))))
    return _pattern
