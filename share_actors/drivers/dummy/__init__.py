"""The driver `dummy`: no storage; it fails as told."""

from __future__ import annotations

from share_actors.drivers.dummy.backend import DummyBackend
from share_actors.drivers.dummy.driver import DummyDriver

__all__ = [
    "DummyBackend",
    "DummyDriver",
]
