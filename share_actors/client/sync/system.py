"""The synchronous client's view of a running system."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Literal, Self, Unpack, overload

from share_actors.actors.messaging.parameters import flag, items
from share_actors.client.keywords import (
    CLOSE_TIMEOUT_S,
    DEFAULT_TIMEOUT_S,
    EventFilters,
    ManagedShareProperties,
    PreviewProperties,
    RuleFilters,
    ShareCountFilters,
    ShareFilters,
    ShareProperties,
    SnapshotFilters,
)
from share_actors.client.manager import Manager
from share_actors.client.nodes import NodeCollection
from share_actors.client.policies import SnapshotPolicyCollection
from share_actors.client.receipt import Receipt
from share_actors.client.results import (
    CutOffCall,
    ManagePreview,
    ShareLocation,
    SystemStatus,
    SystemVersions,
)
from share_actors.client.share.actor import ShareActor
from share_actors.client.share.handle import ShareHandle
from share_actors.client.share.watching import ShareChange
from share_actors.client.showing import Shown
from share_actors.client.subjects import SubjectCollection
from share_actors.client.sync.background_loop import each, run
from share_actors.client.sync.bulk import Bulk
from share_actors.client.sync.entities import (
    BackendCollection,
    ShareNetworkCollection,
    ShareServerCollection,
    ShareTypeCollection,
)
from share_actors.client.sync.quotas import QuotaCollection
from share_actors.client.system import AsyncShareSystem
from share_actors.config import Config
from share_actors.errors import ShareActorsError
from share_actors.events.envelope import Recorded
from share_actors.values import BackendReport, Counts, Page, RequestContext, ShareRule, Snapshot


class ShareSystem(Shown):
    """A running system, on behalf of one user; a context manager. See `AsyncShareSystem`."""

    def __init__(self, system: AsyncShareSystem) -> None:
        self._system = system

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr(self._system)

    @property
    def manager(self) -> Manager:
        """The manager for Ray programs: `dir(system.manager)` lists its verbs. Its `handle` is Ray's."""
        return self._system.manager

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._system.config

    @property
    def context(self) -> RequestContext:
        """On whose behalf this handle makes requests."""
        return self._system.context

    @property
    def networks(self) -> ShareNetworkCollection:
        """Share networks, and their security services."""
        return ShareNetworkCollection(self._system.networks)

    @property
    def servers(self) -> ShareServerCollection:
        """Share servers."""
        return ShareServerCollection(self._system.servers)

    @property
    def types(self) -> ShareTypeCollection:
        """Share types."""
        return ShareTypeCollection(self._system.types)

    @property
    def snapshot_policies(self) -> SnapshotPolicyCollection:
        """Snapshot policies."""
        return SnapshotPolicyCollection(self._system.snapshot_policies)

    @property
    def subjects(self) -> SubjectCollection:
        """Data subjects, and erasing their personal data."""
        return SubjectCollection(self._system.subjects)

    @property
    def nodes(self) -> NodeCollection:
        """The nodes of the Ray cluster."""
        return NodeCollection(self._system.nodes)

    @property
    def quotas(self) -> QuotaCollection:
        """The quotas of projects, and of users and share types in them."""
        return QuotaCollection(self._system.quotas)

    @property
    def backends(self) -> BackendCollection:
        """Backends: their capabilities and statistics, and their configuration."""
        return BackendCollection(self._system.backends)

    @property
    def bulk(self) -> Bulk:
        """Requests in bulk: shares, access rules and deletions, any number of them."""
        return Bulk(self._system.bulk)

    def close(self, timeout: float = CLOSE_TIMEOUT_S) -> list[CutOffCall]:
        """Leave the system. One that `start` started is stopped, and so is a Ray cluster it started.

        Driver calls that are under way may end within *timeout* seconds; returns those that were cut off.
        """
        return run(self._system.close(timeout))

    def stop(self, timeout: float = CLOSE_TIMEOUT_S) -> list[CutOffCall]:
        """Stop the system, also if another program started it, such as one that was killed; see `close`.

        Raises `Forbidden` unless the user is an admin of the system.
        """
        return run(self._system.stop(timeout))

    def as_user(self, context: RequestContext) -> ShareSystem:
        """The same system, on behalf of another user."""
        return ShareSystem(self._system.as_user(context))

    # -- shares ----------------------------------------------------------------------------------
    def create_share(
        self,
        *,
        size: int,
        name: str | None = None,
        protocol: str | None = None,
        wait: bool = True,
        timeout: float = DEFAULT_TIMEOUT_S,
        command_id: str | None = None,
        **properties: Unpack[ShareProperties],
    ) -> ShareHandle:
        """Create a share of *size* GiB; see `AsyncShareSystem.create_share` for *properties*.

        >>> share = system.create_share(size=10, name="projects", metadata={"team": "web"})
        >>> share.status, share.size
        ('available', 10)
        """
        job = self._system.create_share(
            size=size,
            name=name,
            protocol=protocol,
            wait=wait,
            timeout=timeout,
            command_id=command_id,
            **properties,
        )
        return ShareHandle(run(job))

    def create_shares(
        self,
        shares: Iterable[Mapping[str, object]],
        *,
        wait: bool = True,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> list[ShareHandle | ShareActorsError]:
        """Create many shares; one result per item, in order: the share, or the error of this item."""
        created = run(self._system.create_shares(shares, wait=wait, timeout=timeout))
        return [
            item if isinstance(item, ShareActorsError) else ShareHandle(item) for item in created
        ]

    def manage_share(
        self,
        driver_options: Mapping[str, object],
        *,
        name: str | None = None,
        protocol: str = "NFS",
        wait: bool = True,
        timeout: float = DEFAULT_TIMEOUT_S,
        command_id: str | None = None,
        **properties: Unpack[ManagedShareProperties],
    ) -> ShareHandle:
        """Manage what is on a backend as a share; see `AsyncShareSystem.manage_share`."""
        job = self._system.manage_share(
            driver_options,
            name=name,
            protocol=protocol,
            wait=wait,
            timeout=timeout,
            command_id=command_id,
            **properties,
        )
        return ShareHandle(run(job))

    def preview_manage(
        self, driver_options: Mapping[str, object], **properties: Unpack[PreviewProperties]
    ) -> ManagePreview:
        """What `manage_share` would manage, without any change: at least its `size` in GiB."""
        return run(self._system.preview_manage(driver_options, **properties))

    def actor(self, share_id: str) -> ShareActor:
        """A handle of a share whose methods return `ObjectRef`s, for programs on Ray; raises `Unavailable`.

        It acts on behalf of this user, wherever it is passed to. The share is not looked up.
        """
        return run(self._system.actor(share_id))

    def share(self, id_or_name: str) -> ShareHandle:
        """The share with this id, else with this name; raises `NotFound`, or `Ambiguous` with the ids."""
        return ShareHandle(run(self._system.share(id_or_name)))

    def shares(self, **filters: Unpack[ShareFilters]) -> Page[ShareHandle]:
        """A page of shares by `name`, `status`, `project_id`, `backend`, with `limit` and `marker`."""
        page = run(self._system.shares(**filters))
        return Page(tuple(ShareHandle(share) for share in page.items), page.next_marker, page.as_of)

    def count_shares(self, **filters: Unpack[ShareCountFilters]) -> Counts:
        """The number of shares by status; *filters*: `name`, `status`, `project_id`, `backend`."""
        return run(self._system.count_shares(**filters))

    def snapshots(self, **filters: Unpack[SnapshotFilters]) -> Page[Snapshot]:
        """A page of snapshots by `share_id`, `name`, `status`, `project_id`, with `limit` and `marker`."""
        return run(self._system.snapshots(**filters))

    def snapshot(self, snapshot_id: str) -> Snapshot:
        """One snapshot; raises `NotFound`."""
        return run(self._system.snapshot(snapshot_id))

    def rules(self, **filters: Unpack[RuleFilters]) -> Page[ShareRule]:
        """A page of access rules by `share_id`, `state`, with `limit` and `marker`."""
        return run(self._system.rules(**filters))

    # -- backends --------------------------------------------------------------------------------
    @overload
    def capabilities(self, watch: Literal[False] = False) -> dict[str, BackendReport]: ...
    @overload
    def capabilities(self, watch: Literal[True]) -> Iterator[BackendReport]: ...
    def capabilities(
        self, watch: bool = False
    ) -> dict[str, BackendReport] | Iterator[BackendReport]:
        """The last report of each backend, by name; with *watch* an iterator of all reports."""
        return self.backends.watch() if flag("watch", watch) else self.backends.stats()

    def init_host(self, backend: str | None = None) -> dict[str, BackendReport]:
        """Set up every backend, or this one, and return the reports (done at start without a call)."""
        return self.backends.publish(backend)

    # -- the system ------------------------------------------------------------------------------
    def receipt(self, command_id: str, share_id: str | None = None) -> Receipt:
        """The receipt of an earlier request, with the last `attempt` if in progress; raises `NotFound`."""
        return run(self._system.receipt(command_id, share_id))

    def wait_for_shares(
        self,
        shares: Iterable[ShareHandle | str],
        condition: str,
        *,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> list[ShareHandle | ShareActorsError]:
        """Wait until each of *shares*, handles or ids, is as *condition* says; one result per share.

        >>> shares = [system.create_share(size=1, wait=False) for _ in range(3)]
        >>> [share.status for share in system.wait_for_shares(shares, "available", timeout=60)]
        ['available', 'available', 'available']
        """
        given = [s.id if isinstance(s, ShareHandle) else s for s in items("shares", shares)]
        found = run(self._system.wait_for_shares(given, condition, timeout=timeout))
        return [s if isinstance(s, ShareActorsError) else ShareHandle(s) for s in found]

    def watch_shares(self, **filters: Unpack[ShareCountFilters]) -> Iterator[ShareChange]:
        """The shares that a list shows, then each change; see `AsyncShareSystem.watch_shares`.

        >>> next(system.watch_shares(status="available")).share.name
        'data'
        """
        return each(self._system.watch_shares(**filters))

    def wait(self, receipt: Receipt, timeout: float = DEFAULT_TIMEOUT_S) -> Receipt:
        """Wait for the work of a request; raises `OperationFailed`, or `TimedOut` (the work continues)."""
        return run(self._system.wait(receipt, timeout))

    def status(self) -> SystemStatus:
        """The status of the system: Ray actors, backends, counts of shares, how far the catalog is behind."""
        return run(self._system.status())

    def where(self, share_id: str) -> ShareLocation:
        """The Ray actor that hosts a share, and its OS process id; raises `NotFound`."""
        return run(self._system.where(share_id))

    def history(self, share_id: str) -> list[Recorded]:
        """All events of a share, the oldest first; raises `NotFound`."""
        return run(self._system.history(share_id))

    def events(
        self, since: int | datetime = 0, **filters: Unpack[EventFilters]
    ) -> Iterator[Recorded]:
        """Every event after a position, or from a time on, then each new one within a second, without end.

        In the order of the log, from any process. A program that keeps the `position` of the last event it
        has handled goes on with `events(since=position)`: it misses none and gets none twice. *filters*:
        `entity`, `project`, `user`, `kind`, `command`. For the system's administrator. Raises
        `InvalidRequest` for an unknown filter, a time without a zone, or a position of another log.
        """
        return each(self._system.events(since, **filters))

    def versions(self) -> SystemVersions:
        """The versions of the processes of the system, and the format in which its log is written."""
        return run(self._system.versions())

    def finish_upgrade(self) -> bool:
        """Have the log written in the newest format, which earlier versions cannot read; whether it is new.

        Raises `Refused` if a process of an earlier version runs.
        """
        return run(self._system.finish_upgrade())

    def rebuild_catalog(self) -> int:
        """Drop the catalog and replay the log into it; the number of events replayed."""
        return run(self._system.rebuild_catalog())

    def rebuild_progress(self) -> tuple[int, int] | None:
        """(events replayed, events in all) of the running or last rebuild; None if there was none."""
        return run(self._system.rebuild_progress())

    def unpark(self, stream: str) -> bool:
        """Retry a stream that the catalog could not follow; whether it can follow it now."""
        return run(self._system.unpark(stream))
