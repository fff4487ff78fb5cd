"""Markdown tables and docstrings for the reference pages."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [[*columns], *([*row] for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def doc(thing: object) -> str:
    """The docstring of *thing*, not inherited, with *names* in code type and examples as blocks."""
    own = inspect.cleandoc(getattr(thing, "__doc__", None) or "")
    text, *examples = re.split(r"(?m)^(?=>>> )", own, maxsplit=1)
    told = re.sub(r"(?<!\*)\*(\w+)\*(?!\*)", r"`\1`", text).rstrip()
    return "\n\n".join([told, *(f"```pycon\n{shown.rstrip()}\n```" for shown in examples)])


def summary(thing: object) -> str:
    return doc(thing).partition("\n\n")[0]
