"""How a share comes to be on a share server, and leaves it: a talk of the share with network and server."""

from __future__ import annotations

from contextlib import suppress
from uuid import uuid4

from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.config import BackendSettings
from share_actors.drivers.base import DriverError, TransientError
from share_actors.errors import NotFound, OperationFailed, Refused
from share_actors.events import share_network as net
from share_actors.events.share import ShareState
from share_actors.events.share_server import AttachShare, DeleteServer, DetachShare
from share_actors.values import RequestContext, Share, ShareNetwork, ShareServer

TRIES = 20
"""How many servers may be going as a share comes, before that is an attempt that failed."""
SERVER, NETWORK = "share_server:", "share_network:"


async def acquire(
    entity_client: EntityClient, state: ShareState, settings: BackendSettings, who: RequestContext
) -> ShareServer:
    """The server that the share is on, set up; one that exists and fits, or a new one.

    Raises `DriverError` when it could not be set up, and `TransientError` when one after the other goes.
    """
    for _ in range(TRIES):
        server = await _seated(entity_client, state, settings, who)
        if server is not None:
            return server.replace(shares=(), unused_since=None)
    raise TransientError(f"{TRIES} share servers went as they were chosen")


async def _seated(
    entity_client: EntityClient, state: ShareState, settings: BackendSettings, who: RequestContext
) -> ShareServer | None:
    """The server that its network chose, with the share on it; None if that server is going."""
    share, network = state.share, f"{NETWORK}{state.share.share_network_id}"
    wanted = net.AssignServer(
        share_id=share.id, backend=share.backend, new_server_id=str(uuid4()),
        beside=None if state.source is None else state.source.share_id,
        most=settings.max_shares_per_server,
    )  # fmt: skip
    server_id = (await entity_client.ask(ShareNetwork, network, wanted, who)).shares.get(share.id)
    if server_id is None:  # that server went in the same moment
        return None
    attach = _attach(share, server_id)
    try:
        return await entity_client.ask(ShareServer, f"{SERVER}{server_id}", attach, who)
    except (Refused, OperationFailed) as error:
        if not await _is_going(
            entity_client, server_id
        ):  # nothing is wrong with it: the share has left
            raise DriverError(f"not on share server {server_id}: {error}") from None
        await entity_client.ask(ShareNetwork, network, net.RetireServer(server_id=server_id), who)
        if isinstance(error, OperationFailed):
            said = f"share server {server_id} could not be set up: {error}"
            raise DriverError(said) from None
        return None


async def _is_going(entity_client: EntityClient, server_id: str) -> bool:
    """Whether the server takes no more shares, whichever they are."""
    try:
        server = await entity_client.view(ShareServer, f"{SERVER}{server_id}")
    except NotFound:
        return False
    return server.status in ("deleting", "deleted", "error")


def _attach(share: Share, server_id: str) -> AttachShare:
    assert share.share_network_id is not None
    return AttachShare(
        share_id=share.id, server_id=server_id, host=share.host,
        share_network_id=share.share_network_id, project_id=share.project_id,
    )  # fmt: skip


async def release(
    entity_client: EntityClient, share: Share, settings: BackendSettings, who: RequestContext
) -> None:
    """Take the share off its server, as its network and the share know it; again is harmless."""
    network = f"{NETWORK}{share.share_network_id}"
    try:  # first of all: a request for a server that is still on its way shall find the door shut
        known = await entity_client.ask(ShareNetwork, network, net.TurnAway(share_id=share.id), who)
    except NotFound:
        return
    meant = known.shares.get(share.id)
    for server_id in {meant, share.share_server_id} - {None}:
        await _detach(entity_client, share, f"{SERVER}{server_id}", settings, who)
    await entity_client.ask(ShareNetwork, network, net.LeaveServer(share_id=share.id), who)


async def _detach(
    entity_client: EntityClient,
    share: Share,
    server: str,
    settings: BackendSettings,
    who: RequestContext,
) -> None:
    with suppress(NotFound):  # it was assigned and never came to be
        left = await entity_client.ask(ShareServer, server, DetachShare(share_id=share.id), who)
        if settings.delete_server_with_last_share and not left.shares:
            with suppress(Refused):  # another share came
                await entity_client.tell(server, DeleteServer(why="last_share"), who)
