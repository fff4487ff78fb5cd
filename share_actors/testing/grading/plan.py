"""What a run of the contract is told: the driver, its options and the tests."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from share_actors.drivers.base import DriverOptions, ShareDriver
from share_actors.drivers.registry import drivers_registered, load_driver, make_driver
from share_actors.errors import ConfigError
from share_actors.testing.contracts.base import ContractBase
from share_actors.values import Frozen

TMP = "{tmp}"
"""Replaced in the text of an option by a new directory of each test."""
Mode = Literal["shares", "servers"]


class Plan(Frozen):
    """One run of the contract."""

    driver: str
    """The driver's name, or `MODULE:CLASS`."""
    options: dict[str, Any] = {}
    contract: str | None = None
    """A subclass of the contract to run instead, `MODULE:CLASS`, with its own fixture `driver`."""
    quick: bool = False
    """Whether a method dies and stalls at few of its steps."""
    test_limit_s: float = Field(default=300.0, gt=0)
    """How long one test may take, in seconds, before the run is stopped."""

    def driver_class(self) -> type[ShareDriver]:
        """Raises `ConfigError` if there is no such driver."""
        if ":" not in self.driver:
            return load_driver(self.driver)
        found = imported(self.driver, "driver")
        if not (isinstance(found, type) and issubclass(found, ShareDriver)):
            message = f"{self.driver} is not a ShareDriver"
            raise ConfigError(message, field="driver", value=self.driver)
        return found

    def contract_class(self) -> type[ContractBase] | None:
        """The subclass of the contract, if one was named; raises `ConfigError`."""
        if self.contract is None:
            return None
        found = imported(self.contract, "contract")
        if not (isinstance(found, type) and issubclass(found, ContractBase)):
            message = f"{self.contract} is no subclass of DriverContract or ServerContract"
            raise ConfigError(message, field="contract", value=self.contract)
        return found

    def modes(self) -> tuple[Mode, ...]:
        """Which contracts are run: that of shares, that of share servers, or both."""
        if self.contract is not None:
            return ("shares",)
        words: dict[bool, Mode] = {False: "shares", True: "servers"}
        return tuple(words[mode] for mode in words if mode in tuple(self.driver_class().modes))

    def make(self, directory: Path, *, servers: bool) -> ShareDriver:
        """A driver on an empty backend in *directory*; raises `ConfigError` for options that are wrong.

        An option that is required, and a path, is a directory in *directory* unless it is given.
        """
        kind = self.driver_class()
        options = {**_paths_of(kind.Options, directory), **_in_directory(self.options, directory)}
        with drivers_registered({self.driver: kind}):
            return make_driver("graded", self.driver, options, handles_servers=servers)


def imported(name: str, field: str) -> object:
    """The object `MODULE:NAME`; raises `ConfigError` that names *field*."""
    module, _, attribute = name.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except Exception as error:  # whatever the module raises
        reason = f"{type(error).__name__}: {error}"
        raise ConfigError(
            f"{name} cannot be imported: {reason}", field=field, value=name
        ) from error


def _paths_of(options: type[DriverOptions], directory: Path) -> dict[str, str]:
    fields = options.model_fields.items()
    return {
        name: str(directory / name)
        for name, field in fields
        if field.is_required() and _is_path(field.annotation)
    }


def _is_path(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Path)


def _in_directory(value: Any, directory: Path) -> Any:
    match value:
        case str():
            return value.replace(TMP, str(directory))
        case dict():
            return {key: _in_directory(item, directory) for key, item in value.items()}
        case list():
            return [_in_directory(item, directory) for item in value]
        case _:
            return value
