"""Attaching a share to a share server, and detaching it: by commands to its share network and the server."""

from __future__ import annotations

from contextlib import suppress
from uuid import uuid4

from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.config import BackendSettings
from share_actors.drivers.base import DriverError, TransientError
from share_actors.errors import NotFound, OperationFailed, Refused
from share_actors.events import share_network
from share_actors.events.share import ShareState
from share_actors.events.share_server import AttachShare, DeleteServer, DetachShare
from share_actors.values import RequestContext, Share, ShareNetwork, ShareServer

MAX_TRIES = 20
"""How many assigned servers may turn out to be going before the attempt fails."""
SERVER, NETWORK = "share_server:", "share_network:"
"""What the addresses of share servers and share networks begin with; their ids follow."""


async def acquire(
    client: EntityClient, state: ShareState, settings: BackendSettings, context: RequestContext
) -> ShareServer:
    """Attach the share to a share server that is set up: an existing one that fits, or a new one.

    Raises `DriverError` if the server could not be set up, and `TransientError` if every server that
    the network assigned was going.
    """
    for _ in range(MAX_TRIES):
        server = await _attach_to_assigned(client, state, settings, context)
        if server is not None:
            return server.replace(shares=(), unused_since=None)
    raise TransientError(f"{MAX_TRIES} share servers were deleted while they were being assigned")


async def _attach_to_assigned(
    client: EntityClient, state: ShareState, settings: BackendSettings, context: RequestContext
) -> ShareServer | None:
    """The server that its network assigned, with the share on it; None if that server is going."""
    share, network = state.share, f"{NETWORK}{state.share.share_network_id}"
    assign = _assign_server(state, settings)
    assigned = await client.ask(ShareNetwork, network, assign, context)
    server_id = assigned.shares.get(share.id)
    if server_id is None:  # that server went in the same moment
        return None
    attach = _attach_share(share, server_id)
    try:
        return await client.ask(ShareServer, f"{SERVER}{server_id}", attach, context)
    except (Refused, OperationFailed) as error:
        if not await _is_going(client, server_id):  # the server is well: the share has left
            raise DriverError(f"not on share server {server_id}: {error}") from None
        retire = share_network.RetireServer(server_id=server_id)
        await client.ask(ShareNetwork, network, retire, context)
        if isinstance(error, OperationFailed):
            text = f"share server {server_id} could not be set up: {error}"
            raise DriverError(text) from None
        return None


def _assign_server(state: ShareState, settings: BackendSettings) -> share_network.AssignServer:
    return share_network.AssignServer(
        share_id=state.share.id,
        backend=state.share.backend,
        new_server_id=str(uuid4()),
        beside=None if state.source is None else state.source.share_id,
        most=settings.max_shares_per_server,
        on=state.on_server,
    )


def _attach_share(share: Share, server_id: str) -> AttachShare:
    assert share.share_network_id is not None
    return AttachShare(
        share_id=share.id,
        server_id=server_id,
        host=share.host,
        share_network_id=share.share_network_id,
        project_id=share.project_id,
    )


async def _is_going(client: EntityClient, server_id: str) -> bool:
    """Whether the server accepts no further shares."""
    try:
        server = await client.view(ShareServer, f"{SERVER}{server_id}")
    except NotFound:
        return False
    return server.status not in ("creating", "active")


async def release(
    client: EntityClient, state: ShareState, settings: BackendSettings, context: RequestContext
) -> None:
    """Detach the share from the server that its network or its own state names; idempotent."""
    share, data_stay = state.share, state.doing == "unmanage"
    detach = DetachShare(share_id=share.id, data_stay=data_stay)
    network = f"{NETWORK}{share.share_network_id}"
    reject = share_network.RejectShare(share_id=share.id)
    try:  # first, so that a late request for a server is refused
        view = await client.ask(ShareNetwork, network, reject, context)
    except NotFound:
        return
    for server_id in {view.shares.get(share.id), share.share_server_id} - {None}:
        await _detach(client, detach, f"{SERVER}{server_id}", settings, context)
    unassign = share_network.UnassignShare(share_id=share.id)
    await client.ask(ShareNetwork, network, unassign, context)


async def _detach(
    client: EntityClient,
    detach: DetachShare,
    server: str,
    settings: BackendSettings,
    context: RequestContext,
) -> None:
    with suppress(NotFound):  # it was assigned, and never created
        view = await client.ask(ShareServer, server, detach, context)
        if settings.delete_server_with_last_share and not view.shares:
            with suppress(Refused):  # another share was attached meanwhile
                await client.tell(server, DeleteServer(why="last_share"), context)
