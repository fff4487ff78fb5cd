"""Backends of one configuration that would use the same directory, device, port or names of the machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path

from share_actors.actors.effects.driver_setup import driver_of
from share_actors.config import BackendSettings
from share_actors.drivers.base import ShareDriver
from share_actors.errors import ConfigError

ADVICE = "each would change what the other one made; give them different values"


def check_apart(backends: Mapping[str, BackendSettings]) -> None:
    """Raise `ConfigError`, with both backends and the field, if two of *backends* are not apart.

    Backends of different nodes are. Raises `ConfigError` for a driver that does not accept its options, too.
    """
    for _, error in conflicts(backends):
        raise error


def conflicts(backends: Mapping[str, BackendSettings]) -> Iterator[tuple[str, ConfigError]]:
    """Each pair of *backends* that are not apart: the name of the later one, and what both use."""
    drivers = {name: driver_of(name, settings) for name, settings in backends.items()}
    for first, second in combinations(backends, 2):
        nodes = {backends[first].node, backends[second].node}
        if len(nodes) == 1 or None in nodes:
            for error in _of_pair(drivers[first], drivers[second]):
                yield second, error


def _of_pair(first: ShareDriver, second: ShareDriver) -> Iterator[ConfigError]:
    for option, other, shared in (*_same_names(first, second), *_nested(first, second)):
        field = f"backends.{second.backend_name}.options.{option}"
        yield ConfigError(
            f"{field}: backend {second.backend_name!r} uses {shared}, and so does backend"
            f" {first.backend_name!r} (backends.{first.backend_name}.options.{other}): {ADVICE}",
            field=field,
            value=shared,
        )


def _same_names(first: ShareDriver, second: ShareDriver) -> Iterator[tuple[str, str, str]]:
    """The options of *second* and *first* that set the same name, and the name."""
    of_first = {name: option for option, name in first.exclusive_names().items()}
    for option, name in second.exclusive_names().items():
        if name in of_first:
            yield option, of_first[name], name


def _nested(first: ShareDriver, second: ShareDriver) -> Iterator[tuple[str, str, str]]:
    """The options of *second* and *first* whose directories are one, or one in the other."""
    for option, directory in second.exclusive_directories().items():
        for other, taken in first.exclusive_directories().items():
            inner, outer = _resolved(directory), _resolved(taken)
            if inner.is_relative_to(outer) or outer.is_relative_to(inner):
                yield option, other, f"directory {directory}"


def _resolved(directory: Path) -> Path:
    return directory.expanduser().resolve()
