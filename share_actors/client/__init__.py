"""The client: `connect()` or `start()`, then handles. No type of Ray appears in a signature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from share_actors.client.share.handle import ShareHandle
from share_actors.client.sync.system import ShareSystem
from share_actors.lazy_names import importer

if TYPE_CHECKING:
    from share_actors.client.sync.opening import connect as connect
    from share_actors.client.sync.opening import start as start

__all__ = [
    "ShareHandle",
    "ShareSystem",
    "connect",
    "start",
]
_MODULES = {"sync.opening": ["connect", "start"]}
"""They need Ray, and the handles do not."""
__getattr__ = importer(__name__, _MODULES)
