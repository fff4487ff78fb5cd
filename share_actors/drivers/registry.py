"""Drivers by name: entry points of the group `share_actors.drivers`, so that anyone can bring one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import SecretStr, ValidationError

from share_actors.drivers.base import DriverOptions, ShareDriver
from share_actors.errors import ConfigError
from share_actors.redaction import MASK, masked

GROUP = "share_actors.drivers"


_registered: dict[str, type[ShareDriver]] = {}


@contextmanager
def drivers_registered(drivers: Mapping[str, type[ShareDriver]]) -> Iterator[None]:
    """Make drivers known by name in this process, in place of installed ones of the same names."""
    before = dict(_registered)
    _registered.update(drivers)
    try:
        yield
    finally:
        _registered.clear()
        _registered.update(before)


def known_drivers() -> tuple[str, ...]:
    """The names of the drivers that are installed or registered."""
    installed = {point.name for point in entry_points(group=GROUP)}
    return tuple(sorted(installed | _registered.keys()))


def load_driver(name: str) -> type[ShareDriver]:
    """The class of the driver *name*.

    Raises `ConfigError` if none is installed, if two packages bring different ones, or if it cannot be
    imported.
    """
    if name in _registered:
        return _registered[name]
    points = {point.value: point for point in entry_points(group=GROUP, name=name)}
    if not points:
        raise _bad(name, f"driver {name!r} is not known; there are: {', '.join(known_drivers())}")
    if len(points) > 1:
        raise _bad(name, f"driver {name!r} is brought twice: {', '.join(sorted(points))}")
    (point,) = points.values()
    found = _imported(point)
    if not (isinstance(found, type) and issubclass(found, ShareDriver)):
        raise _bad(name, f"driver {name!r}: {point.value} is no ShareDriver")
    return found


def make_driver(
    backend_name: str,
    driver_name: str,
    options: Mapping[str, Any] | None = None,
    *,
    handles_servers: bool = False,
) -> ShareDriver:
    """A driver for the backend *backend_name*, with its options and its mode checked.

    Raises `ConfigError` naming the key (`backends.NAME.options.KEY`) and its value.
    """
    try:
        kind = load_driver(driver_name)
    except ConfigError as error:
        field = f"backends.{backend_name}.driver"
        raise ConfigError(f"{field}: {error.message}", field=field, value=driver_name) from error
    if handles_servers not in kind.modes:
        field = f"backends.{backend_name}.driver_handles_share_servers"
        can = (
            "handles share servers always" if kind.modes == (True,) else "handles no share servers"
        )
        raise ConfigError(
            f"{field}: driver {driver_name!r} {can}", field=field, value=handles_servers
        )
    return kind(
        handles_servers,
        configuration=_checked(kind.Options, backend_name, options or {}),
        backend_name=backend_name,
    )


def _checked(
    kind: type[DriverOptions], backend_name: str, options: Mapping[str, Any]
) -> DriverOptions:
    try:
        return kind.model_validate(dict(options))
    except ValidationError as error:
        raise _bad_option(kind, backend_name, error) from None


def _bad_option(
    kind: type[DriverOptions], backend_name: str, error: ValidationError
) -> ConfigError:
    first = error.errors()[0]
    field = ".".join(["backends", backend_name, "options", *map(str, first["loc"])])
    if first["type"] == "missing":
        return ConfigError(f"{field}: is required", field=field, value=None)
    if first["type"] == "extra_forbidden":
        known = ", ".join(kind.model_fields) or "none"
        return ConfigError(f"{field}: no such option; there are: {known}", field=field)
    given, secret = first["input"], _is_secret(kind, first["loc"])
    value = MASK if secret else masked(field, given)
    text = first["msg"].removeprefix("Value error, ")
    if given and value != given:
        text = text.replace(str(given), MASK)  # an option's own check may tell what it was given
    return ConfigError(f"{field}: {text}: {value!r}", field=field, value=value)


def _is_secret(kind: type[DriverOptions], where: tuple[int | str, ...]) -> bool:
    field = kind.model_fields.get(str(where[0])) if where else None
    return field is not None and SecretStr.__name__ in repr(field.annotation)


def _imported(point: EntryPoint) -> Any:
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise _bad(point.name, f"driver {point.name!r} cannot be imported: {error}") from error


def _bad(name: str, text: str) -> ConfigError:
    return ConfigError(text, field="driver", value=name)
