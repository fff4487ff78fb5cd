"""How much of a share is used."""

from __future__ import annotations

from share_actors.values.base import Frozen


class ShareUsage(Frozen):
    """The bytes that a share uses, as its backend measured them, and its size in bytes."""

    used: int
    size: int

    @property
    def percent(self) -> float:
        """The used part of the size, in percent; more than 100 where the backend enforces no size."""
        return 100.0 * self.used / self.size if self.size else 0.0
