"""What is wrong with a configuration, as a `ConfigError` of one line that names the key; no secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from share_actors.errors import ConfigError
from share_actors.redaction import masked

LONGEST = 120
RENAMED = {"pool": "hosting"}
"""Sections by the names that earlier versions had."""


def refusal(error: ValidationError, at: Iterable[str], known: Iterable[str]) -> ConfigError:
    """The first thing wrong beneath the key *at*; *known* are the keys that there are."""
    found = error.errors(include_url=False)
    first = min(found, key=lambda one: one["type"] != "extra_forbidden")  # explains what is missing
    key = ".".join([*at, *map(str, first["loc"])])
    where = f"configuration key {key or '(top level)'}"
    if first["type"] == "missing":
        return ConfigError(f"{where}: is required", field=key)
    if first["type"] == "extra_forbidden":  # what stands there may be a secret, whatever the key
        return ConfigError(f"{where}: there is no such key{_meant(key, known)}", field=key)
    value = _told(masked(key, first.get("input")))
    said = str(first["msg"]).removeprefix("Value error, ")
    return ConfigError(f"{where}: {said}: {_shown(value)}", field=key, value=value)


def not_json(error: SettingsError, prefix: str) -> ConfigError:
    """A variable that stands for a whole table, and is none. Its value may hold secrets."""
    found = re.search(r'field "(\w+)"', str(error))
    name = prefix + (found.group(1).upper() if found else "...")
    return ConfigError(
        f"variable {name}, or one that begins so: a table is given as JSON, and this is not",
        field=name,
    )


def check_variables(names: Iterable[str], prefix: str, known: Iterable[str]) -> None:
    """Raise `ConfigError` for the first of *names* that has the prefix and would be ignored.

    Of *known*, those that end with two underscores begin the names of a whole section's variables.
    """
    known = {name.removeprefix(prefix) for name in known}
    sections = tuple(name for name in known if name.endswith("__"))
    for name in sorted(names):
        rest = name.upper().removeprefix(prefix)
        if rest == name.upper() or rest in known or rest.startswith(sections):
            continue
        raise ConfigError(
            f"variable {name} sets nothing: there is no such setting{_variable_meant(rest, prefix, known)}",
            field=name,
        )


def _variable_meant(name: str, prefix: str, known: Iterable[str]) -> str:
    section, underscores, rest = name.partition("__")
    renamed = RENAMED.get(section.lower())
    if renamed is not None:
        return f"; since 0.2 it is called {prefix}{renamed.upper()}{underscores}{rest}"
    like = nearest(name, (word for word in known if not word.endswith("__")))
    return f"; did you mean {prefix}{like}?" if like else ""


def _meant(key: str, known: Iterable[str]) -> str:
    """`; did you mean ...?`, with what is most like *key* in its own section, or else anywhere."""
    first, dot, rest = key.partition(".")
    if first in RENAMED:
        return f"; since 0.2 it is called {RENAMED[first]}{dot}{rest}"
    section, dot, word = key.rpartition(".")
    parent = re.sub(r"^(backends)\.[^.]+$", r"\1.NAME", section)
    beside = {k.rpartition(".")[2] for k in known if k.rpartition(".")[0] == parent}
    like = nearest(word, beside)
    like = section + dot + like if like else nearest(key, known)
    return f"; did you mean {like}?" if like else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """What of *known* is most like *word*; nothing if none is."""
    return next(iter(get_close_matches(word, sorted(known), n=1)), "")


def _told(value: Any) -> Any:
    """*value*, unless Python cannot write it down: an integer of thousands of digits."""
    try:
        repr(value)
    except ValueError:
        return f"(a very large {type(value).__name__})"
    return value


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}... ({len(shown)} characters)"
