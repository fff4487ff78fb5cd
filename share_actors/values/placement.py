"""The scheduler's record of why a share went to its pool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pydantic import Field

from share_actors.values.base import Frozen, Internal
from share_actors.values.share import Share, Snapshot
from share_actors.wire import sent_as_order


class PoolVerdict(Frozen):
    """The verdict on one pool: the refusals by filter, or else its weight."""

    pool: str
    """As in a share's `host`: `backend#pool`."""
    refused: dict[str, str] = Field(default_factory=dict)
    weight: float | None = None


class Placement(Internal):
    """Why a share went to its pool: the filters applied, and their verdict on every pool.

    Every creation carries one, so it is flat: the names of the *filters*, separated by spaces; by pool,
    the reasons of the filters that *refused* it; and the *weights* of the pools that fit.
    """

    filters: str = ""
    refused: dict[str, dict[str, str]] = Field(default_factory=dict)
    weights: dict[str, float] = Field(default_factory=dict)

    @property
    def filter_names(self) -> tuple[str, ...]:
        """The names of the filters."""
        return tuple(self.filters.split())

    @property
    def pools(self) -> tuple[PoolVerdict, ...]:
        """The verdict on each pool."""
        fit = [PoolVerdict(pool=pool, weight=weight) for pool, weight in self.weights.items()]
        unfit = [PoolVerdict(pool=pool, refused=reasons) for pool, reasons in self.refused.items()]
        return (*fit, *unfit)


@sent_as_order
class PlacementRequest(NamedTuple):
    """What the scheduler has to know of a share that is to be created or managed; sizes in GiB.

    An empty *share_proto* was not named: it is that of the snapshot's share, or NFS.
    """

    size: int
    share_proto: str
    host: str
    """The backend or pool that was named; empty: the scheduler chooses."""
    share_type: str | None = None
    share_network_id: str | None = None
    availability_zone: str | None = None
    snapshot_id: str | None = None
    """The snapshot that the new share is created from."""
    source_host: str | None = None
    """The host of that snapshot, which the manager looks up."""
    same_host: tuple[str, ...] = ()
    different_host: tuple[str, ...] = ()
    """Scheduler hints: ids of shares to be placed with, and apart from."""


class Implied(NamedTuple):
    """What the references of a creation come to: the snapshot, and what a share from it has as its share."""

    share_proto: str
    share_network_id: str | None
    source: Snapshot | None = None
    parent: Share | None = None
    """The share of the snapshot, without its rules and snapshots."""


@sent_as_order
class Assignment(NamedTuple):
    """The answer to a `PlacementRequest`; without *implied*, the request names all of it."""

    host: str
    share_type: str | None
    placement: Placement
    implied: Implied | None = None
    extra_specs: Mapping[str, str] | None = None
    """Those of the share type."""
