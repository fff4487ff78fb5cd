"""The client: `connect()` or `start()`, then handles. No type of Ray appears in a signature."""

from __future__ import annotations

from share_actors.client.sync import ShareHandle, ShareSystem, connect, start

__all__ = [
    "ShareHandle",
    "ShareSystem",
    "connect",
    "start",
]
