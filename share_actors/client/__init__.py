"""The client: `connect()` or `start()`, then handles. No type of Ray appears in a signature."""

from __future__ import annotations

from share_actors.client.share_handle import ShareHandle
from share_actors.client.sync import connect, start
from share_actors.client.sync_system import ShareSystem

__all__ = [
    "ShareHandle",
    "ShareSystem",
    "connect",
    "start",
]
