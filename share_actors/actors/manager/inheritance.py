"""What a share from a snapshot has in common with the snapshot's share. Pure.

As in Manila, it has its share type, share network and backend; and its protocol. What the request names
itself must be the same.
"""

from __future__ import annotations

from typing import TypeVar

from share_actors.errors import InvalidRequest
from share_actors.values import PlacementRequest, Share, Snapshot

T = TypeVar("T", str, str | None)


def inherit(request: PlacementRequest, snapshot: Snapshot, parent: Share) -> PlacementRequest:
    """*request* with what *snapshot*, of the share *parent*, implies.

    Raises `InvalidRequest` with both values if the request names another one, or a smaller size.
    """
    _check_size(request, snapshot)
    _check_host(request, snapshot, parent)
    zone = request.availability_zone
    if parent.availability_zone is not None:
        _same("availability_zone", zone, parent.availability_zone, snapshot)
    network_id = request.share_network_id
    return request._replace(
        share_proto=_same("protocol", request.share_proto, parent.share_proto, snapshot),
        share_type=_same("share_type", request.share_type, parent.share_type, snapshot),
        share_network_id=_same("share_network_id", network_id, parent.share_network_id, snapshot),
        source_host=parent.host,
    )


def _same(field: str, named: T, inherited: T, snapshot: Snapshot) -> T:
    """The *inherited* value of *field*; raises `InvalidRequest` if another one was *named*."""
    if named and named != inherited:
        theirs = "none" if inherited is None else repr(inherited)
        raise InvalidRequest(
            f"{field}: {named!r} was named, and the share of snapshot {snapshot.id} has {theirs};"
            f" a share from a snapshot has the same: leave {field} out",
            field=field,
            value=named,
        )
    return inherited


def _check_host(request: PlacementRequest, snapshot: Snapshot, parent: Share) -> None:
    if request.host in ("", parent.host, parent.backend):
        return
    raise InvalidRequest(
        f"backend: {request.host!r} was named, and snapshot {snapshot.id} is on {parent.host!r};"
        " a share from a snapshot goes to the same pool: leave the backend out",
        field="backend",
        value=request.host,
    )


def _check_size(request: PlacementRequest, snapshot: Snapshot) -> None:
    if request.size < snapshot.size:
        raise InvalidRequest(
            f"size: {request.size} GiB is less than the {snapshot.size} GiB of snapshot {snapshot.id}",
            field="size",
            value=request.size,
        )
