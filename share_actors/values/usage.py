"""How much of a share is used, and by whom."""

from __future__ import annotations

from datetime import datetime

from share_actors.values.base import Frozen


class ShareUsage(Frozen):
    """The bytes that a share uses, as its backend measured them, and its size in bytes."""

    used: int
    size: int

    @property
    def percent(self) -> float:
        """The used part of the size, in percent; more than 100 where the backend enforces no size."""
        return 100.0 * self.used / self.size if self.size else 0.0


class ShareClient(Frozen):
    """A client that is connected to a share now. None is what the server does not know."""

    address: str
    protocol: str
    """Such as `NFSv3`, or `NFSv3, NFSv40` for a client that used several, or `CIFS`."""
    user: str | None = None
    since: datetime | None = None
    """When it connected."""
    last_active: datetime | None = None
    bytes_read: int | None = None
    bytes_written: int | None = None
    operations: int | None = None
    """Reads and writes."""
    of_all_shares: bool = False
    """The server counts by address, for all its shares; the client is one that the share's rules let in."""
