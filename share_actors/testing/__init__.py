"""Helpers for tests of aggregates, drivers and whole systems: a public, stable API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from share_actors.lazy_names import importer
from share_actors.testing.spec import Spec

if TYPE_CHECKING:
    from share_actors.testing.contracts.client.contract import ClientContract as ClientContract
    from share_actors.testing.contracts.driver import DriverContract as DriverContract
    from share_actors.testing.contracts.server import ServerContract as ServerContract
    from share_actors.testing.in_memory_log import InMemoryLog as InMemoryLog
    from share_actors.testing.in_process.system import InProcessSystem as InProcessSystem
    from share_actors.testing.in_process.system import SyncInProcessSystem as SyncInProcessSystem
    from share_actors.testing.in_process.system import sync_system as sync_system
    from share_actors.testing.in_process.system import system as system
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
    "contracts.client.contract": ["ClientContract"],
    "contracts.driver": ["DriverContract"],
    "contracts.server": ["ServerContract"],
    "in_memory_log": ["InMemoryLog"],
    "in_process.system": ["InProcessSystem", "SyncInProcessSystem", "sync_system", "system"],
    "visits": ["Visit"],
}
"""The contracts need pytest, and `Spec` does not."""
__getattr__ = importer(__name__, _MODULES)
