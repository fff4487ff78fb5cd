"""Pools and share types, and requests to place a share."""

from __future__ import annotations

from typing import Any

from share_actors.scheduling.pools import PoolState
from share_actors.scheduling.request import RequestSpec
from share_actors.values import Capabilities, Pool, ShareType


def pool_state(
    backend: str = "blue", *, pool: dict[str, Any] | None = None, **properties: Any
) -> PoolState:
    """Pool `p` of 100 free GiB; *properties* are of the pool state or of its capabilities."""
    state = {k: properties.pop(k) for k in ("down", "provisioned", "unmeasured") if k in properties}
    defaults = {"driver_name": "d", "storage_protocols": ("NFS",), "access_types": ("ip",)}
    room = {"name": "p", "total_capacity_gib": 100.0, "free_capacity_gib": 100.0}
    return PoolState(
        backend=backend,
        capabilities=Capabilities(**{"backend_name": backend, **defaults, **properties}),
        pool=Pool(**{**room, **(pool or {})}),
        **state,
    )


def spec(**fields: Any) -> RequestSpec:
    return RequestSpec(**{"share_id": "s1", "size": 10, "share_proto": "NFS", **fields})


def gold(**specs: str) -> ShareType:
    return ShareType(id="gold", extra_specs=specs, status="active")


def with_type(**specs: str) -> RequestSpec:
    return spec(share_type=gold(**specs))
