"""The asynchronous client's share networks, share servers, share types and backends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar, Unpack

from share_actors.actors.messaging.messages import build
from share_actors.actors.messaging.parameters import known_id, mapping, word
from share_actors.audit.entity_explanation import (
    EntityExplanation,
    explain_network,
    explain_server,
)
from share_actors.client.ids import chosen_id, command_id_of, created_id
from share_actors.client.keywords import (
    EntityFilters,
    NetworkProperties,
    RequestOptions,
    SecurityServiceProperties,
    ShareTypeChanges,
    ShareTypeProperties,
    deadline,
)
from share_actors.client.receipt import raise_for_status
from share_actors.client.requests import Requests
from share_actors.client.share.exits import configured_backends, permitted_operations
from share_actors.client.showing import Shown, caller_text
from share_actors.errors import Ambiguous, NotFound, shorten
from share_actors.events.decider import Command
from share_actors.events.envelope import Recorded
from share_actors.events.share_network import (
    AddSecurityService,
    CreateShareNetwork,
    DeleteShareNetwork,
    RemoveSecurityService,
)
from share_actors.events.share_server import DeleteServer, ForgetServer, RetryServer
from share_actors.events.share_type import ChangeShareType, CreateShareType, DeleteShareType
from share_actors.values import (
    Frozen,
    Page,
    SecurityService,
    ShareNetwork,
    ShareServer,
    ShareType,
    utc_now,
)
from share_actors.values.checks.ids import is_name, is_uuid
from share_actors.values.secret import Secret

EntityT = TypeVar("EntityT", bound=Frozen)


class AsyncEntityCollection(Shown, Generic[EntityT]):
    """All entities of one kind; each has an id, and some kinds a name."""

    _kind: ClassVar[str]
    _entity_type: type[EntityT]

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    def __repr__(self) -> str:
        kind = self._kind.replace("_", " ")
        return f"<{kind}s, as {caller_text(self._requests.context)}>"

    async def list(self, **filters: Unpack[EntityFilters]) -> Page[EntityT]:
        """A page of them, the oldest first. Raises `InvalidRequest` for an unknown filter or value."""
        page: Page[EntityT] = await self._requests.catalog.listed(
            "entities", kind=self._kind, **filters
        )
        return page

    async def get(self, id_or_name: str) -> EntityT:
        """The entity with this id, else with this name; raises `NotFound`, or `Ambiguous` with the ids."""
        return await self._view(await self._address(id_or_name))

    async def history(self, id_or_name: str) -> Sequence[Recorded]:
        """All its events; `share_actors.sentence` describes one. Raises `NotFound` or `Ambiguous`."""
        return await self._requests.history(await self._address(id_or_name))

    async def _address(self, id_or_name: str) -> str:
        """The address of the entity with this id, else of the only one with this name."""
        ids = await self._ids(id_or_name) if is_name(word("id", id_or_name)) else []
        if not ids:
            kind = self._kind.replace("_", " ")
            text = f"there is no {kind} with the id or name {shorten(repr(id_or_name))}"
            raise NotFound(text, field="id", value=id_or_name)
        if len(ids) > 1:
            text = f"{len(ids)} are named {id_or_name!r}: use one of the ids {', '.join(ids)}"
            raise Ambiguous(text, field="id", value=id_or_name, ids=ids)
        return f"{self._kind}:{ids[0]}"

    async def _address_again(self, id_or_name: str, command_id: str | None) -> str:
        """The address, also of an entity of this name that an earlier try of the request has deleted."""
        if command_id_of(command_id) == command_id and is_name(word("id", id_or_name)):
            sent = await self._requests.catalog.ask("command_shares", command_id=command_id)
            for address in sent:
                if address.startswith(f"{self._kind}:"):
                    entity = await self._view(address)
                    if getattr(entity, "name", None) == id_or_name:
                        return str(address)
        return await self._address(id_or_name)

    async def _ids(self, id_or_name: str) -> Sequence[str]:
        """The ids of the entities that *id_or_name* may mean."""
        address = f"{self._kind}:{id_or_name}"
        known = await self._requests.catalog.ask("entity", address=address) is not None
        if known and is_uuid(id_or_name):
            return [id_or_name]
        named = await self._ids_named(id_or_name)
        return list(dict.fromkeys([id_or_name] * known + list(named)))

    async def _ids_named(self, name: str) -> Sequence[str]:
        """The ids of those with this name: of the user's project if there are any, else of all."""
        for project_id in (self._requests.context.project_id, None):
            page = await self._requests.catalog.listed(
                "entities", kind=self._kind, name=name, project_id=project_id, limit=20, wait=True
            )
            if page.items:
                break
        return [entity.id for entity in page.items]

    def _address_of(self, entity_id: str) -> str:
        """The address of the entity with this id; raises `NotFound` if it is the id of nothing."""
        return f"{self._kind}:{known_id(self._kind.replace('_', ' '), entity_id)}"

    async def _ask(
        self, address: str, command: Command, **options: Unpack[RequestOptions]
    ) -> EntityT:
        """The entity when the work of *command* is done (or recorded, if that is enough)."""
        until = deadline(options)
        receipt = raise_for_status(await self._requests.ask(address, command, **options))
        if receipt.view is not None:
            return self._entity_type.model_validate_json(receipt.view, extra="ignore")
        entity: EntityT = await self._requests.view_recorded(receipt, until)
        return entity

    async def _view(self, address: str) -> EntityT:
        entity: EntityT = await self._requests.ask_manager("view", address)
        return entity


