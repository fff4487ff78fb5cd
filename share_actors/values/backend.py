"""What a backend reports of itself: pools, capabilities, status."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from share_actors.values.base import Frozen, Value


class Pool(Value):
    """One pool of a backend; in GiB. `capabilities` are its own words, for share types."""

    name: str
    total_capacity_gib: float
    free_capacity_gib: float
    allocated_capacity_gib: float = 0.0
    provisioned_capacity_gib: float = 0.0
    reserved_percentage: float = 0.0
    thin_provisioning: bool = False
    max_over_subscription_ratio: float = 1.0
    goodness: float = 0.0
    """How welcome more shares are, 0 to 100, as the driver sees it."""
    capabilities: dict[str, Any] = {}


class Capabilities(Value):
    """What a driver says of its backend (`ShareDriver.get_share_stats`)."""

    backend_name: str
    driver_name: str
    storage_protocols: tuple[str, ...]
    access_types: tuple[str, ...]
    driver_handles_share_servers: bool = False
    snapshot_support: bool = True
    create_share_from_snapshot_support: bool = True
    extend_support: bool = True
    shrink_support: bool = True
    availability_zone: str = "nova"
    capabilities: dict[str, Any] = {}
    """The backend's own words, which share types may require; a pool's own win over these."""
    pools: tuple[Pool, ...] = ()


class BackendState(Value):
    """A backend as its events tell it (`backend`, its name, is the id)."""

    id: str = ""
    status: Literal["absent", "up", "down"] = "absent"
    reason: str | None = None
    since: datetime | None = None
    """When it came to be so."""
    capabilities: Capabilities | None = None
    """As of the last change that was worth an event."""
    ensured: str | None = None
    """The backend's info (a digest) for which all its shares were ensured."""
    info: str | None = None


class BackendReport(Frozen):
    """One publication of a backend: what it says, or why it says nothing; `wrong` by field."""

    backend: str
    at: datetime
    capabilities: Capabilities | None = None
    reason: str | None = None
    wrong: dict[str, str] = {}
