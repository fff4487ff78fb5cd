"""Field types: identifiers and names, checked where they enter the system."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


def printable(text: str) -> str:
    """Return *text*; raises ValueError if it holds a control or unprintable character."""
    if not text.isprintable():
        raise ValueError("holds a control or unprintable character")
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("is blank")
    return text


Name = Annotated[str, Field(max_length=255), AfterValidator(printable)]
Description = Annotated[str, Field(max_length=255), AfterValidator(printable)]
Reason = Annotated[
    str, Field(max_length=255), AfterValidator(printable), AfterValidator(_not_blank)
]
"""Why something was done, in the words of whoever asked for it."""
