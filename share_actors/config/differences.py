"""What differs between the configuration of a running system and a wanted one, without their secrets."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import SecretStr

from share_actors.config.settings import Config
from share_actors.redaction import masked

MAX_NAMED = 5
"""How many differences a message shows."""


class Difference(NamedTuple):
    """A key, and its two values for display: those of secrets are masked."""

    key: str
    running: Any
    wanted: Any

    def __str__(self) -> str:
        if self.running == self.wanted:
            return f"{self.key} is another secret"
        if self.running is None:
            return f"{self.key} is not set instead of {self.wanted}"
        wanted = "unset" if self.wanted is None else self.wanted
        return f"{self.key} is {self.running}, not {wanted}"


def differences(
    running: Config,
    wanted: Config,
    keys: Iterable[str] | None = None,
    *,
    shown: Callable[[Config], Config] = lambda config: config,
) -> list[Difference]:
    """The settings that differ, of these *keys* of the configuration or of all but `secrets_key`.

    A running system does not tell the key that its secrets are sealed with. *shown* masks the options that
    the drivers declare secret.
    """
    compared = set(keys or Config.model_fields) - {"secrets_key"}

    def values(config: Config) -> dict[str, Any]:
        return dict(_flatten("", config.model_dump(include=compared)))

    one, other = values(running), values(wanted)
    differing = [key for key in {**one, **other} if not _same(one.get(key), other.get(key))]
    one, other = values(shown(running)), values(shown(wanted))
    return [Difference(key, _displayed(key, one), _displayed(key, other)) for key in differing]


def in_words(differing: Sequence[Difference]) -> str:
    """The first differences, and how many more there are."""
    more = f"; and {len(differing) - MAX_NAMED} more" if len(differing) > MAX_NAMED else ""
    return "; ".join(map(str, differing[:MAX_NAMED])) + more


def _flatten(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flatten(f"{prefix}.{key}" if prefix else str(key), inner)
    else:
        yield prefix, value


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal; a number that is not one is equal to another."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    return bool(one == other)


def _displayed(key: str, values: dict[str, Any]) -> Any:
    value = values.get(key)
    if value is None or (isinstance(value, SecretStr) and not value.get_secret_value()):
        return None
    return str(value) if isinstance(value, Path) else masked(key, value, options=True)
