"""The client: `connect()` to a running system, or `start()` one; then shares as plain objects.

The synchronous form of `client/aio.py`, method for method: each call runs there, on a loop in one background
thread that all handles of this process share.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterable, Mapping
from functools import lru_cache
from typing import Any, Self, TypeVar

from share_actors.actors.runtime import lifecycle
from share_actors.audit.explanation import Explanation
from share_actors.client import aio
from share_actors.client.aio import AsyncShareSystem
from share_actors.client.requests import TIMEOUT_S, Page, Receipt
from share_actors.client.share import AsyncShare
from share_actors.client.sync_entities import SyncBackends, SyncNetworks, SyncServers, SyncTypes
from share_actors.config import Config
from share_actors.errors import ShareActorsError
from share_actors.events.envelope import Recorded
from share_actors.values import AccessRule, BackendReport, RequestContext, Share, Snapshot

T = TypeVar("T")


@lru_cache(maxsize=1)
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="share-actors-client", daemon=True).start()
    return loop


def _run(job: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(job, _loop()).result()


class ShareSystem:
    """A running system, as one user sees it; a context manager. See `aio.AsyncShareSystem`."""

    def __init__(self, inner: AsyncShareSystem) -> None:
        self._inner = inner

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def manager(self) -> Any:
        """The raw Ray handle of the ManagerActor; its verbs work from any Ray program."""
        return self._inner.manager

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._inner.config

    @property
    def context(self) -> RequestContext:
        """On whose behalf this handle asks."""
        return self._inner.context

    def close(self) -> None:
        """Leave; a system that `start` made is stopped in order, and so is a Ray cluster it made."""
        _run(self._inner.close())

    def as_user(self, context: RequestContext) -> ShareSystem:
        """The same system, asked on behalf of somebody else."""
        return ShareSystem(self._inner.as_user(context))

    def create_share(
        self,
        *,
        size: int,
        name: str | None = None,
        protocol: str = "NFS",
        wait: bool = True,
        timeout: float = TIMEOUT_S,
        command_id: str | None = None,
        **properties: Any,
    ) -> ShareHandle:
        """Create a share of *size* GiB; see `aio.AsyncShareSystem.create_share` for *properties*."""
        job = self._inner.create_share(
            size=size, name=name, protocol=protocol, wait=wait, timeout=timeout,
            command_id=command_id, **properties,
        )  # fmt: skip
        return ShareHandle(_run(job))

    def create_shares(
        self, shares: Iterable[Mapping[str, Any]], *, wait: bool = True, timeout: float = TIMEOUT_S
    ) -> list[ShareHandle | ShareActorsError]:
        """Create many shares; one result an item, in order: the share, or the error it met."""
        made = _run(self._inner.create_shares(shares, wait=wait, timeout=timeout))
        return [item if isinstance(item, ShareActorsError) else ShareHandle(item) for item in made]

    def manage_share(self, driver_options: Mapping[str, Any], **properties: Any) -> ShareHandle:
        """Adopt what is on a backend as a share; see `aio.AsyncShareSystem.manage_share`."""
        return ShareHandle(_run(self._inner.manage_share(driver_options, **properties)))

    def preview_manage(
        self, driver_options: Mapping[str, Any], **properties: Any
    ) -> dict[str, Any]:
        """What `manage_share` would adopt, changing nothing: at least its `size` in GiB."""
        return _run(self._inner.preview_manage(driver_options, **properties))

    @property
    def networks(self) -> SyncNetworks:
        """Share networks, and their security services."""
        return SyncNetworks(self._inner.networks, _run)

    @property
    def servers(self) -> SyncServers:
        """Share servers."""
        return SyncServers(self._inner.servers, _run)

    @property
    def types(self) -> SyncTypes:
        """Share types."""
        return SyncTypes(self._inner.types, _run)

    @property
    def backends(self) -> SyncBackends:
        """Backends, and what they tell of themselves."""
        return SyncBackends(self._inner.backends, _run)

    def capabilities(self, watch: bool = False) -> Any:
        """What backends tell of themselves, by name; with *watch* an iterator of all that they tell."""
        return self.backends.watch() if watch else self.backends.stats()

    def init_host(self, backend: str | None = None) -> dict[str, BackendReport]:
        """Set every backend up, or this one, and tell (at start that happens by itself)."""
        return self.backends.publish(backend)

    def share(self, id_or_name: str) -> ShareHandle:
        """The share of this id, or else of this name; `NotFound`, or `Ambiguous` with the ids."""
        return ShareHandle(_run(self._inner.share(id_or_name)))

    def shares(self, **filters: Any) -> Page:
        """Shares by `name`, `status`, `project_id`, `backend`, with `limit` and `marker`."""
        page = _run(self._inner.shares(**filters))
        return Page(tuple(ShareHandle(item) for item in page.items), page.next_marker)

    def count_shares(self, **filters: Any) -> dict[str, int]:
        """How many shares there are, by status."""
        return _run(self._inner.count_shares(**filters))

    def snapshots(self, **filters: Any) -> Page:
        """Snapshots by `share_id`, `name`, `status`, `project_id`, with `limit` and `marker`."""
        return _run(self._inner.snapshots(**filters))

    def snapshot(self, snapshot_id: str) -> Snapshot:
        """One snapshot; raises `NotFound`."""
        return _run(self._inner.snapshot(snapshot_id))

    def rules(self, **filters: Any) -> Page:
        """Access rules by `share_id`, `state`, with `limit` and `marker`."""
        return _run(self._inner.rules(**filters))

    def receipt(self, command_id: str, share_id: str | None = None) -> Receipt:
        """What came of a request made before, by its command id, and its `attempt` while it is in
        progress; raises `NotFound`."""
        return _run(self._inner.receipt(command_id, share_id))

    def wait(self, receipt: Receipt, timeout: float = TIMEOUT_S) -> Receipt:
        """The receipt of work that ended; raises `OperationFailed`, or `TimedOut` (it goes on)."""
        return _run(self._inner.wait(receipt, timeout))

    def status(self) -> dict[str, Any]:
        """How the system is doing."""
        return _run(self._inner.status())

    def where(self, share_id: str) -> dict[str, Any]:
        """The Ray actor that a share lives in, and its OS process id."""
        return _run(self._inner.where(share_id))

    def history(self, share_id: str) -> list[Recorded]:
        """All that ever happened to a share."""
        return _run(self._inner.history(share_id))

    def rebuild_catalog(self) -> int:
        """Drop the catalog and replay the log into it; how many events that took."""
        return _run(self._inner.rebuild_catalog())

    def rebuild_progress(self) -> tuple[int, int] | None:
        """(events replayed, events in all) of the running or last rebuild."""
        return _run(self._inner.rebuild_progress())

    def unpark(self, stream: str) -> bool:
        """Try a parked stream again; whether the catalog can follow it now."""
        return _run(self._inner.unpark(stream))


class ShareHandle:
    """One share; its properties are as of the last answer or `refresh`. See `handles.AsyncShare`."""

    def __init__(self, inner: AsyncShare) -> None:
        self._inner = inner

    def __repr__(self) -> str:
        return repr(self._inner)

    @property
    def id(self) -> str:
        return self._inner.id

    @property
    def seen(self) -> Share:
        """All of the share's fields, as last seen."""
        return self._inner.seen

    @property
    def receipt(self) -> Receipt | None:
        """Of the last request made through this handle."""
        return self._inner.receipt

    @property
    def name(self) -> str | None:
        return self._inner.name

    @property
    def status(self) -> str:
        return self._inner.status

    @property
    def status_reason(self) -> str | None:
        return self._inner.status_reason

    @property
    def size(self) -> int:
        """In GiB."""
        return self._inner.size

    @property
    def export_locations(self) -> tuple[str, ...]:
        """Paths by which clients reach the share, the preferred ones first."""
        return self._inner.export_locations

    @property
    def access_rules(self) -> tuple[AccessRule, ...]:
        return self._inner.access_rules

    @property
    def snapshots(self) -> tuple[Snapshot, ...]:
        return self._inner.snapshots

    def refresh(self) -> Self:
        """Ask the share's own actor how it is now."""
        _run(self._inner.refresh())
        return self

    def allow_access(
        self, to: str, *, type: str = "user", level: str = "rw", **waiting: Any  # noqa: A002
    ) -> AccessRule:  # fmt: skip
        """Let *to* use the share. *waiting*: `wait`, `timeout`, `command_id`, as everywhere here."""
        return _run(self._inner.allow_access(to, type=type, level=level, **waiting))

    def deny_access(self, rule: AccessRule | str, **waiting: Any) -> None:
        """Take a rule (or the rule of this id) away."""
        _run(self._inner.deny_access(rule, **waiting))

    def create_snapshot(self, name: str | None = None, **waiting: Any) -> Snapshot:
        """Take a snapshot."""
        return _run(self._inner.create_snapshot(name, **waiting))

    def delete_snapshot(self, snapshot: Snapshot | str, **waiting: Any) -> None:
        """Delete one of the share's snapshots (or the one of this id)."""
        _run(self._inner.delete_snapshot(snapshot, **waiting))

    def extend(self, size: int, **waiting: Any) -> Self:
        """Let the share hold *size* GiB, more than now."""
        _run(self._inner.extend(size, **waiting))
        return self

    def shrink(self, size: int, **waiting: Any) -> Self:
        """Let the share hold only *size* GiB; `OperationFailed` if more is used."""
        _run(self._inner.shrink(size, **waiting))
        return self

    def delete(self, cascade: bool = False, **waiting: Any) -> Self:
        """Delete the share, with its snapshots if *cascade*."""
        _run(self._inner.delete(cascade, **waiting))
        return self

    def retry(self, **waiting: Any) -> Self:
        """Try again what failed on the share, its rules and its snapshots."""
        _run(self._inner.retry(**waiting))
        return self

    def unmanage(self, **waiting: Any) -> Self:
        """Forget the share, and leave what is on its backend as it is."""
        _run(self._inner.unmanage(**waiting))
        return self

    def manage_snapshot(
        self, provider_location: str, name: str | None = None, **more: Any
    ) -> Snapshot:
        """Adopt what is at *provider_location* as a snapshot of this share."""
        return _run(self._inner.manage_snapshot(provider_location, name, **more))

    def unmanage_snapshot(self, snapshot: Snapshot | str, **waiting: Any) -> None:
        """Forget a snapshot, and leave it on the backend as it is."""
        _run(self._inner.unmanage_snapshot(snapshot, **waiting))

    def history(self) -> list[Recorded]:
        """All that ever happened to the share; `sentence` tells each as a sentence."""
        return _run(self._inner.history())

    def explain(self) -> Explanation:
        """Why the share is as it is: what is owed, what was tried, and what can be done now."""
        return _run(self._inner.explain())


def connect(
    address: str = "auto", *, namespace: str = "share-actors", context: RequestContext | None = None
) -> ShareSystem:
    """The system that runs on the Ray cluster at *address*; raises `Unavailable`."""
    if not lifecycle.is_initialized():
        lifecycle.init(address)  # here rather than on the loop's thread: Ray sets signal handlers
    return ShareSystem(_run(aio.connect(address, namespace=namespace, context=context)))


def start(config: Config | None = None, *, context: RequestContext | None = None) -> ShareSystem:
    """A system of this process's own: local Ray (unless it joined a cluster already), and by default
    a SQLite log. End it with `close`."""
    begun = aio.begin_ray()  # here rather than on the loop's thread: Ray sets signal handlers
    return ShareSystem(_run(aio.start_on_ray(config or Config(), context, owns_ray=begun)))
