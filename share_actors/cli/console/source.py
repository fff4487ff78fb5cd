"""The questions that the pages ask of a system."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from share_actors.audit.explanation import Explanation
    from share_actors.client.keywords import (
        EntityFilters,
        RuleFilters,
        ShareFilters,
        SnapshotFilters,
    )
    from share_actors.client.results import SystemStatus
    from share_actors.events.envelope import Recorded
    from share_actors.values import (
        BackendReport,
        BackendState,
        Page,
        RequestContext,
        Share,
        ShareRule,
        ShareServer,
        Snapshot,
    )


class About(NamedTuple):
    """Which system is shown, and on whose behalf."""

    namespace: str
    context: RequestContext


class Source(Protocol):
    """A system as one user may see it. Every method raises what the client's method raises."""

    async def about(self) -> About:
        """The system's namespace and the user."""

    async def status(self) -> SystemStatus:
        """See `ShareSystem.status`."""

    async def shares(self, filters: ShareFilters) -> Page[Share]:
        """A page of shares."""

    async def count_shares(self, filters: ShareFilters) -> dict[str, int]:
        """The number of shares by status; the filters `limit` and `marker` do not count."""

    async def share(self, id_or_name: str) -> Share:
        """One share, also a deleted one by its id."""

    async def history(self, share_id: str) -> Sequence[Recorded]:
        """All events of a share, the oldest first."""

    async def explain(self, share_id: str) -> Explanation:
        """Why a share is in its status."""

    async def rules(self, filters: RuleFilters) -> Page[ShareRule]:
        """A page of access rules."""

    async def snapshots(self, filters: SnapshotFilters) -> Page[Snapshot]:
        """A page of snapshots."""

    async def servers(self, filters: EntityFilters) -> Page[ShareServer]:
        """A page of share servers."""

    async def backends(self) -> Page[BackendState]:
        """The recorded states of the backends."""

    async def reports(self) -> dict[str, BackendReport]:
        """The last report of each backend, by name."""

    async def backend_history(self, backend: str) -> Sequence[Recorded]:
        """All events of a backend, the oldest first."""

    async def recent(self, count: int) -> Sequence[Recorded]:
        """The last *count* events of the log, the oldest first."""

    def events(self, since: int) -> AsyncGenerator[Sequence[Recorded], None]:
        """The events after a position, then each new one, without end; a few at a time."""
