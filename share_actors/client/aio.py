"""The asynchronous client: `async with await aio.connect() as system: ...`. `sync.py` is its sync form.

Each call waits, in the end, for requests of `client/requests.py`. No Ray types appear in signatures, but for
`manager`, which is the raw Ray actor handle on purpose.
"""

from __future__ import annotations

import asyncio
import getpass
import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Self

from share_actors.actors.manager.request_spec import managed_fields, share_fields, source_snapshot
from share_actors.actors.messaging.messages import build
from share_actors.actors.runtime import lifecycle
from share_actors.actors.runtime.calls import call
from share_actors.client.entities import Backends, Networks, Servers, Types
from share_actors.client.requests import (
    TIMEOUT_S,
    TOGETHER,
    Page,
    Receipt,
    Requests,
    Sent,
    new_id,
    raise_for_status,
)
from share_actors.client.share import AsyncShare
from share_actors.config import Config
from share_actors.errors import Ambiguous, NotFound, ShareActorsError
from share_actors.events.decider import Command
from share_actors.events.envelope import Recorded
from share_actors.events.share.manage import ManageShare
from share_actors.events.share.messages import CreateShare
from share_actors.values import BackendReport, RequestContext, Snapshot


def default_context() -> RequestContext:
    """Who runs this process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return RequestContext(user_id=user)


class AsyncShareSystem:
    """A running system, as one user sees it. Get one from `connect` or `start`."""

    def __init__(
        self,
        manager: Any,
        config: Config,
        context: RequestContext | None,
        *,
        owns: bool = False,
        owns_ray: bool = False,
    ) -> None:
        self.manager = manager
        """The raw Ray handle of the ManagerActor; its verbs work from any Ray program."""
        self.config = config
        self.context = context or default_context()
        self._owns, self._owns_ray = owns, owns_ray
        self._requests = Requests(manager, config.namespace, self.context)
        self.networks = Networks(self._requests, self.context)
        self.servers = Servers(self._requests, self.context)
        self.types = Types(self._requests, self.context)
        self.backends = Backends(self._requests, self.context)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Leave; a system that `start` made is stopped in order, and so is a Ray cluster it made."""
        if self._owns:
            self._owns = False
            stop = partial(lifecycle.stop_system, self.manager, self.config.namespace)
            await asyncio.to_thread(stop)
        if self._owns_ray:
            self._owns_ray = False
            lifecycle.shutdown()

    def as_user(self, context: RequestContext) -> AsyncShareSystem:
        """The same system, asked on behalf of somebody else."""
        return AsyncShareSystem(self.manager, self.config, context)

    # -- shares ----------------------------------------------------------------------------------
    async def create_share(
        self,
        *,
        size: int,
        name: str | None = None,
        protocol: str = "NFS",
        wait: bool = True,
        timeout: float = TIMEOUT_S,
        command_id: str | None = None,
        **properties: Any,
    ) -> AsyncShare:
        """Create a share of *size* GiB.

        *properties*: `description`, `backend` (else the scheduler chooses), `metadata`, `is_public`,
        `availability_zone`, `share_type`, `share_network_id` (to be on a share server),
        `snapshot_id` (create from this snapshot), `same_host` and `different_host` (ids of shares),
        and `share_id` (chosen by you). Raises `NoValidHost` with every pool's reason.
        With `wait=False` it returns once the request is durable; `share.receipt` tells the rest.
        """
        asked = {"size": size, "name": name, **properties}
        if "share_proto" not in properties:
            asked["protocol"] = protocol
        share_id, command = await self._creation(asked, command_id)
        told = await self._requests.ask(share_id, command, wait, timeout, command_id)
        return AsyncShare(self._requests, told.share_id, raise_for_status(told))

    async def manage_share(
        self,
        driver_options: Mapping[str, Any],
        *,
        name: str | None = None,
        protocol: str = "NFS",
        wait: bool = True,
        timeout: float = TIMEOUT_S,
        command_id: str | None = None,
        **properties: Any,
    ) -> AsyncShare:
        """Adopt what *driver_options* (such as `path`) say is on a backend, as a share.

        *properties*: `backend`, `description`, `metadata`, `is_public`, `share_type`, `share_id`.
        """
        share_id = properties.pop("share_id", None) or new_id(command_id)
        asked = {"name": name, "protocol": protocol, **properties}
        await self._know_backend(properties.get("backend"))
        fields = managed_fields(asked, self.config, self.context)
        options = {"share_id": share_id, "driver_options": dict(driver_options)}
        command = build(ManageShare, {**fields, **options})
        told = await self._requests.ask(share_id, command, wait, timeout, command_id)
        return AsyncShare(self._requests, told.share_id, raise_for_status(told))

    async def preview_manage(
        self, driver_options: Mapping[str, Any], **properties: Any
    ) -> dict[str, Any]:
        """What `manage_share` would adopt, changing nothing: at least its `size` in GiB."""
        asked = partial(self.manager.preview_manage.remote, self.context, dict(driver_options))
        told: dict[str, Any] = await call(asked(**properties))
        return told

    async def create_shares(
        self,
        shares: Iterable[Mapping[str, Any]],
        *,
        wait: bool = True,
        timeout: float = TIMEOUT_S,
    ) -> list[AsyncShare | ShareActorsError]:
        """Create many shares: each mapping holds what `create_share` takes. One result an item, in
        order: the share, or the error that this item met; one bad item does not touch the others."""
        until = time.monotonic() + timeout
        sent: list[Sent | ShareActorsError] = []
        for asked in shares:
            sent.append(await self._send_creation(dict(asked), wait))
            if len(sent) % TOGETHER == 0:
                await asyncio.sleep(0)  # these go out while the next are made
        return list(await asyncio.gather(*(self._made(one, until) for one in sent)))

    async def _send_creation(self, asked: dict[str, Any], wait: bool) -> Sent | ShareActorsError:
        try:
            command_id = asked.pop("command_id", None)
            share_id, command = await self._creation(asked, command_id)
        except ShareActorsError as error:
            return error
        return self._requests.send(share_id, command, wait, command_id)

    async def _made(
        self, sent: Sent | ShareActorsError, until: float
    ) -> AsyncShare | ShareActorsError:
        if isinstance(sent, ShareActorsError):
            return sent
        try:
            receipt = raise_for_status(await self._requests.ended(sent, until))
        except ShareActorsError as error:
            return error
        return AsyncShare(self._requests, receipt.share_id, receipt)

    async def _creation(self, asked: dict[str, Any], command_id: str | None) -> tuple[str, Command]:
        share_id = asked.pop("share_id", None) or new_id(command_id)
        snapshot_id = asked.pop("snapshot_id", None)
        await self._know_backend(asked.get("backend"))
        fields = share_fields(asked, self.config, self.context)
        if snapshot_id is not None:
            fields["source"] = await source_snapshot(self._requests.catalog, snapshot_id)
        fields = {**fields, "share_id": share_id}
        return share_id, build(CreateShare, fields)

    async def _know_backend(self, name: object) -> None:
        """One that is not known here may have come since, by a reload."""
        if isinstance(name, str) and name not in self.config.backends:
            self.config = await self._requests.manage("config")

    async def share(self, id_or_name: str) -> AsyncShare:
        """The share of this id, or else of this name; raises `NotFound`, or `Ambiguous` with the ids."""
        try:
            found = await self._requests.view(id_or_name)
        except NotFound:
            named = await self._requests.catalog.ask("named", name=id_or_name)
            if not named:
                raise NotFound(
                    f"there is no share with the id or name {id_or_name!r}",
                    field="share", value=id_or_name,
                ) from None  # fmt: skip
            if len(named) > 1:
                ids = [share.id for share in named]
                raise Ambiguous(
                    f"{len(ids)} shares are named {id_or_name!r}: use one of the ids {', '.join(ids)}",
                    field="share", value=id_or_name, ids=ids,
                ) from None  # fmt: skip
            found = named[0]
        return AsyncShare(self._requests, found.id, None, found)

    async def shares(
        self,
        *,
        name: str | None = None,
        status: str | None = None,
        project_id: str | None = None,
        backend: str | None = None,
        limit: int = 100,
        marker: str | None = None,
    ) -> Page:
        """Shares (as handles) by filters, oldest first, *limit* at a time."""
        page = await self._requests.catalog.ask(
            "shares", name=name, status=status, project_id=project_id, backend=backend,
            limit=limit, marker=marker,
        )  # fmt: skip
        return Page(
            tuple(AsyncShare(self._requests, s.id, None, s) for s in page.items), page.next_marker
        )

    async def count_shares(self, **filters: Any) -> dict[str, int]:
        """How many shares there are, by status."""
        counted: dict[str, int] = await self._requests.catalog.ask("count_shares", **filters)
        return counted

    async def snapshots(self, **filters: Any) -> Page:
        """Snapshots by `share_id`, `name`, `status`, `project_id`, with `limit` and `marker`."""
        page = await self._requests.catalog.ask("snapshots", **filters)
        return Page(tuple(page.items), page.next_marker)

    async def snapshot(self, snapshot_id: str) -> Snapshot:
        """One snapshot; raises `NotFound`."""
        found: Snapshot | None = await self._requests.catalog.ask(
            "snapshot", snapshot_id=snapshot_id
        )
        if found is None:
            raise NotFound(f"there is no snapshot {snapshot_id}", field="id", value=snapshot_id)
        return found

    async def rules(self, **filters: Any) -> Page:
        """Access rules by `share_id`, `state`, with `limit` and `marker`."""
        page = await self._requests.catalog.ask("rules", **filters)
        return Page(tuple(page.items), page.next_marker)

    # -- backends --------------------------------------------------------------------------------
    def capabilities(self, watch: bool = False) -> Any:
        """What backends tell of themselves: a mapping to await, or with *watch* all of it as it comes."""
        return self.backends.watch() if watch else self.backends.stats()

    async def init_host(self, backend: str | None = None) -> dict[str, BackendReport]:
        """Set every backend up, or this one, and tell (at start that happens by itself)."""
        return await self.backends.publish(backend)

    # -- the system ------------------------------------------------------------------------------
    async def receipt(self, command_id: str, share_id: str | None = None) -> Receipt:
        """What came of a request that was made before, by its command id; raises `NotFound`.

        While it is in progress, `attempt` is the last one: its number, since when, and when the next is
        due. *share_id* spares looking up whose request it was.
        """
        return await self._requests.look_up(command_id, share_id)

    async def wait(self, receipt: Receipt, timeout: float = TIMEOUT_S) -> Receipt:
        """The receipt of work that ended; raises `OperationFailed`, or `TimedOut` (it goes on)."""
        return raise_for_status(await self._requests.outcome(receipt, time.monotonic() + timeout))

    async def status(self) -> dict[str, Any]:
        """How the system is doing: actors, backends, counts of shares, how far the catalog is behind."""
        asked = self._requests.manage("status"), self._requests.catalog.call("status")
        said = await asyncio.gather(*asked, return_exceptions=True)
        told: dict[str, Any] = {"namespace": self.config.namespace}
        for part, answer in zip(("manager", "catalog"), said, strict=True):
            told[part] = {"error": str(answer)} if isinstance(answer, BaseException) else answer
        return told

    async def where(self, share_id: str) -> dict[str, Any]:
        """The Ray actor that a share lives in, and its OS process id."""
        found: dict[str, Any] = await self._requests.manage("where", share_id)
        return found

    async def history(self, share_id: str) -> list[Recorded]:
        """All that ever happened to a share."""
        return await self._requests.history(share_id)

    async def rebuild_catalog(self) -> int:
        """Drop the catalog and replay the log into it; how many events that took."""
        return int(await self._requests.catalog.call("rebuild"))

    async def rebuild_progress(self) -> tuple[int, int] | None:
        """(events replayed, events in all) of the running or last rebuild."""
        told: tuple[int, int] | None = await self._requests.catalog.call("progress")
        return told

    async def unpark(self, stream: str) -> bool:
        """Try a parked stream again; whether the catalog can follow it now."""
        return bool(await self._requests.catalog.call("unpark", stream))


