"""Errors of the configuration: a `ConfigError` in one line that names the key and shows no secret."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

from pydantic import ValidationError
from pydantic_settings import SettingsError

from share_actors.errors import ConfigError, showable, shown
from share_actors.redaction import masked
from share_actors.values.checks.text import PartError

RENAMED_SECTIONS = {"pool": "hosting"}
"""New names of sections, by their names in earlier versions."""


# -- keys ----------------------------------------------------------------------------------------
def config_error(
    error: ValidationError, prefix: Iterable[str], valid_keys: Iterable[str]
) -> ConfigError:
    """The first problem below the key *prefix*; a misspelt key gets the closest of *valid_keys*."""
    problems = error.errors(include_url=False)
    # an unknown key first: it may explain what is missing
    problem = min(problems, key=lambda item: item["type"] != "extra_forbidden")
    key = ".".join([*prefix, *map(str, problem["loc"])])
    cause = problem.get("ctx", {}).get("error")
    if isinstance(cause, PartError):
        text = f"configuration key {key}: {cause}: {shown(cause.value)}"
        return ConfigError(text, field=key, value=showable(cause.value))
    subject = f"configuration key {key or '(top level)'}"
    if problem["type"] == "missing":
        return ConfigError(f"{subject}: is required", field=key)
    if problem["type"] == "extra_forbidden":  # its value may be a secret, whatever the key
        return ConfigError(f"{subject}: unknown key{_key_hint(key, valid_keys)}", field=key)
    value = showable(masked(key, problem.get("input")))
    message = str(problem["msg"]).removeprefix("Value error, ")
    return ConfigError(f"{subject}: {message}: {shown(value)}", field=key, value=value)


def _key_hint(key: str, valid_keys: Iterable[str]) -> str:
    """`; did you mean ...?` with the closest key in the same section, or else of all keys."""
    first, dot, rest = key.partition(".")
    if first in RENAMED_SECTIONS:
        return f"; since 0.2 it is called {RENAMED_SECTIONS[first]}{dot}{rest}"
    section, dot, name = key.rpartition(".")
    parent = re.sub(r"^(backends)\.[^.]+$", r"\1.NAME", section)
    siblings = {k.rpartition(".")[2] for k in valid_keys if k.rpartition(".")[0] == parent}
    sibling = closest(name, siblings)
    suggestion = section + dot + sibling if sibling else closest(key, valid_keys)
    return f"; did you mean {suggestion}?" if suggestion else ""


# -- variables -----------------------------------------------------------------------------------
def invalid_json_error(error: SettingsError, prefix: str) -> ConfigError:
    """The error for a variable of a whole table that is not JSON; its value may contain secrets."""
    match = re.search(r'field "(\w+)"', str(error))
    name = prefix + (match.group(1).upper() if match else "...")
    return ConfigError(
        f"variable {name}, or one with that prefix: the value of a table must be JSON", field=name
    )


def check_variables(names: Iterable[str], prefix: str, valid_names: Iterable[str]) -> None:
    """Raise `ConfigError` for the first of *names* that has *prefix* and would be ignored.

    A valid name that ends with two underscores is the prefix of all variables of a section.
    """
    valid_names = {name.removeprefix(prefix) for name in valid_names}
    sections = tuple(name for name in valid_names if name.endswith("__"))
    for name in sorted(names):
        rest = name.upper().removeprefix(prefix)
        if rest == name.upper() or rest in valid_names or rest.startswith(sections):
            continue
        hint = _variable_hint(rest, prefix, valid_names)
        raise ConfigError(f"variable {name}: unknown setting{hint}", field=name)


def _variable_hint(name: str, prefix: str, valid_names: Iterable[str]) -> str:
    section, underscores, rest = name.partition("__")
    renamed = RENAMED_SECTIONS.get(section.lower())
    if renamed is not None:
        return f"; since 0.2 it is called {prefix}{renamed.upper()}{underscores}{rest}"
    suggestion = closest(name, (valid for valid in valid_names if not valid.endswith("__")))
    return f"; did you mean {prefix}{suggestion}?" if suggestion else ""


def closest(word: str, candidates: Iterable[str]) -> str:
    """The candidate that is most similar to *word*; empty if none is similar."""
    return next(iter(get_close_matches(word, sorted(candidates), n=1)), "")
