"""Backends: their pools, capabilities and status."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, Literal, NamedTuple

from pydantic import Field

from share_actors.values.base import Frozen, Value
from share_actors.wire import sent_as_report

Capacity = float | Literal["unknown", "infinite"]
"""A capacity in GiB, or Manila's word for it. An *unknown* one is taken to have room for any share."""


def gib(capacity: Capacity) -> float:
    """Return *capacity* as a number; infinity for both words."""
    return math.inf if isinstance(capacity, str) else capacity


def gib_text(capacity: Capacity, digits: str = "g") -> str:
    """Return *capacity* as text: a number in the format *digits*, or the word."""
    return capacity if isinstance(capacity, str) else f"{capacity:{digits}}"


class Pool(Value):
    """One pool of a backend; capacities are GiB. Share types may require any of its `capabilities`."""

    name: str
    total_capacity_gib: Capacity
    free_capacity_gib: Capacity
    allocated_capacity_gib: float = 0.0
    provisioned_capacity_gib: float = 0.0
    reserved_percentage: float = 0.0
    reserved_snapshot_percentage: float | None = None
    """Reserved from shares that are created from snapshots; None: as from other shares."""
    reserved_share_extend_percentage: float | None = None
    """Reserved from extensions of shares; None: as from new shares."""
    thin_provisioning: bool = False
    max_over_subscription_ratio: float = 1.0
    goodness: float = 0.0
    """The driver's own weight for new shares, 0 to 100."""
    capabilities: dict[str, Any] = Field(default_factory=dict)


class Capabilities(Value):
    """A driver's statistics of its backend (`ShareDriver.get_share_stats`)."""

    backend_name: str
    driver_name: str
    storage_protocols: tuple[str, ...]
    access_types: tuple[str, ...]
    access_support: dict[str, dict[str, tuple[str, ...]]] = Field(default_factory=dict)
    """By protocol and type of rule, the levels that it can have; empty if the driver does not declare it."""
    driver_handles_share_servers: bool = False
    snapshot_support: bool = True
    create_share_from_snapshot_support: bool = True
    extend_support: bool = True
    shrink_support: bool = True
    availability_zone: str = "nova"
    capabilities: dict[str, Any] = Field(default_factory=dict)
    """Driver-specific capabilities for share types; those of a pool override them."""
    pools: tuple[Pool, ...] = ()


class BackendState(Value):
    """The recorded state of a backend; its name is the id."""

    id: str = ""
    status: Literal["absent", "up", "down", "renamed"] = "absent"
    reason: str | None = None
    since: datetime | None = None
    """The time of the last change of status."""
    causes: tuple[str, ...] = ()
    """The causes of the present outage that were recorded, without numbers and temporary names."""
    problems: tuple[str, ...] = ()
    """What is wrong while it is up, one sentence each (`RunsDaemons.check_health`)."""
    capabilities: Capabilities | None = None
    """As of the last change that was recorded as an event."""
    ensured: str | None = None
    """The value of `info` for which all shares of the backend were ensured."""
    renamed_to: str | None = None
    """The name that it has now, if it was renamed and has not reported by this name since."""
    info: str | None = None
    """A digest of the backend's settings (`ShareDriver.get_backend_info`)."""
    node: str | None = None
    """The Ray resource that it was moved to (`backend move`); None: it is where the configuration says."""
    moved_from: str | None = None
    """The Ray resource that the configuration named when it was moved; the move counts as long as it does."""
    pinned: str | None = None
    """The Ray resource that the configuration named when that was last recorded."""


@sent_as_report
class RoomTaken(NamedTuple):
    """The GiB of shares on a host that no call under way concerned, and how much they and all ever fell."""

    settled: int
    unsettled: int
    returned: int


class BackendReport(Frozen):
    """A report of a backend: its capabilities, or why there are none. `wrong`: invalid values by field."""

    backend: str
    at: datetime
    capabilities: Capabilities | None = None
    reason: str | None = None
    wrong: dict[str, str] = Field(default_factory=dict)
    problems: tuple[str, ...] = ()
    """What is wrong with what serves its shares, one sentence each."""
    began: dict[str, RoomTaken] | None = Field(default=None, exclude=True, repr=False)
    """What shares took by host when the measurement began; for the scheduler only."""
