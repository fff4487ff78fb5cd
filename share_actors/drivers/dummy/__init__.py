"""The driver `dummy`: it has no storage, and fails as its options say."""

from __future__ import annotations

from share_actors.drivers.dummy.backend import DummyBackend
from share_actors.drivers.dummy.driver import DummyDriver

__all__ = [
    "DummyBackend",
    "DummyDriver",
]
