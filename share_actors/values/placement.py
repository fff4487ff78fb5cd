"""Why a share went to its pool."""

from __future__ import annotations

from share_actors.values.base import Frozen


class PoolVerdict(Frozen):
    """What the filters said of one pool: the reasons of those that refused it; else what it weighs."""

    pool: str
    """As in a share's `host`: `backend#pool`."""
    refused: dict[str, str] = {}
    weight: float | None = None


class Placement(Frozen):
    """Why a share went where it did: every filter that was asked, and its verdict on every pool.

    As flat as can be, for every creation carries one: the names of the *filters*; by pool, the reasons
    of those that *refused* it; and the *weights* of the pools that none refused.
    """

    filters: str = ""
    refused: dict[str, dict[str, str]] = {}
    weights: dict[str, float] = {}

    @property
    def asked(self) -> tuple[str, ...]:
        """The names of the filters."""
        return tuple(self.filters.split())

    @property
    def pools(self) -> tuple[PoolVerdict, ...]:
        """The verdict on each pool."""
        fit = (PoolVerdict(pool=pool, weight=weight) for pool, weight in self.weights.items())
        unfit = (PoolVerdict(pool=pool, refused=why) for pool, why in self.refused.items())
        return (*fit, *unfit)
