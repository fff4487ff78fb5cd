"""For tests of aggregates, drivers and whole systems: public, and as stable as the rest."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from share_actors.testing.spec import Spec

if TYPE_CHECKING:
    from share_actors.testing.driver_contract import DriverContract as DriverContract
    from share_actors.testing.server_contract import ServerContract as ServerContract

__all__ = ["DriverContract", "ServerContract", "Spec"]
_HOME = {"DriverContract": "driver_contract", "ServerContract": "server_contract"}


def __getattr__(name: str) -> Any:
    """The contracts on first use: they need pytest, and `Spec` does not."""
    if name not in _HOME:
        raise AttributeError(f"module 'share_actors.testing' has no attribute {name!r}")
    return getattr(import_module(f"share_actors.testing.{_HOME[name]}"), name)
