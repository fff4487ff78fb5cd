"""What shares need around them, as the asynchronous client sees it: networks, servers, types and backends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from share_actors.actors.messaging.messages import build
from share_actors.actors.runtime.calls import call
from share_actors.client.requests import (
    TIMEOUT_S,
    Page,
    Receipt,
    Requests,
    new_id,
    raise_for_status,
)
from share_actors.config import Config
from share_actors.errors import Ambiguous, NotFound
from share_actors.events.decider import Command
from share_actors.events.envelope import Recorded
from share_actors.events.share_network import (
    AddSecurityService,
    CreateShareNetwork,
    DeleteShareNetwork,
    RemoveSecurityService,
)
from share_actors.events.share_server import DeleteServer, RetryServer
from share_actors.events.share_type import ChangeShareType, CreateShareType, DeleteShareType
from share_actors.values import (
    BackendReport,
    BackendState,
    Frozen,
    RequestContext,
    SecurityService,
    ShareNetwork,
    ShareServer,
    ShareType,
)

V = TypeVar("V", bound=Frozen)
WATCH_S = 30.0


class Entities(Generic[V]):
    """Entities of one kind, by id or by name."""

    kind: str
    view: type[V]

    def __init__(self, requests: Requests, context: RequestContext) -> None:
        self._requests, self._context = requests, context

    async def list(self, **filters: Any) -> Page:
        """Some of them by `name`, `status`, `project_id`, `parent`, with `limit` and `marker`."""
        page = await self._requests.catalog.ask("entities", kind=self.kind, **filters)
        return Page(tuple(page.items), page.next_marker)

    async def get(self, id_or_name: str) -> V:
        """One as its own actor knows it; raises `NotFound`, or `Ambiguous` with the ids."""
        address = await self._address(id_or_name)
        found: V = await self._requests.manage("view", address)
        return found

    async def history(self, id_or_name: str) -> Sequence[Recorded]:
        """All that ever happened to it; `sentence` tells each as a sentence."""
        return await self._requests.history(await self._address(id_or_name))

    async def _address(self, id_or_name: str) -> str:
        address = f"{self.kind}:{id_or_name}"
        if await self._requests.catalog.ask("entity", address=address) is not None:
            return address
        page = await self._requests.catalog.ask(
            "entities", kind=self.kind, name=id_or_name, limit=20
        )
        word = self.kind.replace("_", " ")
        if not page.items:
            said = f"there is no {word} with the id or name {id_or_name!r}"
            raise NotFound(said, field="id", value=id_or_name)
        ids = [found.id for found in page.items]
        if len(ids) > 1:
            said = f"{len(ids)} are named {id_or_name!r}: use one of the ids {', '.join(ids)}"
            raise Ambiguous(said, field="id", value=id_or_name, ids=ids)
        return f"{self.kind}:{ids[0]}"

    async def _ask(
        self, address: str, command: Command, *, wait: bool = True, timeout: float = TIMEOUT_S,
        command_id: str | None = None,
    ) -> V:  # fmt: skip
        receipt = raise_for_status(
            await self._requests.ask(address, command, wait, timeout, command_id)
        )
        return await self._seen(address, receipt)

    async def _seen(self, address: str, receipt: Receipt) -> V:
        if receipt.view is not None:
            return self.view.model_validate_json(receipt.view)
        found: V = await self._requests.manage("view", address)
        return found


class Networks(Entities[ShareNetwork]):
    """Share networks, and their security services."""

    kind = "share_network"
    view = ShareNetwork

    async def create(
        self, *, cidr: str, name: str | None = None, network_id: str | None = None,
        command_id: str | None = None, **properties: Any,
    ) -> ShareNetwork:  # fmt: skip
        """Create a network of the addresses in *cidr*.

        *properties*: `gateway`, `network_type` (none, flat, vlan, vxlan, gre), `segmentation_id`,
        `description`.
        """
        made = network_id or new_id(command_id)
        who = {"project_id": self._context.project_id, "user_id": self._context.user_id}
        fields = {"network_id": made, "cidr": cidr, "name": name, **properties, **who}
        command = build(CreateShareNetwork, fields)
        return await self._ask(f"{self.kind}:{made}", command, command_id=command_id)

    async def delete(self, network: str) -> None:
        """Delete a network that no share and no server is on."""
        await self._ask(await self._address(network), DeleteShareNetwork())

    async def add_security_service(
        self, network: str, *, type: str, service_id: str | None = None, **properties: Any  # noqa: A002
    ) -> SecurityService:  # fmt: skip
        """Have the network's servers authenticate against this service; its password is sealed.

        *properties*: `name`, `dns_ip`, `server`, `domain`, `ou`, `user`, `password`.
        """
        made = service_id or new_id(None)
        service = {"id": made, "type": type, **properties}
        command = build(AddSecurityService, {"service": service})
        told = await self._ask(await self._address(network), command)
        return next(s for s in told.security_services if s.id == made)

    async def remove_security_service(self, network: str, service_id: str) -> None:
        """Have it forgotten, while no server stands."""
        command = build(RemoveSecurityService, {"service_id": service_id})
        await self._ask(await self._address(network), command)


class Servers(Entities[ShareServer]):
    """Share servers; they come with the shares that need them."""

    kind = "share_server"
    view = ShareServer

    async def delete(
        self, server: str, *, wait: bool = True, timeout: float = TIMEOUT_S
    ) -> ShareServer:
        """Tear one down that has no shares (`Refused` while it has: ShareServerInUse)."""
        return await self._ask(f"{self.kind}:{server}", DeleteServer(), wait=wait, timeout=timeout)

    async def retry(
        self, server: str, *, wait: bool = True, timeout: float = TIMEOUT_S
    ) -> ShareServer:
        """Try again to tear down one that is in error."""
        return await self._ask(f"{self.kind}:{server}", RetryServer(), wait=wait, timeout=timeout)

    async def delete_free(self) -> list[str]:
        """Have those deleted that nobody has used for long, now; their ids."""
        found: list[str] = await self._requests.manage("delete_free_share_servers")
        return found


class Types(Entities[ShareType]):
    """Share types."""

    kind = "share_type"
    view = ShareType

    async def create(
        self, name: str, extra_specs: Mapping[str, str], **properties: Any
    ) -> ShareType:
        """Create a type; *extra_specs* must say `driver_handles_share_servers`.

        *properties*: `description`, `is_public`, `projects` (that may use it, if it is not public).
        """
        fields = {"name": name, "extra_specs": dict(extra_specs), **properties}
        return await self._ask(f"{self.kind}:{name}", build(CreateShareType, fields))

    async def change(self, name: str, **changes: Any) -> ShareType:
        """Set `extra_specs` (None takes one away), `is_public` or `projects`."""
        return await self._ask(f"{self.kind}:{name}", build(ChangeShareType, changes))

    async def delete(self, name: str) -> None:
        """No more shares are made of it; those that there are stay."""
        await self._ask(f"{self.kind}:{name}", DeleteShareType())


class Backends(Entities[BackendState]):
    """Backends: what they tell of themselves, and the configuration that they have."""

    kind = "backend"
    view = BackendState

    async def stats(self) -> dict[str, BackendReport]:
        """What each told last."""
        told: dict[str, BackendReport] = await self._requests.manage("capabilities")
        return told

    async def publish(self, backend: str | None = None) -> dict[str, BackendReport]:
        """Have each, or that one, asked now."""
        method = "publish_service_capabilities"
        told: dict[str, BackendReport] = await self._requests.manage(method, None, backend)
        return told

    async def watch(self) -> AsyncIterator[BackendReport]:
        """What is told, as it comes; first what was told last."""
        after = 0
        while True:
            news = await self._requests.manage("watch", after, WATCH_S)
            after = news.number
            for published in news.items:
                yield published

    async def reload(self, config: Config) -> dict[str, list[str]]:
        """Go on with the backends of *config*; which were `added`, `changed` and `removed`."""
        told: dict[str, list[str]] = await call(self._requests.manager.reload.remote(config))
        return told
