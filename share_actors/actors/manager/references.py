"""References of a request: what it names is looked up before anything is recorded, and kept while in use.

All look-ups of snapshots, shares and networks that a request names are here. What is recorded afterwards is
guarded by the entities themselves: a snapshot by the holds of its share, a network by its assignments.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from itertools import islice

from share_actors.actors.manager.inheritance import inherit
from share_actors.actors.messaging.messages import CommandMessage, command_in
from share_actors.actors.ports import CatalogPort
from share_actors.errors import NotFound, Refused
from share_actors.events.aggregates import id_of
from share_actors.events.share.manage import ManageShare
from share_actors.events.share.messages import DeleteShare
from share_actors.events.share.snapshot.cloning import Source
from share_actors.events.share.snapshot.messages import DeleteSnapshot, UnmanageSnapshot
from share_actors.events.share_network import DeleteShareNetwork
from share_actors.policy import Caller, owner_of, owns
from share_actors.values import Implied, PlacementRequest, Share, ShareNetwork, ShareServer

NETWORKS_MAX_AGE_S = 1.0
"""How long a share network that was found is cached; the network itself refuses shares once it is deleted."""
MAX_SHOWN = 5
"""How many ids an error message lists."""


class References:
    """Looks up what a creation names, and checks that what is removed is not in use."""

    def __init__(self, catalog: CatalogPort) -> None:
        self._catalog = catalog
        self._networks_found: dict[str, tuple[float, ShareNetwork]] = {}

    # -- creations -------------------------------------------------------------------------------
    async def resolve(
        self, message: CommandMessage, request: PlacementRequest
    ) -> tuple[PlacementRequest, Implied | None]:
        """*request* with all that its snapshot implies, and that; None if it names no snapshot.

        Raises `NotFound` or `Refused` for a snapshot or share network that cannot be used, and
        `InvalidRequest` if the request contradicts its snapshot. What is another project's is not found.
        """
        caller = message.caller
        if request.snapshot_id is None:
            await self._check_network(request.share_network_id, caller)
            return request, None
        share = await self._share(message.share_id) if message.repeated else None
        if share is not None and _is_for(caller, share):
            implied = Implied(share.share_proto, share.share_network_id)
            return request._replace(share_proto=share.share_proto, source_host=share.host), implied
        source = await self._source(request.snapshot_id, caller)
        resolved = inherit(request, source.snapshot, source.share)
        await self._check_network(resolved.share_network_id, caller)
        network_id = resolved.share_network_id
        return resolved, Implied(
            resolved.share_proto, network_id, source.snapshot, source.share.alone()
        )

    async def server_network(
        self, message: CommandMessage, request: PlacementRequest
    ) -> Implied | None:
        """The network of the share server that has the share to manage; None if the request names none.

        Raises `NotFound` if there is no such server, and `Refused` if it cannot take the share.
        """
        command = command_in(message)
        assert isinstance(command, ManageShare)
        server_id = command.share_server_id
        if server_id is None:
            return None
        address = f"share_server:{server_id}"
        server: ShareServer | None = await self._catalog.ask("entity", address=address)
        if server is None or not _is_for(message.caller, server):
            text = f"there is no share server {server_id}"
            raise NotFound(text, field="share_server_id", value=server_id)
        if server.backend != command.spec.backend:
            reason = f"is on backend {server.backend!r}, not on {command.spec.backend!r}"
        elif server.status != "active" and not message.repeated:
            reason = f"is {server.status}, not active"
        else:
            return Implied(request.share_proto, server.share_network_id)
        text = f"share server {server_id} {reason}"
        raise Refused(text, field="share_server_id", value=server_id)

    async def _share(self, share_id: str) -> Share | None:
        share: Share | None = await self._catalog.ask("share", share_id=share_id)
        return share

    async def _source(self, snapshot_id: str, caller: Caller) -> Source:
        """The snapshot to create a share from; raises `NotFound`, or `Refused` by its state."""
        project = None if caller.is_system_admin else caller.project_id
        source: Source | None = await self._catalog.ask(
            "source", snapshot_id=snapshot_id, project_id=project
        )
        if source is None or not _is_for(caller, source.share):
            message = f"there is no snapshot {snapshot_id}"
            raise NotFound(message, field="snapshot_id", value=snapshot_id)
        if source.refusal is not None:
            raise Refused(source.refusal, field="snapshot_id", value=snapshot_id)
        return source

    async def _check_network(self, network_id: str | None, caller: Caller) -> None:
        """Raise `NotFound` if there is no such share network, or it is deleted."""
        if network_id is None:
            return
        network = await self._network(network_id)
        if network is None or not _is_for(caller, network):
            reason = f"there is no share network {network_id}"
        elif network.status == "deleted":
            reason = f"share network {network_id} is deleted"
        else:
            return
        raise NotFound(reason, field="share_network_id", value=network_id)

    async def _network(self, network_id: str) -> ShareNetwork | None:
        """The share network, also a deleted one; an active one may have been read a moment ago."""
        now = time.monotonic()
        read_at, found = self._networks_found.get(network_id, (float("-inf"), None))
        if now - read_at < NETWORKS_MAX_AGE_S:
            return found
        address = f"share_network:{network_id}"
        network: ShareNetwork | None = await self._catalog.ask("entity", address=address)
        if network is not None and network.status == "active":
            items = self._networks_found.items()
            fresh = {i: item for i, item in items if now - item[0] < NETWORKS_MAX_AGE_S}
            self._networks_found = {**fresh, network_id: (now, network)}
        return network

    # -- removals --------------------------------------------------------------------------------
    async def check_unused(self, message: CommandMessage) -> None:
        """Raise `Refused` if what the command removes is in use by another request or share.

        What is another project's is answered by its entity.
        """
        match command_in(message):
            case DeleteShareNetwork():
                await self._check_network_unused(id_of(message.share_id), message.caller)
            case DeleteSnapshot(snapshot_id=i) | UnmanageSnapshot(snapshot_id=i):
                await self._check_no_copies(message.share_id, i, message.caller)
            case DeleteShare(cascade=True):
                await self._check_no_copies(message.share_id, None, message.caller)
            case _:
                pass

    async def _check_no_copies(
        self, share_id: str, snapshot_id: str | None, caller: Caller
    ) -> None:
        """Raise `Refused` while a share is created from the snapshot, or from any of the share's."""
        copies = await self._catalog.ask("copies", share_id=share_id)
        using = [copy for copy, source in copies.items() if snapshot_id in (None, source)]
        share = await self._share(share_id) if using else None
        if share is None or not _is_for(caller, share) or _is_going(share, snapshot_id):
            return
        what = f"snapshot {snapshot_id}" if snapshot_id else f"a snapshot of share {share_id}"
        raise Refused(
            f"{what} is in use by shares that are being created from it: {_listed(using)};"
            " wait until that has ended, or delete them",
            field="id" if snapshot_id is None else "snapshot_id",
            value=snapshot_id or share_id,
        )

    def forget(self, message: CommandMessage) -> None:
        """Drop what *message* removes from the cache of share networks."""
        if message.topic == DeleteShareNetwork.topic:
            self._networks_found.pop(id_of(message.share_id), None)

    async def _check_network_unused(self, network_id: str, caller: Caller) -> None:
        using = await self._catalog.ask("on_network", network_id=network_id)
        network = await self._network(network_id) if using else None
        if network is not None and _is_for(caller, network):
            raise Refused(
                f"share network {network_id} is in use by shares: {_listed(using)}; delete them first",
                field="id",
                value=network_id,
            )


_GOING = ("deleting", "unmanage_starting")


def _is_for(caller: Caller, entity: Share | ShareNetwork | ShareServer) -> bool:
    """Whether *caller* may refer to the entity, which is its project's."""
    return caller.is_system_admin or owns(caller, owner_of(entity))


def _is_going(share: Share, snapshot_id: str | None) -> bool:
    """Whether the share or snapshot is being removed already, so that the request is a repeated one."""
    if snapshot_id is None:
        return share.status == "deleting"
    return any(s.id == snapshot_id and s.status in _GOING for s in share.snapshots)


def _listed(share_ids: Collection[str]) -> str:
    first = ", ".join(islice(share_ids, MAX_SHOWN))
    more = len(share_ids) - MAX_SHOWN
    return first + (f" and {more} more" if more > 0 else "")
