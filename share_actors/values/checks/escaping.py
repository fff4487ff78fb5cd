"""Control characters in text from outside: found where it comes in, and escaped where it is shown."""

from __future__ import annotations

import re

CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""What moves a terminal's cursor, begins a line, or changes the order of characters; and lone surrogates."""


def escaped(text: str, keep: str = "") -> str:
    r"""Return *text* with each control character as an escape: `\n`, `\x1b`; not those in *keep*."""
    if text.isprintable():
        return text
    return CONTROL.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
