"""The drivers `local` and `local-servers`: directories of one machine, access by POSIX ACLs."""

from __future__ import annotations

from share_actors.drivers.local.base import LocalOptions
from share_actors.drivers.local.driver import LocalDriver
from share_actors.drivers.local.servers import LocalServersDriver

__all__ = [
    "LocalDriver",
    "LocalOptions",
    "LocalServersDriver",
]
