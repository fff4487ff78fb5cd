"""The tables of all settings and of the options of drivers."""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from share_actors import config
from tests.docs.tables import table

_SHOWN_DEFAULTS = {
    "home": "`~/.local/state/share-actors`",
    "backends": "one backend `local`, in the directory `shares` of the home",
}
_NOTES = {
    "options.reserved_percentage": "Percentage of the capacity that is left free.",
    "options.max_over_subscription_ratio": "Shares may be provisioned up to this multiple of the capacity.",
    "options.capacity_gib": "The capacity that the statistics report.",
    "options.addresses_per_server": "Number of addresses of each share server.",
    "options.command_timeout_s": "A command that takes longer is killed, with the processes that it started.",
    "options.ganesha_service_name": "The name of Ganesha's service.",
}
"""Meanings of fields without a docstring in the code."""


def notes(model: type[BaseModel]) -> dict[str, str]:
    """The docstrings of the fields of *model*, by field."""
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for field, after in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr):
            found[ast.unparse(field.target)] = str(ast.literal_eval(after.value))
    return found


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo, str]]:
    """Every configuration key under *model*, with its field and its meaning."""
    said: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if issubclass(cls, BaseModel) and cls.__module__.startswith("share_actors"):
            said |= notes(cls)
    for name, field in model.model_fields.items():
        inner = field.annotation
        if get_origin(inner) is dict and get_args(inner)[1] is config.BackendSettings:
            yield prefix + name, field, said[name]
            yield from keys(config.BackendSettings, f"{name}.NAME.")
        elif isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from keys(inner, f"{name}.")
        else:
            yield prefix + name, field, said.get(name) or _NOTES[prefix + name]


def kind(field: FieldInfo) -> str:
    """The kind of values that *field* accepts, in words."""
    if get_origin(field.annotation) is Literal:
        return " or ".join(f"`{word}`" for word in get_args(field.annotation))
    text = str(field.annotation)
    is_table = re.search(r"\bdict\b", text) is not None
    if is_table or "tuple" in text:
        return "table" if is_table else "list of text"
    words = (
        ("SecretStr", "text, secret"),
        ("Path", "path"),
        ("bool", "`true` or `false`"),
        ("int", "whole number"),
        ("float", "number"),
        ("str", "text"),
        ("Any", "anything"),
    )
    plain = next(plain for name, plain in words if re.search(rf"\b{name}\b", text))
    return plain + _bounds(field) + "".join(f" or `{word}`" for word in _literals(field))


def _literals(field: FieldInfo) -> list[object]:
    """The words that *field* takes beside values of another type."""
    alternatives = get_args(field.annotation)
    return [word for part in alternatives if get_origin(part) is Literal for word in get_args(part)]


def _bounds(field: FieldInfo) -> str:
    words = {"ge": "at least", "gt": "more than", "le": "at most"}
    limits = [
        f"{said} {getattr(limit, name):,}"
        for limit in field.metadata
        for name, said in words.items()
        if hasattr(limit, name)
    ]
    return ", " + ", ".join(limits) if limits else ""


def default(key: str, field: FieldInfo) -> str:
    """The default of *field*, as a cell of the table."""
    if key in _SHOWN_DEFAULTS:
        return _SHOWN_DEFAULTS[key]
    if field.is_required():
        return "required"
    value = field.default
    if value is None or str(value) == "":
        return "-"
    return f"`{json.dumps(value, default=str)}`"


def variable(key: str) -> str:
    return "SHARE_ACTORS_" + key.upper().replace(".", "__")


def settings() -> str:
    rows = (
        (f"`{key}`", kind(field), default(key, field), f"`{variable(key)}`", said)
        for key, field, said in keys(config.Config)
    )
    return table(["Key", "Takes", "Default", "Variable", "Meaning"], rows)


def options(model: type[BaseModel]) -> Callable[[], str]:
    def rows() -> Iterator[tuple[str, ...]]:
        for key, field, said in keys(model, "options."):
            yield f"`{key}`", kind(field), default(key, field), said

    return lambda: table(["Option", "Takes", "Default", "Meaning"], rows())
