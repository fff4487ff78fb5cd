"""The synchronous form of `client/entities.py`, method for method."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from share_actors.client.entities import Backends, Entities, Networks, Servers, Types
from share_actors.client.requests import Page
from share_actors.config import Config
from share_actors.events.envelope import Recorded
from share_actors.values import (
    BackendReport,
    BackendState,
    Frozen,
    SecurityService,
    ShareNetwork,
    ShareServer,
    ShareType,
)

V = TypeVar("V", bound=Frozen)
I_co = TypeVar("I_co", bound=Entities[Any], covariant=True)
Run = Callable[[Coroutine[Any, Any, Any]], Any]


class SyncEntities(Generic[I_co, V]):
    """Entities of one kind, by id or by name; see `surroundings.Entities`."""

    def __init__(self, inner: I_co, run: Run) -> None:
        self._inner, self._run = inner, run

    def list(self, **filters: Any) -> Page:
        """Some of them by `name`, `status`, `project_id`, `parent`, with `limit` and `marker`."""
        page: Page = self._run(self._inner.list(**filters))
        return page

    def get(self, id_or_name: str) -> V:
        """One as its own actor knows it; raises `NotFound`, or `Ambiguous` with the ids."""
        found: V = self._run(self._inner.get(id_or_name))
        return found

    def history(self, id_or_name: str) -> Sequence[Recorded]:
        """All that ever happened to it; `sentence` tells each as a sentence."""
        recorded: Sequence[Recorded] = self._run(self._inner.history(id_or_name))
        return recorded


class SyncNetworks(SyncEntities[Networks, ShareNetwork]):
    """Share networks; see `surroundings.Networks`."""

    def create(self, *, cidr: str, name: str | None = None, **properties: Any) -> ShareNetwork:
        """Create a network of the addresses in *cidr*."""
        made: ShareNetwork = self._run(self._inner.create(cidr=cidr, name=name, **properties))
        return made

    def delete(self, network: str) -> None:
        """Delete a network that no share and no server is on."""
        self._run(self._inner.delete(network))

    def add_security_service(
        self, network: str, *, type: str, **properties: Any  # noqa: A002
    ) -> SecurityService:  # fmt: skip
        """Have the network's servers authenticate against this service; its password is sealed."""
        job = self._inner.add_security_service(network, type=type, **properties)
        made: SecurityService = self._run(job)
        return made

    def remove_security_service(self, network: str, service_id: str) -> None:
        """Have it forgotten, while no server stands."""
        self._run(self._inner.remove_security_service(network, service_id))


class SyncServers(SyncEntities[Servers, ShareServer]):
    """Share servers; see `surroundings.Servers`."""

    def delete(self, server: str, **waiting: Any) -> ShareServer:
        """Tear one down that has no shares."""
        left: ShareServer = self._run(self._inner.delete(server, **waiting))
        return left

    def retry(self, server: str, **waiting: Any) -> ShareServer:
        """Try again to tear down one that is in error."""
        left: ShareServer = self._run(self._inner.retry(server, **waiting))
        return left

    def delete_free(self) -> Any:
        """Have those deleted that nobody has used for long, now; their ids."""
        return self._run(self._inner.delete_free())


class SyncTypes(SyncEntities[Types, ShareType]):
    """Share types; see `surroundings.Types`."""

    def create(self, name: str, extra_specs: Mapping[str, str], **properties: Any) -> ShareType:
        """Create a type; *extra_specs* must say `driver_handles_share_servers`."""
        made: ShareType = self._run(self._inner.create(name, extra_specs, **properties))
        return made

    def change(self, name: str, **changes: Any) -> ShareType:
        """Set `extra_specs` (None takes one away), `is_public` or `projects`."""
        changed: ShareType = self._run(self._inner.change(name, **changes))
        return changed

    def delete(self, name: str) -> None:
        """No more shares are made of it; those that there are stay."""
        self._run(self._inner.delete(name))


class SyncBackends(SyncEntities[Backends, BackendState]):
    """Backends; see `surroundings.Backends`."""

    def stats(self) -> dict[str, BackendReport]:
        """What each told last."""
        told: dict[str, BackendReport] = self._run(self._inner.stats())
        return told

    def publish(self, backend: str | None = None) -> dict[str, BackendReport]:
        """Have each, or that one, asked now."""
        told: dict[str, BackendReport] = self._run(self._inner.publish(backend))
        return told

    def watch(self) -> Iterator[BackendReport]:
        """What is told, as it comes; first what was told last."""
        coming = self._inner.watch()
        while True:
            yield self._run(_next(coming))

    def reload(self, config: Config) -> Any:
        """Go on with the backends of *config*; which were `added`, `changed` and `removed`."""
        return self._run(self._inner.reload(config))


async def _next(coming: Any) -> BackendReport:
    published: BackendReport = await anext(coming)
    return published
