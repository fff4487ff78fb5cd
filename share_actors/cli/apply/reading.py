"""Reading a file of YAML or JSON documents, with the place of each declaration in it."""

# ruff: noqa: PLC0415 - PyYAML is imported when a file is read
from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from share_actors.errors import InvalidRequest, showable, shown

STDIN = "-"
MAX_BYTES = 16 << 20
"""The most bytes of a file."""
MAX_DEPTH = 32


class Document(NamedTuple):
    """One declaration as it was read, and its place, such as `document 2, share 1`."""

    where: str
    content: Any


def read_text(name: str) -> str:
    """The text of the file *name*, `-` for stdin; raises `InvalidRequest` if it cannot be read."""
    try:
        if name == STDIN:
            raw = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable(name, f"is not UTF-8 from byte {error.start + 1} on") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _unreadable(name, f"cannot be read: {reason}") from None
    if len(raw) > MAX_BYTES:
        raise _unreadable(name, f"is larger than {MAX_BYTES} bytes")
    return text


def _unreadable(name: str, problem: str) -> InvalidRequest:
    text = f"file: {shown(name)} {problem}; nothing was recorded"
    return InvalidRequest(text, field="file", value=showable(name))


def documents(text: str) -> list[Document]:
    """The declarations in *text*; raises `InvalidRequest` with the line of what is not YAML."""
    import yaml

    try:
        _check_shape(text)
        loaded = list(yaml.load_all(text, Loader=_loader()))
    except (
        yaml.YAMLError,
        ValueError,
        RecursionError,
    ) as error:  # ValueError: such as a date of month 13
        raise _not_yaml(error) from None
    numbered = enumerate(loaded, 1)
    return [part for n, content in numbered if content is not None for part in _parts(n, content)]


def _parts(number: int, content: Any) -> Iterator[Document]:
    """The declarations in one document: itself, or those in its list `shares`."""
    where = f"document {number}"
    if isinstance(content, dict) and isinstance(content.get("shares"), list):
        if extra := sorted(map(str, set(content) - {"shares", "next_marker", "as_of"})):
            text = f"{where}: {extra[0]}: not a field beside a list of shares"
            raise InvalidRequest(text, field=extra[0], value=showable(content.get(extra[0])))
        for n, share in enumerate(content["shares"], 1):
            yield Document(f"{where}, share {n}", share)
    else:
        yield Document(where, content)


def _safe_loader() -> Any:
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # that in C is ten times faster


def _check_shape(text: str) -> None:
    """Raise `InvalidRequest` for nesting on which the loader in C crashes, and for aliases.

    Few aliases of aliases make a document that is too large for any memory.
    """
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=_safe_loader()):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            raise _bad_shape(
                event, f"*{event.anchor}: aliases are not read; write the value itself"
            )
        if depth > MAX_DEPTH:
            raise _bad_shape(event, f"is nested more than {MAX_DEPTH} deep")


def _bad_shape(event: Any, problem: str) -> InvalidRequest:
    line = event.start_mark.line + 1
    text = f"file: line {line}: {problem}; nothing was recorded"
    return InvalidRequest(text, field="file", value=f"line {line}")


def _loader() -> Any:
    """A safe loader that refuses a key which is twice in a mapping."""
    import yaml

    class Loader(_safe_loader()):  # type: ignore[misc]
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen = set[str]()
            for key, _ in node.value:
                if isinstance(key.value, str) and key.value in seen:
                    problem = f"the field {shown(key.value)} is there twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(str(key.value))
            return super().construct_mapping(node, deep=deep)

    return Loader


def _not_yaml(error: Exception) -> InvalidRequest:
    mark = getattr(error, "problem_mark", None)
    place = "" if mark is None else f"line {mark.line + 1}: "
    reason = getattr(error, "problem", None) or str(error)
    text = f"file: {place}is not valid YAML or JSON: {reason}; nothing was recorded"
    return InvalidRequest(
        text, field="file", value=None if mark is None else f"line {mark.line + 1}"
    )
