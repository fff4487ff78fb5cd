"""What a creation refers to must exist for the caller: another project's network or snapshot does not."""

from __future__ import annotations

from typing import Any

from share_actors.actors.ports import CatalogPort
from share_actors.errors import NotFound
from share_actors.policy import Caller, owner_of, owns
from share_actors.values import PlacementRequest


async def check_references(catalog: CatalogPort, caller: Caller, request: PlacementRequest) -> None:
    """Raise `NotFound` if *request* names what the caller's project does not own."""
    if caller.is_system_admin:
        return
    if (network := request.share_network_id) is not None:
        found = await catalog.ask("entity", address=f"share_network:{network}")
        _check(caller, found, "share network", "share_network_id", network)
    if (source := request.source_share_id) is not None:
        found = await catalog.ask("share", share_id=source)
        _check(caller, found, "snapshot of share", "snapshot_id", source)


def _check(caller: Caller, found: Any, kind: str, field: str, value: str) -> None:
    if found is None or not owns(caller, owner_of(found)):
        raise NotFound(f"there is no {kind} {value}", field=field, value=value)
