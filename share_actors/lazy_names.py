"""Names of a package that are imported on first use, so that a program loads only what it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def importer(
    package: str, modules: Mapping[str, Sequence[str]], below: str | None = None
) -> Callable[[str], Any]:
    """The `__getattr__` of *package*, whose names are given by the modules that define them.

    The modules are below *below*, by default the package itself.
    """
    module_of = {name: module for module, names in modules.items() for name in names}

    def attribute(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{below or package}.{module_of[name]}"), name)

    return attribute