async def connect(
    address: str = "auto", *, namespace: str = "share-actors", context: RequestContext | None = None
) -> AsyncShareSystem:
    """The system that runs on the Ray cluster at *address*; raises `Unavailable`."""
    if not lifecycle.is_initialized():
        lifecycle.init(address)  # in this thread: Ray sets signal handlers
    manager = lifecycle.find_manager(namespace)
    config = await call(manager.config.remote())
    return AsyncShareSystem(manager, config, context)


async def start(
    config: Config | None = None, *, context: RequestContext | None = None
) -> AsyncShareSystem:
    """A system of this process's own: local Ray (unless it joined a cluster already) and, by
    default, a SQLite log in the configuration's home. It ends, in order, with `close`."""
    begun = begin_ray()  # in this thread: Ray sets signal handlers
    return await start_on_ray(config or Config(), context, owns_ray=begun)


def begin_ray() -> bool:
    """Start a Ray cluster unless this process is in one; whether it did."""
    if lifecycle.is_initialized():
        return False
    lifecycle.init(None)
    return True


async def start_on_ray(
    config: Config, context: RequestContext | None, *, owns_ray: bool
) -> AsyncShareSystem:
    """A system on the Ray cluster that this process is in; if that fails, *owns_ray* ends it."""
    try:
        manager = await asyncio.to_thread(lifecycle.start_system, config)
    except BaseException:
        if owns_ray:
            lifecycle.shutdown()
        raise
    return AsyncShareSystem(manager, config, context, owns=True, owns_ray=owns_ray)
