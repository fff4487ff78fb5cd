"""Which backend and pool a share goes to: filters say why not, weighers say how gladly. Pure.

After Manila's filter scheduler: the filters' names say what they look at, their verdicts are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from share_actors.scheduling.extra_specs import _plain, satisfies
from share_actors.values import Capabilities, Frozen, Pool, ShareType

DEFAULT_ZONE = "nova"


class RequestSpec(Frozen):
    """What a share asks for. *only*: the backend (or `backend#pool`) that was asked for by name."""

    share_id: str
    size: int
    share_proto: str
    only: str | None = None
    share_type: ShareType | None = None
    on_server: bool = False
    """It is to be on a share server: a share network was given."""
    availability_zone: str | None = None
    snapshot_on: str | None = None
    """Where the snapshot that it is made from is."""
    same_as: Mapping[str, str] = {}
    """It must be where these shares are: hosts by share id. A share that is nowhere has ''."""
    different_from: Mapping[str, str] = {}


class PoolState(Frozen):
    """A pool as the scheduler sees it: what its backend published, and what was decided since.

    *provisioned*: GiB of all shares that are there or decided to go there. *since*: of those, what was
    decided after the backend measured its free capacity. *down*: why it takes no shares.
    """

    backend: str
    said: Capabilities
    pool: Pool
    provisioned: float = 0.0
    since: float = 0.0
    down: str | None = None

    @property
    def name(self) -> str:
        return f"{self.backend}#{self.pool.name}"

    @property
    def usable(self) -> float:
        """GiB that shares may have in all: the total less what is reserved."""
        return self.pool.total_capacity_gib * (1 - self.pool.reserved_percentage / 100)

    @property
    def room(self) -> float:
        """The largest share that fits, in GiB."""
        pool = self.pool
        reserved = pool.total_capacity_gib - self.usable
        free = pool.free_capacity_gib - reserved
        if pool.thin_provisioning:
            ratio = pool.max_over_subscription_ratio
            return min(self.usable * ratio - self.provisioned, free * ratio)
        return min(self.usable - self.provisioned, free - self.since)


# -- filters: why not, or None -------------------------------------------------------------------
def _backend(asked: RequestSpec, host: PoolState) -> str | None:
    if asked.only is not None and asked.only not in (host.backend, host.name):
        return f"{asked.only} was asked for"
    return host.down


def _zone(asked: RequestSpec, host: PoolState) -> str | None:
    there = host.said.availability_zone
    if asked.availability_zone in (None, there):
        return None
    return f"it is in {there}, not in {asked.availability_zone}"


def _protocol(asked: RequestSpec, host: PoolState) -> str | None:
    known = host.said.storage_protocols
    return None if asked.share_proto in known else f"it speaks {', '.join(known) or 'nothing'}"


def _servers(asked: RequestSpec, host: PoolState) -> str | None:
    """A type that says nothing of servers leaves it to whether a share network was given."""
    handles = host.said.driver_handles_share_servers
    wanted = None if asked.share_type is None else asked.share_type.handles_servers
    if wanted is not None and wanted != handles:
        return f"the share type wants driver_handles_share_servers={wanted}"
    if asked.on_server and not handles:
        return "it has no share servers, and a share network was given"
    if handles and not asked.on_server:
        return "its shares are on share servers, and no share network was given"
    return None


def _capabilities(asked: RequestSpec, host: PoolState) -> str | None:
    if asked.share_type is None:
        return None
    said = told_by(host)
    for key, wanted in asked.share_type.extra_specs.items():
        name = _plain(key)
        if name is None or name == "driver_handles_share_servers":
            continue
        if name not in said:
            return f"it says nothing of {name}, which must be {wanted}"
        if not satisfies(said[name], wanted):
            return f"its {name} is {said[name]!r}, and must be {wanted}"
    return None


def _capacity(asked: RequestSpec, host: PoolState) -> str | None:
    room = host.room
    if asked.size <= room:
        return None
    taken = f"{host.provisioned:g} of {host.pool.total_capacity_gib:g} GiB are provisioned"
    return f"{asked.size} GiB do not fit into {max(room, 0.0):.6g} GiB ({taken})"


def _snapshot(asked: RequestSpec, host: PoolState) -> str | None:
    on = asked.snapshot_on
    return None if on in (None, host.name, host.backend) else f"the snapshot is on {on}"


def _affinity(asked: RequestSpec, host: PoolState) -> str | None:
    for share_id, on in asked.same_as.items():
        if on not in (host.name, host.backend):
            return f"share {share_id}, with which it must be, is on {on or 'no backend'}"
    return None


def _anti_affinity(asked: RequestSpec, host: PoolState) -> str | None:
    for share_id, on in asked.different_from.items():
        if on in (host.name, host.backend):
            return f"share {share_id}, from which it must be apart, is here"
    return None


FILTERS: Mapping[str, Callable[[RequestSpec, PoolState], str | None]] = {
    "backend": _backend,
    "availability_zone": _zone,
    "protocol": _protocol,
    "share_servers": _servers,
    "capabilities": _capabilities,
    "capacity": _capacity,
    "snapshot": _snapshot,
    "affinity": _affinity,
    "anti_affinity": _anti_affinity,
}


# -- weighing ------------------------------------------------------------------------------------
NAMES = " ".join(FILTERS)
CAPACITY = "capacity"
"""The one filter whose verdict changes with every decision."""


def refusals(asked: RequestSpec, host: PoolState) -> dict[str, str]:
    """Why *host* will not do, by filter, whatever room it has."""
    said = ((name, why(asked, host)) for name, why in FILTERS.items() if name != CAPACITY)
    return {name: reason for name, reason in said if reason is not None}


# -- capabilities and requirements ---------------------------------------------------------------
def told_by(host: PoolState) -> dict[str, Any]:
    """All that is said of a pool, by name: the pool's own words win over the backend's."""
    said = {k: v for k, v in host.said.__dict__.items() if k not in ("pools", "capabilities")}
    own = {k: v for k, v in host.pool.__dict__.items() if k not in ("name", "capabilities")}
    return {**said, **host.said.capabilities, **own, **host.pool.capabilities}
