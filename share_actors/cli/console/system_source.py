"""The answers to the questions of the pages, by the public client."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from share_actors.audit.explanation import Explanation
from share_actors.cli.console.source import About
from share_actors.client.keywords import EntityFilters, RuleFilters, ShareFilters, SnapshotFilters
from share_actors.client.results import SystemStatus
from share_actors.client.system import AsyncShareSystem
from share_actors.errors import Unavailable
from share_actors.events.envelope import Recorded
from share_actors.values import (
    BackendReport,
    BackendState,
    Page,
    Share,
    ShareRule,
    ShareServer,
    Snapshot,
)


class SystemSource:
    """A `Source` on the client of a system."""

    def __init__(self, system: AsyncShareSystem) -> None:
        self._system = system

    async def about(self) -> About:
        """See `Source`, as for the other methods."""
        return About(self._system.config.namespace, self._system.context)

    async def status(self) -> SystemStatus:
        return await self._system.status()

    async def shares(self, filters: ShareFilters) -> Page[Share]:
        page = await self._system.shares(**filters)
        return Page(tuple(handle.seen for handle in page.items), page.next_marker, page.as_of)

    async def count_shares(self, filters: ShareFilters) -> dict[str, int]:
        named = {k: v for k, v in filters.items() if k not in ("limit", "marker")}
        return dict(await self._system.count_shares(**named))  # type: ignore[arg-type]

    async def share(self, id_or_name: str) -> Share:
        return (await self._system.share(id_or_name)).seen

    async def history(self, share_id: str) -> Sequence[Recorded]:
        return await self._system.history(share_id)

    async def explain(self, share_id: str) -> Explanation:
        return await (await self._system.share(share_id)).explain()

    async def rules(self, filters: RuleFilters) -> Page[ShareRule]:
        return await self._system.rules(**filters)

    async def snapshots(self, filters: SnapshotFilters) -> Page[Snapshot]:
        return await self._system.snapshots(**filters)

    async def servers(self, filters: EntityFilters) -> Page[ShareServer]:
        return await self._system.servers.list(**filters)

    async def backends(self) -> Page[BackendState]:
        return await self._system.backends.list(limit=1000)

    async def reports(self) -> dict[str, BackendReport]:
        return await self._system.backends.stats()

    async def backend_history(self, backend: str) -> Sequence[Recorded]:
        return await self._system.backends.history(backend)

    async def recent(self, count: int) -> Sequence[Recorded]:
        catalog = (await self.status())["catalog"]
        if "error" in catalog:
            raise Unavailable(f"the catalog does not answer: {catalog['error']}")
        head = catalog["events"]
        found: list[Recorded] = []
        if head == 0:
            return found
        async for recorded in self._system.events(max(0, head - count)):
            found.append(recorded)
            if recorded.position >= head:
                break
        return found[-count:]

    async def events(self, since: int) -> AsyncGenerator[Sequence[Recorded], None]:
        async for recorded in self._system.events(since):
            yield (recorded,)
