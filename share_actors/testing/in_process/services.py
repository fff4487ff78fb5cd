"""The catalog and the stats actors in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from share_actors.actors.catalog import CatalogActor
from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.actors.stats import StatsActor
from share_actors.config import Config
from share_actors.drivers.abilities import BackendObject
from share_actors.errors import Unavailable
from share_actors.events.catalog.figures import Figures
from share_actors.events.log import OpenLog
from share_actors.testing.in_process.manager import ManagerPort, ManagerProcess
from share_actors.testing.in_process.nodes import NODE
from share_actors.testing.in_process.process import InProcess, ProcessLost
from share_actors.values import BackendReport, RequestContext, Share, ShareClient, Snapshot


class InProcessCatalog:
    """A `CatalogPort` in this process: a real `CatalogActor`."""

    def __init__(self, config: Config, open_log: OpenLog) -> None:
        self.process = InProcess(open_log)
        self.inner = CatalogActor(config, open_log=self.process.open_log)

    async def ask(self, query: str, /, **parameters: Any) -> Any:
        """The result of the catalog's *query*; raises `InvalidRequest` for an unknown one."""
        return await self.call("ask", query, **parameters)

    async def ask_as(self, context: RequestContext, query: str, /, **parameters: Any) -> Any:
        """The same for the caller in *context*, who sees what it may read."""
        return await self.call("ask_as", context, query, **parameters)

    async def figures(self) -> Figures:
        """The size of the log, how far the catalog is, and the numbers of shares."""
        figures: Figures = await self.call("figures")
        return figures

    async def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Any method of `CatalogActor`; raises `Unavailable` when it cannot be reached."""
        try:
            return await self.process.call(self.inner, method, *args, **kwargs)
        except ProcessLost:
            raise Unavailable("the catalog can't be reached", passing=True) from None

    async def close(self) -> None:
        """Stop it, and close catalog and log."""
        await self.inner.stop()


class InProcessStats:
    """A `Stats` in this process: a real `StatsActor` of one backend."""

    def __init__(
        self,
        backend: str,
        config: Config,
        open_log: OpenLog,
        find_manager: Callable[[], ManagerProcess],
        retry_s: float,
        node: str = NODE,
        resource: str | None = None,
    ) -> None:
        self._backend, self.on_node, self.resource = backend, node, resource
        self.process = InProcess(open_log)
        port = ManagerPort(find_manager, self.process)
        client = EntityClient(port.when_started)
        self.inner = StatsActor(backend, config, port.when_started, client, retry_s=retry_s)

    async def follow(self) -> int:
        """Report every period from now on."""
        return int(await self._call("follow"))

    async def latest(self) -> BackendReport | None:
        """The last report; None before the first one."""
        report: BackendReport | None = await self._call("latest")
        return report

    async def publish_now(self) -> BackendReport:
        """Read the backend's statistics now, and publish them."""
        report: BackendReport = await self._call("publish_now")
        return report

    async def preview(self, share: Share, driver_options: Mapping[str, Any], /) -> dict[str, Any]:
        """What managing *share* with these options would adopt; raises `Refused`."""
        result: dict[str, Any] = await self._call("preview", share, dict(driver_options))
        return result

    async def usage(self, shares: Sequence[Share], /) -> dict[str, int]:
        """The bytes that each of *shares* uses, by id."""
        used: dict[str, int] = await self._call("usage", list(shares))
        return used

    async def clients(self, share: Share, /) -> list[ShareClient]:
        """Who is connected to *share* now."""
        clients: list[ShareClient] = await self._call("clients", share)
        return clients

    async def start_backend(self) -> BackendReport:
        """Start what serves the backend, and publish a report."""
        report: BackendReport = await self._call("start_backend")
        return report

    async def stop_backend(self, user: str, /) -> BackendReport:
        """Stop what serves the backend, for *user*, and publish a report."""
        report: BackendReport = await self._call("stop_backend", user)
        return report

    async def missing(self, shares: Sequence[Share], /) -> list[str]:
        """The ids of those of *shares* that the driver does not find on the backend."""
        missing: list[str] = await self._call("missing", list(shares))
        return missing

    async def objects(self) -> list[BackendObject]:
        """What the driver lists on the backend; raises `Refused` if it cannot."""
        objects: list[BackendObject] = await self._call("objects")
        return objects

    async def check_manage(
        self, item: Share | Snapshot, driver_options: Mapping[str, Any], /
    ) -> None:
        """Raise `Refused` if *item* could never be managed with these options."""
        await self._call("check_manage", item, dict(driver_options))

    async def reconfigure(self, config: Config, /) -> None:
        """Set the backend up again with *config*, if its settings changed."""
        await self._call("reconfigure", config)

    async def versions(self) -> Mapping[str, Any]:
        """What it tells of its version."""
        told: Mapping[str, Any] = await self._call("versions")
        return told

    async def node(self) -> str:
        """The id of the node that it runs on."""
        await self._call("node")
        return self.on_node

    async def leave(self) -> None:
        """Stop what serves the backend on this node."""
        await self._call("leave")

    async def end(self) -> None:
        """Stop it; every later call raises `Unavailable`."""
        if not self.process.is_lost:
            await self.inner.stop()
            self.process.kill()

    async def _call(self, method: str, *args: Any) -> Any:
        try:
            return await self.process.call(self.inner, method, *args)
        except ProcessLost:
            raise Unavailable(f"the stats actor of {self._backend} was stopped") from None