class AsyncShareNetworkCollection(AsyncEntityCollection[ShareNetwork]):
    """Share networks, and their security services."""

    _kind = "share_network"
    _entity_type = ShareNetwork

    async def create(
        self,
        *,
        cidr: str,
        name: str | None = None,
        network_id: str | None = None,
        command_id: str | None = None,
        **properties: Unpack[NetworkProperties],
    ) -> ShareNetwork:
        """Create a network of the addresses in *cidr*.

        *properties*: `gateway`, `network_type` (none, flat, vlan, vxlan, gre), `segmentation_id`,
        `description`.
        """
        command_id, context = command_id_of(command_id), self._requests.context
        chosen = None if network_id is None else word("network_id", network_id)
        network_id = created_id(command_id, context.project_id) if chosen is None else chosen
        fields = {"network_id": network_id, "cidr": cidr, "name": name, **properties}
        owner = {"project_id": context.project_id, "user_id": context.user_id}
        command = build(CreateShareNetwork, {**fields, **owner})
        return await self._ask(f"{self._kind}:{network_id}", command, command_id=command_id)

    async def delete(self, network: str, *, command_id: str | None = None) -> ShareNetwork:
        """Delete a network; raises `Refused` while a share or a share server is on it."""
        address = await self._address_again(network, command_id)
        return await self._ask(address, DeleteShareNetwork(), command_id=command_id)

    async def explain(self, network: str) -> EntityExplanation:
        """What is on a network, and what has to go before it can be deleted."""
        backends = await configured_backends(self._requests)
        permits = permitted_operations(self._requests)
        return explain_network(await self.history(network), backends, permits)

    async def add_security_service(
        self,
        network: str,
        *,
        type: str,  # noqa: A002 - Manila's name
        service_id: str | None = None,
        command_id: str | None = None,
        **properties: Unpack[SecurityServiceProperties],
    ) -> SecurityService:
        """Have the network's share servers authenticate against a service of this type.

        *type*: ldap, kerberos or active_directory. *properties*: `name`, `dns_ip`, `server`, `domain`,
        `ou`, `user`, `password`. The password is sealed before it is recorded.
        """
        command_id = command_id_of(command_id)
        project_id = self._requests.context.project_id
        service_id = chosen_id("service_id", service_id, command_id, project_id)
        service: dict[str, Any] = {"id": service_id, "type": type, **properties}
        if isinstance(properties.get("password"), str):
            service["password"] = Secret(properties["password"])
        command = build(AddSecurityService, {"service": service})
        address = await self._address(network)
        changed = await self._ask(address, command, command_id=command_id)
        added = next((s for s in changed.security_services if s.id == service_id), None)
        if added is None:  # it was removed again in the meantime
            text = f"security service {service_id} is gone already"
            raise NotFound(text, field="service_id", value=service_id)
        return added

    async def remove_security_service(
        self, network: str, service_id: str, *, command_id: str | None = None
    ) -> None:
        """Remove a security service; raises `Refused` while the network has a share server."""
        command = build(RemoveSecurityService, {"service_id": service_id})
        await self._ask(await self._address(network), command, command_id=command_id)


class AsyncShareServerCollection(AsyncEntityCollection[ShareServer]):
    """Share servers; the system creates them for the shares that need them."""

    _kind = "share_server"
    _entity_type = ShareServer

    async def delete(self, server: str, **options: Unpack[RequestOptions]) -> ShareServer:
        """Tear down a share server; raises `Refused` (ShareServerInUse) while it has shares."""
        return await self._ask(self._address_of(server), DeleteServer(), **options)

    async def retry(self, server: str, **options: Unpack[RequestOptions]) -> ShareServer:
        """Retry the teardown of a share server in error; raises `Refused` if it is not in error."""
        return await self._ask(self._address_of(server), RetryServer(), **options)

    async def forget(
        self, server: str, reason: str, **options: Unpack[RequestOptions]
    ) -> ShareServer:
        """Remove a share server from the system; no driver is called, and its addresses are free again.

        *reason* is recorded. Raises `Refused` (ShareServerInUse) while it has shares.
        """
        command = build(ForgetServer, {"reason": reason})
        return await self._ask(self._address_of(server), command, **options)

    async def explain(self, server: str) -> EntityExplanation:
        """Why a share server is in its status: pending work, attempts, and what can be done now."""
        backends = await configured_backends(self._requests)
        permits = permitted_operations(self._requests)
        return explain_server(await self.history(server), utc_now(), backends, permits)

    async def delete_free(self) -> list[str]:
        """Delete the share servers that have been unused for longer than configured; their ids."""
        ids: list[str] = await self._requests.call_manager(
            "delete_free_share_servers", self._requests.context
        )
        return ids


class AsyncShareTypeCollection(AsyncEntityCollection[ShareType]):
    """Share types."""

    _kind = "share_type"
    _entity_type = ShareType

    async def create(
        self,
        name: str,
        extra_specs: Mapping[str, str],
        *,
        command_id: str | None = None,
        **properties: Unpack[ShareTypeProperties],
    ) -> ShareType:
        """Create a share type; *extra_specs* must have `driver_handles_share_servers`.

        *properties*: `description`, `is_public`, `projects` (that may use it if it is not public).
        """
        specs = mapping("extra_specs", extra_specs)
        fields = {"name": word("name", name), "extra_specs": specs, **properties}
        command = build(CreateShareType, fields)
        return await self._ask(f"{self._kind}:{name}", command, command_id=command_id)

    async def change(
        self, name: str, *, command_id: str | None = None, **changes: Unpack[ShareTypeChanges]
    ) -> ShareType:
        """Set `extra_specs` (the value None removes one), `is_public` or `projects`."""
        command = build(ChangeShareType, changes)
        return await self._ask(self._address_of(name), command, command_id=command_id)

    async def delete(self, name: str, *, command_id: str | None = None) -> None:
        """Delete a share type; shares of this type stay, and no more are created."""
        await self._ask(self._address_of(name), DeleteShareType(), command_id=command_id)
