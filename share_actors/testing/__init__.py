"""Helpers for tests of aggregates, drivers and whole systems: a public, stable API."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from share_actors.testing.spec import Spec

if TYPE_CHECKING:
    from share_actors.testing.client_contract import ClientContract as ClientContract
    from share_actors.testing.driver_contract import DriverContract as DriverContract
    from share_actors.testing.in_memory_log import InMemoryLog as InMemoryLog
    from share_actors.testing.in_process.system import InProcessSystem as InProcessSystem
    from share_actors.testing.in_process.system import SyncInProcessSystem as SyncInProcessSystem
    from share_actors.testing.in_process.system import sync_system as sync_system
    from share_actors.testing.in_process.system import system as system
    from share_actors.testing.server_contract import ServerContract as ServerContract
    from share_actors.testing.visits import Visit as Visit

__all__ = [
    "ClientContract",
    "DriverContract",
    "InMemoryLog",
    "InProcessSystem",
    "ServerContract",
    "Spec",
    "SyncInProcessSystem",
    "Visit",
    "sync_system",
    "system",
]
_MODULES = {
    "ClientContract": "client_contract",
    "DriverContract": "driver_contract",
    "InMemoryLog": "in_memory_log",
    "InProcessSystem": "in_process.system",
    "SyncInProcessSystem": "in_process.system",
    "sync_system": "in_process.system",
    "system": "in_process.system",
    "ServerContract": "server_contract",
    "Visit": "visits",
}


def __getattr__(name: str) -> Any:
    """Import the rest on first use: the contracts need pytest, and `Spec` does not."""
    if name not in _MODULES:
        raise AttributeError(f"module 'share_actors.testing' has no attribute {name!r}")
    return getattr(import_module(f"share_actors.testing.{_MODULES[name]}"), name)
