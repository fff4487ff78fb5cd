"""Secrets in URLs, masked for display."""

from __future__ import annotations

import re

MASK = "********"
_URL_PASSWORD = re.compile(r"""(?<=://)([^/@\s:"'<>]*):[^\s"'<>]+(?=@)""")
"""The user and the password of a URL, up to the last `@`: a password may hold one itself."""
_URL_PARAMETER = re.compile(
    r"""([?&][^=&\s]*(?:pass|pwd|secret|token|key|sig|credential)[^=&\s]*=)[^&\s#"'<>]+""",
    re.IGNORECASE,
)
"""A parameter in the query of a URL whose value is a secret."""


def without_url_passwords(text: str) -> str:
    """*text* with the credentials in its URLs masked: passwords, and secret parameters of queries."""
    if "://" not in text:
        return text
    return _URL_PARAMETER.sub(rf"\1{MASK}", _URL_PASSWORD.sub(rf"\1:{MASK}", text))
