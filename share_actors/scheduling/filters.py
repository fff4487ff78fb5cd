"""The filters that exclude pools for a share, each with its reason. Pure.

As in Manila's filter scheduler, a filter is named for what it checks; the reasons are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from share_actors.scheduling.extra_specs import (
    MISSING,
    capability_path,
    lookup,
    satisfies,
    zones_of,
)
from share_actors.scheduling.pools import PoolState, lack_of_room
from share_actors.scheduling.request import RequestSpec
from share_actors.values.manila import STATISTICS


# -- filters: the reason to exclude the pool, or None --------------------------------------------
def _backend(spec: RequestSpec, pool: PoolState) -> str | None:
    if spec.requested_host not in (None, pool.backend, pool.name):
        return f"{spec.requested_host} was requested"
    return pool.down


def _zone(spec: RequestSpec, pool: PoolState) -> str | None:
    zone = pool.capabilities.availability_zone
    if spec.availability_zone not in (None, zone):
        return f"it is in {zone}, not in {spec.availability_zone}"
    allowed = zones_of(spec.share_type)
    if allowed and zone not in allowed:
        return f"it is in {zone}, and the share type requires {' or '.join(allowed)}"
    return None


def _protocol(spec: RequestSpec, pool: PoolState) -> str | None:
    supported = _protocols(pool)
    if spec.share_proto in supported:
        return None
    return f"supports {', '.join(supported)} only" if supported else "supports no protocol"


def _protocols(pool: PoolState) -> tuple[str, ...]:
    """The protocols of the pool's shares: its own, or those of its backend."""
    own = pool.pool.capabilities.get("storage_protocol")
    return tuple(own) if isinstance(own, list | tuple) else pool.capabilities.storage_protocols


def _servers(spec: RequestSpec, pool: PoolState) -> str | None:
    """Without the extra spec driver_handles_share_servers, the share network alone decides."""
    handles = pool.capabilities.driver_handles_share_servers
    required = None if spec.share_type is None else spec.share_type.handles_servers
    if required is not None and required != handles:
        return f"the share type requires driver_handles_share_servers={required}"
    if spec.needs_share_server and not handles:
        return "it has no share servers, and a share network was given"
    if handles and not spec.needs_share_server:
        return "its shares are on share servers, and no share network was given"
    return None


def _capabilities(spec: RequestSpec, pool: PoolState) -> str | None:
    if spec.share_type is None:
        return None
    reported = reported_capabilities(pool)
    for key, required in spec.share_type.extra_specs.items():
        path = capability_path(key)
        if path is None or key in _OTHER_FILTERS:
            continue
        name, value = ":".join(path), lookup(reported, path)
        if value is MISSING:
            return f"does not report {name} (required: {required})"
        if not satisfies(value, required):
            return f"its {name} is {value!r}, and must be {required}"
    return None


def _snapshot(spec: RequestSpec, pool: PoolState) -> str | None:
    host = spec.snapshot_host
    return None if host in (None, pool.name, pool.backend) else f"the snapshot is on {host}"


def _affinity(spec: RequestSpec, pool: PoolState) -> str | None:
    for share_id, host in spec.same_host.items():
        if host not in (pool.name, pool.backend):
            return f"same_host: share {share_id} is on {host or 'no backend'}"
    return None


def _anti_affinity(spec: RequestSpec, pool: PoolState) -> str | None:
    for share_id, host in spec.different_host.items():
        if host in (pool.name, pool.backend):
            return f"different_host: share {share_id} is on this pool"
    return None


CAPACITY = "capacity"
_OTHER_FILTERS = ("driver_handles_share_servers", "availability_zones")
"""The extra specs that other filters than `capabilities` read."""
FILTERS: Mapping[str, Callable[[RequestSpec, PoolState], str | None]] = {
    "backend": _backend,
    "availability_zone": _zone,
    "protocol": _protocol,
    "share_servers": _servers,
    "capabilities": _capabilities,
    CAPACITY: lack_of_room,
    "snapshot": _snapshot,
    "affinity": _affinity,
    "anti_affinity": _anti_affinity,
}
NAMES = " ".join(FILTERS)


def refusals(spec: RequestSpec, pool: PoolState) -> dict[str, str]:
    """Return the reasons to exclude *pool*, by filter, whatever room it has."""
    verdicts = ((name, check(spec, pool)) for name, check in FILTERS.items() if name != CAPACITY)
    return {name: reason for name, reason in verdicts if reason is not None}


def reported_capabilities(pool: PoolState) -> dict[str, Any]:
    """Return all capabilities by each of their names; the pool's own override its backend's.

    One that is not reported has its default.
    """
    backend, own = pool.capabilities, pool.pool
    fields = {k: v for k, v in backend.__dict__.items() if k not in ("pools", "capabilities")}
    own_fields = {k: v for k, v in own.__dict__.items() if k not in ("name", "capabilities")}
    found = {
        **{row.key: row.default for row in STATISTICS.values() if not row.field},
        **fields,
        **backend.capabilities,
        **own_fields,
        **own.capabilities,
        "pool_name": own.name,
        "share_backend_name": [pool.backend, backend.capabilities.get("share_backend_name")],
    }
    protocols = _protocols(pool)
    found["storage_protocol"] = [*protocols, "_".join(protocols)]
    aliases = {name: found.get(row.field or row.key) for name, row in STATISTICS.items()}
    return {**aliases, **found}
