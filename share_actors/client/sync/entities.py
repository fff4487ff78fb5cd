"""The synchronous form of `client/entities.py`, method for method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Generic, TypeVar, Unpack

from share_actors.audit.backend_audit import BackendDifference
from share_actors.audit.capacity import CapacityPoint
from share_actors.audit.entity_explanation import EntityExplanation
from share_actors.client.backends import AsyncBackendCollection
from share_actors.client.entities import (
    AsyncEntityCollection,
    AsyncShareNetworkCollection,
    AsyncShareServerCollection,
    AsyncShareTypeCollection,
)
from share_actors.client.keywords import (
    EntityFilters,
    NetworkProperties,
    RequestOptions,
    SecurityServiceProperties,
    ShareTypeChanges,
    ShareTypeProperties,
)
from share_actors.client.results import BackendChanges, HandledEntities, MovedBackend
from share_actors.client.showing import Shown
from share_actors.client.sync.background_loop import run
from share_actors.config import Config
from share_actors.events.envelope import Recorded
from share_actors.values import (
    BackendReport,
    BackendState,
    Frozen,
    Page,
    SecurityService,
    Share,
    ShareNetwork,
    ShareServer,
    ShareType,
    ShareUsage,
)

EntityT = TypeVar("EntityT", bound=Frozen)


class EntityCollection(Shown, Generic[EntityT]):
    """All entities of one kind; see `AsyncEntityCollection`."""

    def __init__(self, collection: AsyncEntityCollection[EntityT]) -> None:
        self._entities = collection

    def __repr__(self) -> str:
        return repr(self._entities)

    def list(self, **filters: Unpack[EntityFilters]) -> Page[EntityT]:
        """A page of them, the oldest first. Raises `InvalidRequest` for an unknown filter or value."""
        return run(self._entities.list(**filters))

    def get(self, id_or_name: str) -> EntityT:
        """The entity with this id, else with this name; raises `NotFound`, or `Ambiguous` with the ids."""
        return run(self._entities.get(id_or_name))

    def history(self, id_or_name: str) -> Sequence[Recorded]:
        """All its events; `share_actors.sentence` describes one. Raises `NotFound` or `Ambiguous`."""
        return run(self._entities.history(id_or_name))


class ShareNetworkCollection(EntityCollection[ShareNetwork]):
    """Share networks; see `AsyncShareNetworkCollection`."""

    def __init__(self, collection: AsyncShareNetworkCollection) -> None:
        super().__init__(collection)
        self._networks = collection

    def create(
        self,
        *,
        cidr: str,
        name: str | None = None,
        network_id: str | None = None,
        command_id: str | None = None,
        **properties: Unpack[NetworkProperties],
    ) -> ShareNetwork:
        """Create a network of the addresses in *cidr*.

        >>> system.networks.create(cidr="10.0.0.0/24", name="blue").status
        'active'
        """
        job = self._networks.create(
            cidr=cidr, name=name, network_id=network_id, command_id=command_id, **properties
        )
        return run(job)

    def delete(self, network: str, *, command_id: str | None = None) -> ShareNetwork:
        """Delete a network; raises `Refused` while a share or a share server is on it."""
        return run(self._networks.delete(network, command_id=command_id))

    def explain(self, network: str) -> EntityExplanation:
        """What is on a network, and what has to go before it can be deleted."""
        return run(self._networks.explain(network))

    def add_security_service(
        self,
        network: str,
        *,
        type: str,  # noqa: A002 - Manila's name
        service_id: str | None = None,
        command_id: str | None = None,
        **properties: Unpack[SecurityServiceProperties],
    ) -> SecurityService:
        """Have the network's share servers authenticate against a service of this type."""
        job = self._networks.add_security_service(
            network, type=type, service_id=service_id, command_id=command_id, **properties
        )
        return run(job)

    def remove_security_service(
        self, network: str, service_id: str, *, command_id: str | None = None
    ) -> None:
        """Remove a security service; raises `Refused` while the network has a share server."""
        job = self._networks.remove_security_service(network, service_id, command_id=command_id)
        run(job)


