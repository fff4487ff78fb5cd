"""Drivers by name: entry points of the group `share_actors.drivers`, which other packages may add to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from share_actors.drivers.base import DriverOptions, ShareDriver
from share_actors.drivers.checks.classes import class_faults, object_faults
from share_actors.errors import ConfigError
from share_actors.redaction import MASK, masked, remember_secret

GROUP = "share_actors.drivers"


_registered: dict[str, type[ShareDriver]] = {}


@contextmanager
def drivers_registered(drivers: Mapping[str, type[ShareDriver]]) -> Iterator[None]:
    """Register drivers by name in this process, in place of installed ones of the same names."""
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

    Raises `ConfigError` if none is installed, if two packages provide different ones, or if it cannot be
    imported.
    """
    if name in _registered:
        return _registered[name]
    points = {point.value: point for point in entry_points(group=GROUP, name=name)}
    if not points:
        available = ", ".join(known_drivers())
        raise _driver_error(name, f"driver {name!r} is not installed; available: {available}")
    if len(points) > 1:
        values = ", ".join(sorted(points))
        raise _driver_error(name, f"driver {name!r} is provided by several packages: {values}")
    (point,) = points.values()
    driver_class = _import(point)
    if not (isinstance(driver_class, type) and issubclass(driver_class, ShareDriver)):
        raise _driver_error(name, f"driver {name!r}: {point.value} is not a ShareDriver")
    return driver_class


def make_driver(
    backend_name: str,
    driver_name: str,
    options: Mapping[str, Any] | None = None,
    *,
    handles_servers: bool = False,
) -> ShareDriver:
    """A driver for the backend *backend_name*, with validated options and mode.

    Raises `ConfigError` naming the key (`backends.NAME.options.KEY`) and its value.
    """
    try:
        driver_class = load_driver(driver_name)
    except ConfigError as error:
        field = f"backends.{backend_name}.driver"
        raise ConfigError(f"{field}: {error.message}", field=field, value=driver_name) from error
    _check_class(driver_class, backend_name, driver_name)
    if handles_servers not in driver_class.modes:
        field = f"backends.{backend_name}.driver_handles_share_servers"
        supported = (
            "requires share servers" if handles_servers is False else "cannot handle share servers"
        )
        raise ConfigError(
            f"{field}: driver {driver_name!r} {supported}", field=field, value=handles_servers
        )
    configuration = _validated(driver_class.Options, backend_name, options or {})
    for secret in _secrets_in(configuration):
        remember_secret(secret)
    driver = driver_class(handles_servers, configuration=configuration, backend_name=backend_name)
    _check_faults(object_faults(driver), backend_name, driver_name)
    return driver


def _check_class(driver_class: type[ShareDriver], backend_name: str, driver_name: str) -> None:
    """Raise `ConfigError` for a driver that could not work in a system, however it is configured."""
    _check_faults(class_faults(driver_class), backend_name, driver_name)


def _check_faults(faults: Sequence[str], backend_name: str, driver_name: str) -> None:
    if faults:
        field = f"backends.{backend_name}.driver"
        message = f"{field}: driver {driver_name!r} is not complete: {'; '.join(faults)}"
        raise ConfigError(message, field=field, value=driver_name)


def shown_options(driver_name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """A backend's *options* for display: the secret and the undeclared ones are masked.

    A field of the driver's `Options` is secret if its type is, or holds, `SecretStr`. All are masked if the
    driver is not installed.
    """
    try:
        fields = load_driver(driver_name).Options.model_fields
    except ConfigError:
        return dict.fromkeys(options, MASK)
    return {
        name: value if name in fields and not _declared_secret(fields[name]) else MASK
        for name, value in options.items()
    }


def _declared_secret(field: FieldInfo) -> bool:
    """Whether the type of *field* holds a secret, itself or in a part of it."""
    return any(
        name in repr(field.annotation) for name in (SecretStr.__name__, SecretBytes.__name__)
    )


def _secrets_in(value: Any) -> Iterator[str]:
    """The secrets in validated options, in plain text, so that logs and errors can mask them."""
    match value:
        case SecretStr():
            yield value.get_secret_value()
        case SecretBytes():
            yield value.get_secret_value().decode(errors="replace")
        case BaseModel():
            yield from _secrets_in(dict(value))
        case Mapping():
            for item in value.values():
                yield from _secrets_in(item)
        case list() | tuple() | set() | frozenset():
            for item in value:
                yield from _secrets_in(item)


def _validated(
    model: type[DriverOptions], backend_name: str, options: Mapping[str, Any]
) -> DriverOptions:
    try:
        return model.model_validate(dict(options))
    except ValidationError as error:
        raise _option_error(model, backend_name, error) from None


def _option_error(
    model: type[DriverOptions], backend_name: str, error: ValidationError
) -> ConfigError:
    first = error.errors()[0]
    field = ".".join(["backends", backend_name, "options", *map(str, first["loc"])])
    if first["type"] == "missing":
        return ConfigError(f"{field}: is required", field=field, value=None)
    if first["type"] == "extra_forbidden":
        options = ", ".join(model.model_fields) or "none"
        return ConfigError(f"{field}: unknown option; available: {options}", field=field)
    given, secret = first["input"], _is_secret(model, first["loc"])
    value = MASK if secret else masked(field, given, options=True)
    text = first["msg"].removeprefix("Value error, ")
    if given and value != given:
        text = text.replace(str(given), MASK)  # an option's own validator may quote the value
    return ConfigError(f"{field}: {text}: {value!r}", field=field, value=value)


def _is_secret(model: type[DriverOptions], path: tuple[int | str, ...]) -> bool:
    """Whether the value at *path* may be secret; the values of all options together may be."""
    field = model.model_fields.get(str(path[0])) if path else None
    return field is None or _declared_secret(field)


def _import(point: EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as error:  # whatever the code of another package raises
        reason = f"{type(error).__name__}: {error}"
        message = f"driver {point.name!r} ({point.value}) cannot be imported: {reason}"
        raise _driver_error(point.name, message) from error


def _driver_error(name: str, message: str) -> ConfigError:
    return ConfigError(message, field="driver", value=name)
