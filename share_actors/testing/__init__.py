"""For tests of aggregates, drivers and whole systems: public, and as stable as the rest."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from share_actors.testing.spec import Spec

if TYPE_CHECKING:
    from share_actors.testing.driver_contract import DriverContract as DriverContract
    from share_actors.testing.in_memory_log import InMemoryLog as InMemoryLog
    from share_actors.testing.server_contract import ServerContract as ServerContract

__all__ = ["DriverContract", "InMemoryLog", "ServerContract", "Spec"]
_MODULES = {
    "DriverContract": "driver_contract",
    "InMemoryLog": "in_memory_log",
    "ServerContract": "server_contract",
}


def __getattr__(name: str) -> Any:
    """Import the rest on first use: the contracts need pytest, and `Spec` does not."""
    if name not in _MODULES:
        raise AttributeError(f"module 'share_actors.testing' has no attribute {name!r}")
    return getattr(import_module(f"share_actors.testing.{_MODULES[name]}"), name)
