"""The texts of a request from outside: no control characters, and of bounded length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import from_json

from share_actors.errors import InvalidRequest, shorten
from share_actors.events.decider import Command
from share_actors.values.checks.escaping import CONTROL

MAX_TEXT = 4096
"""The longest text of a request, in characters; most fields have a smaller limit of their own."""
MAX_BODY = 1_000_000
"""The largest request, in bytes."""


_LINE_ENDS, _NONE = dict.fromkeys(map(ord, "\r\n\t")), dict[int, None]()


def check_texts(kind: type[Command], body: bytes) -> None:
    """Raise `InvalidRequest`, with field and value, if the JSON *body* of a command holds an unsafe text.

    Secrets may hold any characters: they are not shown. Nearly always the body as a whole shows that
    there is nothing to look for, so that it need not be parsed.
    """
    if not kind.from_outside:
        return
    if len(body) > MAX_BODY:
        raise InvalidRequest(f"the request has {len(body)} bytes, more than {MAX_BODY}")
    text = body.decode()
    if len(text) <= MAX_TEXT and "\\" not in text and text.isprintable():
        return
    for field, value in _texts(from_json(body), ""):
        if not kind.is_secret(field):
            check_text(field, value)


def check_text(field: str, value: str) -> None:
    """Raise `InvalidRequest` if *value* holds a control character or is too long.

    Only a description may have several lines.
    """
    line = _LINE_ENDS if field == "description" else _NONE
    if CONTROL.search(value.translate(line)):
        message = f"{field}: holds a control character: {shorten(repr(value))}"
        raise InvalidRequest(message, field=field, value=value)
    if len(value) > MAX_TEXT:
        message = f"{field}: has {len(value)} characters, more than {MAX_TEXT}"
        raise InvalidRequest(message, field=field, value=shorten(value))


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """The texts in *value*, also the keys of its mappings, each with its path as a dotted name."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield path or "field", key
            yield from _texts(item, f"{path}.{key}".removeprefix(".").removeprefix("spec."))
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, path)
