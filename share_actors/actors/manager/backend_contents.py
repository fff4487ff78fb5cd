"""What is on a backend that is gone or renamed: its shares, share servers and networks."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

from share_actors.actors.effects.server_attachment import NETWORK, SERVER
from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.actors.ports import CatalogPort
from share_actors.errors import Refused, ShareActorsError
from share_actors.events.decider import Command
from share_actors.events.share.backend_change import ChangeBackend
from share_actors.events.share.forgetting import ForgetShare
from share_actors.events.share_network import ChangeNetworkBackend
from share_actors.events.share_server import ChangeServerBackend, ForgetServer
from share_actors.values import (
    Capabilities,
    Frozen,
    RequestContext,
    Share,
    ShareNetwork,
    ShareServer,
)

logger = logging.getLogger(__name__)
PAGE_SIZE = 500


@dataclass
class Handled:
    """The ids of the entities that a command was carried out on, and the errors of the others by id."""

    shares: list[str] = field(default_factory=list)
    servers: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The fields as a mapping."""
        return dict(self.__dict__)


class BackendContents:
    """Finds what is on a backend in the catalog, and sends each entity its command."""

    def __init__(self, catalog: CatalogPort, entity_client: EntityClient) -> None:
        self._catalog, self._entity_client = catalog, entity_client

    async def forget(self, backend: str, reason: str, context: RequestContext) -> Handled:
        """Have all shares on *backend* forgotten, then its share servers, which are unused by then."""
        handled, forget = Handled(), ForgetShare(reason=reason)
        async for share in self.shares(backend):
            await self._do(handled.shares, handled, Share, share.id, forget, context)
        async for server in self._servers(backend):
            address, command = f"{SERVER}{server.id}", ForgetServer(reason=reason)
            await self._do(handled.servers, handled, ShareServer, address, command, context)
        return handled

    async def rename(self, old: str, new: str, context: RequestContext) -> Handled:
        """Have all networks, share servers and shares on *old* recorded as on *new*.

        The networks are first: so a share that is being created meets its servers by their new backend.
        """
        handled = Handled()
        async for network in self._networks(old):
            address, command = f"{NETWORK}{network.id}", ChangeNetworkBackend(old=old, new=new)
            await self._do(handled.networks, handled, ShareNetwork, address, command, context)
        async for server in self._servers(old):
            changed = ChangeServerBackend(old=old, host=renamed_host(server.host, old, new))
            address = f"{SERVER}{server.id}"
            await self._do(handled.servers, handled, None, address, changed, context)
        async for share in self.shares(old):
            change = ChangeBackend(old=old, host=renamed_host(share.host, old, new))
            await self._do(handled.shares, handled, None, share.id, change, context)
        return handled

    async def _do(
        self,
        done: list[str],
        handled: Handled,
        kind: type[Frozen] | None,
        address: str,
        command: Command,
        context: RequestContext,
    ) -> None:
        """Have *command* done, or only recorded without a *kind*; an error does not stop the others."""
        entity_id = address.partition(":")[2] or address
        try:
            if kind is None:
                await self._entity_client.tell(address, command, context)
            else:
                await self._entity_client.ask(kind, address, command, context)
        except ShareActorsError as error:
            logger.warning("%s: %s", address, error)
            handled.failed[entity_id] = str(error)
        else:
            done.append(entity_id)

    # -- the catalog -----------------------------------------------------------------------------
    async def shares(self, backend: str) -> AsyncIterator[Share]:
        """The shares on *backend*, without those that are deleted or unmanaged."""
        async for share in self._all("shares", backend=backend):
            yield share

    async def _servers(self, backend: str) -> AsyncIterator[ShareServer]:
        async for server in self._all("entities", kind="share_server"):
            if server.backend == backend:
                yield server

    async def _networks(self, backend: str) -> AsyncIterator[ShareNetwork]:
        async for network in self._all("entities", kind="share_network"):
            if any(slot.backend == backend for slot in network.servers.values()):
                yield network

    async def _all(self, query: str, **filters: str) -> AsyncIterator[Any]:
        marker: str | None = None
        while True:
            page = await self._catalog.ask(query, **filters, limit=PAGE_SIZE, marker=marker)
            for item in page.items:
                yield item
            marker = page.next_marker
            if marker is None:
                return


def renamed_host(host: str, old: str, new: str) -> str:
    """*host* on backend *new*; a pool that has the name of its backend, as an only pool does, follows it."""
    _, mark, pool = host.partition("#")
    return f"{new}{mark}{new if pool == old else pool}"


def require_same_storage(
    old: Capabilities | None, new: Capabilities | None, hosts: set[str], name: str
) -> None:
    """Raise `Refused` if backend *name*, which reports *new*, cannot be the storage that reported *old*.

    *hosts*: where the shares of the renamed backend would be (`backend#pool`).
    """
    if new is None:
        raise Refused(f"backend {name!r} has not reported its storage yet", field="new", value=name)
    differing = [*_differences(old, new), *_missing_pools(new, hosts)]
    if differing:
        text = f"backend {name!r} reports another storage: {'; '.join(differing)}"
        raise Refused(f"{text}; nothing was renamed", field="new", value=name)


def _differences(old: Capabilities | None, new: Capabilities) -> Iterator[str]:
    for name in () if old is None else ("driver_name", "driver_handles_share_servers"):
        before, now = getattr(old, name), getattr(new, name)
        if before != now:
            yield f"{name} is {now!r}, and was {before!r}"
    lost = set(() if old is None else old.storage_protocols) - set(new.storage_protocols)
    if lost:
        yield f"it lacks {', '.join(sorted(lost))}"


def _missing_pools(new: Capabilities, hosts: set[str]) -> Iterator[str]:
    pools = {pool.name for pool in new.pools}
    needed = {host.partition("#")[2] for host in hosts} - {""}
    for pool in sorted(needed - pools):
        yield f"it has no pool {pool!r}, which shares are in"
