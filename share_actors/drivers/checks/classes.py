"""What a driver's class must have before a system, `config check` or the contract uses it, as sentences."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, get_args

from share_actors.drivers.base import DriverOptions, ShareDriver
from share_actors.values import AccessLevel, AccessType, Protocol

_REQUIRED = ("create_share", "delete_share")
_OF_SERVERS = ("setup_server", "teardown_server")
_DECLARED: dict[str, tuple[object, ...]] = {
    "protocols": get_args(Protocol),
    "access_types": get_args(AccessType),
    "access_levels": get_args(AccessLevel),
    "modes": (False, True),
}
"""The class attributes that are tuples, each with the values that may be in it."""
_MAY_BE_EMPTY = ("access_types", "access_levels")


def class_faults(driver: type[ShareDriver]) -> tuple[str, ...]:
    """What prevents *driver* from working in a system, one sentence each, without a full stop."""
    return (*_declarations(driver), *_methods(driver), *_signatures(driver))


def object_faults(driver: ShareDriver) -> tuple[str, ...]:
    """What the constructor of *driver* left out, one sentence each."""
    if {"backend_name", "configuration"} <= vars(driver).keys():
        return ()
    name = type(driver).__name__
    return (f"{name}.__init__ does not call super().__init__(*args, **kwargs)",)


# -- attributes ----------------------------------------------------------------------------------
def _declarations(driver: type[ShareDriver]) -> Iterator[str]:
    for attribute, known in _DECLARED.items():
        yield from _tuple_faults(f"{driver.__name__}.{attribute}", attribute, driver, known)
    options: Any = driver.Options
    if not (isinstance(options, type) and issubclass(options, DriverOptions)):
        yield f"{driver.__name__}.Options is no subclass of share_actors.drivers.DriverOptions"
    if not isinstance(driver.calls_at_once, int) or driver.calls_at_once < 1:
        yield f"{driver.__name__}.calls_at_once is {driver.calls_at_once!r}, not a number of 1 or more"


def _tuple_faults(
    name: str, attribute: str, driver: type[ShareDriver], known: tuple[object, ...]
) -> Iterator[str]:
    value = getattr(driver, attribute)
    if not isinstance(value, tuple | list):
        example = f"({known[0]!r},)"
        yield f"{name} is {value!r}, not a tuple of the values that are supported, such as {example}"
        return
    if not value and attribute not in _MAY_BE_EMPTY:
        yield f"{name} is empty: no share can be created"
    for item in value:
        if item not in known:
            choice = ", ".join(map(repr, known))
            yield f"{name} has {item!r}, which is none of {choice}"


# -- methods -------------------------------------------------------------------------------------
def _methods(driver: type[ShareDriver]) -> Iterator[str]:
    servers = isinstance(driver.modes, tuple | list) and True in driver.modes
    for method in (*_REQUIRED, *(_OF_SERVERS if servers else ())):
        if not driver.supports(method):
            yield f"{driver.__name__} does not override {method}"
    single = [method for method in ("allow_access", "deny_access") if driver.supports(method)]
    if len(single) == 1 and not driver.supports("update_access"):
        yield (
            f"{driver.__name__} overrides {single[0]} alone: a driver has both allow_access and"
            " deny_access, or update_access, or none of them"
        )


def _signatures(driver: type[ShareDriver]) -> Iterator[str]:
    for method, base in vars(ShareDriver).items():
        if method.startswith("_") or not inspect.isfunction(base) or not driver.supports(method):
            continue
        own = getattr(driver, method)
        if not _takes(own, base):
            yield (
                f"{driver.__name__}.{method}{inspect.signature(own)} cannot be called as"
                f" {method}{_without_types(base)}"
            )
    if not _can_be_made(driver):
        yield (
            f"{driver.__name__}.__init__ does not take (driver_handles_share_servers, *,"
            " configuration, backend_name): let it take (*args, **kwargs)"
        )


def _takes(own: Callable[..., Any], base: Callable[..., Any]) -> bool:
    """Whether *own* can be called with all positional parameters of *base*."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(base).parameters.values()
    return _binds(own, *(p.name for p in parameters if p.kind in kinds))


def _can_be_made(driver: type[ShareDriver]) -> bool:
    return _binds(driver, False, configuration=None, backend_name="")


def _binds(function: Callable[..., Any], *args: object, **kwargs: object) -> bool:
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError:
        return False
    return True


def _without_types(function: Callable[..., Any]) -> str:
    return f"({', '.join(inspect.signature(function).parameters)})"