class ShareServerCollection(EntityCollection[ShareServer]):
    """Share servers; see `AsyncShareServerCollection`."""

    def __init__(self, collection: AsyncShareServerCollection) -> None:
        super().__init__(collection)
        self._servers = collection

    def delete(self, server: str, **options: Unpack[RequestOptions]) -> ShareServer:
        """Tear down a share server; raises `Refused` (ShareServerInUse) while it has shares."""
        return run(self._servers.delete(server, **options))

    def retry(self, server: str, **options: Unpack[RequestOptions]) -> ShareServer:
        """Retry the teardown of a share server in error; raises `Refused` if it is not in error."""
        return run(self._servers.retry(server, **options))

    def forget(self, server: str, reason: str, **options: Unpack[RequestOptions]) -> ShareServer:
        """Remove a share server from the system; no driver is called, and its addresses are free again."""
        return run(self._servers.forget(server, reason, **options))

    def explain(self, server: str) -> EntityExplanation:
        """Why a share server is in its status: pending work, attempts, and what can be done now."""
        return run(self._servers.explain(server))

    def delete_free(self) -> list[str]:
        """Delete the share servers that have been unused for longer than configured; their ids."""
        return run(self._servers.delete_free())


class ShareTypeCollection(EntityCollection[ShareType]):
    """Share types; see `AsyncShareTypeCollection`."""

    def __init__(self, collection: AsyncShareTypeCollection) -> None:
        super().__init__(collection)
        self._types = collection

    def create(
        self,
        name: str,
        extra_specs: Mapping[str, str],
        *,
        command_id: str | None = None,
        **properties: Unpack[ShareTypeProperties],
    ) -> ShareType:
        """Create a share type; *extra_specs* must have `driver_handles_share_servers`.

        >>> system.types.create("gold", {"driver_handles_share_servers": "False"}).id
        'gold'
        """
        return run(self._types.create(name, extra_specs, command_id=command_id, **properties))

    def change(
        self, name: str, *, command_id: str | None = None, **changes: Unpack[ShareTypeChanges]
    ) -> ShareType:
        """Set `extra_specs` (the value None removes one), `is_public` or `projects`."""
        return run(self._types.change(name, command_id=command_id, **changes))

    def delete(self, name: str, *, command_id: str | None = None) -> None:
        """Delete a share type; shares of this type stay, and no more are created."""
        run(self._types.delete(name, command_id=command_id))


class BackendCollection(EntityCollection[BackendState]):
    """Backends; see `AsyncBackendCollection`."""

    def __init__(self, collection: AsyncBackendCollection) -> None:
        super().__init__(collection)
        self._backends = collection

    def stats(self) -> dict[str, BackendReport]:
        """The last report of each backend, by name; soon after a start, waits for the first of each."""
        return run(self._backends.stats())

    def publish(self, backend: str | None = None) -> dict[str, BackendReport]:
        """Have every backend, or this one, report now; the reports, by name."""
        return run(self._backends.publish(backend))

    def audit(self, backend: str) -> Sequence[BackendDifference]:
        """What differs between *backend* and the log: lost and unknown shares and snapshots, sizes, rules."""
        return run(self._backends.audit(backend))

    def delete_unknown(
        self, backend: str, share_id: str, **options: Unpack[RequestOptions]
    ) -> Share:
        """Delete a share that only *backend* has, as `audit` shows it now; the record of its deletion."""
        return run(self._backends.delete_unknown(backend, share_id, **options))

    def capacity(
        self,
        backend: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
    ) -> Sequence[CapacityPoint]:
        """The capacity of *backend* over time, as recorded: at most the *limit* latest points."""
        return run(self._backends.capacity(backend, since=since, until=until, limit=limit))

    def watch(self) -> Iterator[BackendReport]:
        """Reports as they are published, without end; first the last one of each backend."""
        reports = self._backends.watch()

        async def next_report() -> BackendReport:
            return await anext(reports)

        while True:
            yield run(next_report())

    def reload(self, config: Config) -> BackendChanges:
        """Continue with the backends of *config*; the names `added`, `changed` and `removed`."""
        return run(self._backends.reload(config))

    def start(self, backend: str) -> BackendReport:
        """Start what serves a backend, after `stop` or a failure; its report afterwards."""
        return run(self._backends.start(backend))

    def stop(self, backend: str) -> BackendReport:
        """Stop what serves a backend, until `start` or the next start of the system; its report then."""
        return run(self._backends.stop(backend))

    def usage(self, backend: str) -> dict[str, ShareUsage]:
        """How much of each share on a backend is used, by share id."""
        return run(self._backends.usage(backend))

    def rename(self, old: str, new: str) -> HandledEntities:
        """Record that the backend *old* is called *new* now; all that is on it belongs to *new*."""
        return run(self._backends.rename(old, new))

    def move(self, backend: str, node: str, *, reason: str | None = None) -> MovedBackend:
        """Pin *backend* to the nodes with the Ray resource *node*, whatever the configuration says."""
        return run(self._backends.move(backend, node, reason=reason))

    def forget(self, backend: str, reason: str) -> HandledEntities:
        """Forget all shares and share servers of a backend that is not configured any more."""
        return run(self._backends.forget(backend, reason))
