"""The port by which a client reaches a system: on Ray, or in this process (`share_actors.testing`)."""

from __future__ import annotations

from typing import Any, Protocol

from share_actors.actors.runtime.manager_handle import ManagerHandle
from share_actors.values import RequestContext


class CatalogConnection(Protocol):
    """The catalog's actor. Calls are repeated while it is being restarted; then `Unavailable`."""

    async def ask(self, query: str, /, **parameters: Any) -> Any:
        """The result of the catalog's method *query*; raises `InvalidRequest`."""

    async def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """The result of any method of `CatalogActor`."""


class CallerCatalog:
    """The catalog's actor, called on behalf of one user: it answers with what that user may read."""

    def __init__(self, catalog: CatalogConnection, context: RequestContext) -> None:
        self._catalog, self._context = catalog, context

    async def ask(self, query: str, /, **parameters: Any) -> Any:
        """The result of the catalog's method *query*; raises `InvalidRequest`, or `Forbidden`."""
        return await self._catalog.call("ask_as", self._context, query, **parameters)

    async def call(self, method: str, *args: Any) -> Any:
        """The result of another method of `CatalogActor`; raises `Forbidden`."""
        return await self._catalog.call(method, *args, context=self._context)


class Connection(Protocol):
    """The manager and the catalog of one system."""

    @property
    def manager(self) -> ManagerHandle:
        """The Ray actor handle of the manager."""

    @property
    def catalog(self) -> CatalogConnection:
        """The catalog's actor."""

    async def call_manager(self, method: str, *args: object, **kwargs: object) -> Any:
        """The result of one call of the manager; raises its errors.

        Raises `Unavailable` if it cannot be reached, with the detail `passing` while it is being restarted.
        """

    async def stop_system(self, timeout_s: float) -> list[dict[str, Any]]:
        """Stop the system, which belongs to this connection; returns the driver calls that were cut off."""
