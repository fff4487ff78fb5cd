"""The client: `connect()` or `start()`, then handles. No type of Ray appears in a signature."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from share_actors.client.share import ShareHandle
from share_actors.client.sync_system import ShareSystem

if TYPE_CHECKING:
    from share_actors.client.sync import connect as connect
    from share_actors.client.sync import start as start

__all__ = [
    "ShareHandle",
    "ShareSystem",
    "connect",
    "start",
]


def __getattr__(name: str) -> Any:
    """Import `connect` and `start` on first use: they need Ray, and the handles do not."""
    if name not in ("connect", "start"):
        raise AttributeError(f"module 'share_actors.client' has no attribute {name!r}")
    return getattr(import_module("share_actors.client.sync"), name)
