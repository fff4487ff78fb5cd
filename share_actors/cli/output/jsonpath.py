"""`-o jsonpath=EXPRESSION`: kubectl's templates, with the paths of RFC 9535 in their braces.

`{.id}` is a path, `{range .shares[*]}...{end}` repeats, `{"\\n"}` is a text, and what stands outside braces
is printed as it is. An expression without braces is one path. Within a range, `.name` is a field of the
item and `$.name` one of the whole document.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from share_actors.errors import InvalidRequest, showable, shown

Part = Callable[[Any, Any], str]
"""Gives the text of a part of a template, from the document and the item of the innermost range."""
_INSIDE = re.compile(r"""\{((?:[^{}"']|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')*)\}""")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
HINT = 'examples: {.id}   {.shares[*].id}   {range .shares[*]}{.id} {.name}{"\\n"}{end}'


def template(expression: str) -> Callable[[Any], str]:
    """A function that gives the text of *expression* for a document; raises `InvalidRequest`."""
    words = _words(expression)
    part = _sequence(words, expression, within_range=False)
    return lambda document: part(document, document)


def _refused(expression: str, why: str) -> InvalidRequest:
    text = f"--output: the jsonpath expression {shown(expression)} {why}; {HINT}"
    return InvalidRequest(text, field="output", value=showable(f"jsonpath={expression}"))


def _words(expression: str) -> Iterator[tuple[str, str]]:
    """The parts of *expression*: each `text` or `braces`, with what it holds."""
    if not expression.strip():
        raise _refused(expression, "is empty")
    if "{" not in expression:
        yield "braces", expression
        return
    at = 0
    while at < len(expression):
        if expression[at] != "{":
            end = expression.find("{", at)
            end = len(expression) if end < 0 else end
            yield "text", expression[at:end]
        else:
            found = _INSIDE.match(expression, at)
            if found is None:
                raise _refused(expression, f"has a brace without its end at {expression[at:]!r}")
            yield "braces", found[1].strip()
            end = found.end()
        at = end


def _sequence(words: Iterator[tuple[str, str]], whole: str, *, within_range: bool) -> Part:
    parts: list[Part] = []
    for kind, held in words:
        if kind == "braces" and held == "end":
            if within_range:
                return _joined(parts)
            raise _refused(whole, "has an {end} without a {range}")
        parts.append(_text(held) if kind == "text" else _braces(held, words, whole))
    if within_range:
        raise _refused(whole, "has a {range} without an {end}")
    return _joined(parts)


def _joined(parts: Sequence[Part]) -> Part:
    return lambda document, item: "".join(part(document, item) for part in parts)


def _text(text: str) -> Part:
    return lambda _document, _item: text


def _braces(held: str, words: Iterator[tuple[str, str]], whole: str) -> Part:
    if held[:1] in ("'", '"'):
        return _text(re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), held[1:-1]))
    if held.split(" ", 1)[0] == "range":
        find = _path(held[len("range") :].strip(), whole)
        inner = _sequence(words, whole, within_range=True)
        return lambda document, item: "".join(
            inner(document, found) for found in find(document, item)
        )
    found_by = _path(held, whole)
    return lambda document, item: " ".join(map(value_text, found_by(document, item)))


@cache
def _environment() -> Any:
    from jsonpath import JSONPathEnvironment  # noqa: PLC0415 - only for this format

    return JSONPathEnvironment(strict=True)


def _path(path: str, whole: str) -> Callable[[Any, Any], list[Any]]:
    """A function that gives the values at *path* in a document or an item."""
    from jsonpath import JSONPathError  # noqa: PLC0415 - only for this format

    of_document = path.startswith("$")
    relative = path.removeprefix("$").removeprefix("@")
    if relative == ".":
        relative = ""
    elif relative[:1] not in ("", ".", "["):
        relative = f".{relative}"
    try:
        compiled = _environment().compile(f"${relative}")
    except (JSONPathError, RecursionError, ValueError) as error:
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise _refused(whole, f"is not valid at {path!r}: {why}") from None
    return lambda document, item: list(compiled.findall(document if of_document else item))


def value_text(value: Any) -> str:
    """A value of a document as text: a string as it is, nothing for null, else JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
