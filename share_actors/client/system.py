"""The asynchronous client's view of a running system."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping
from typing import Any, Literal, Self, Unpack, overload

from share_actors.actors.messaging.messages import context_with
from share_actors.actors.messaging.parameters import (
    flag,
    instance,
    known_id,
    mapping,
    seconds,
    word,
)
from share_actors.client.backends import AsyncBackendCollection
from share_actors.client.bulk.batch import AsyncBulk
from share_actors.client.connection import Connection
from share_actors.client.entities import (
    AsyncShareNetworkCollection,
    AsyncShareServerCollection,
    AsyncShareTypeCollection,
)
from share_actors.client.keywords import (
    CLOSE_TIMEOUT_S,
    DEFAULT_TIMEOUT_S,
    ManagedShareProperties,
    PreviewProperties,
    RequestOptions,
    ShareProperties,
)
from share_actors.client.manager import Manager
from share_actors.client.nodes import AsyncNodeCollection
from share_actors.client.policies import AsyncSnapshotPolicyCollection
from share_actors.client.queries import AsyncSystemQueries
from share_actors.client.quotas import AsyncQuotaCollection
from share_actors.client.requests import Requests
from share_actors.client.results import CutOffCall, ManagePreview
from share_actors.client.share.actor import ShareActor
from share_actors.client.share.creator import ShareCreator
from share_actors.client.share.handle import AsyncShare
from share_actors.client.showing import Shown, caller_text
from share_actors.client.subjects import AsyncSubjectCollection
from share_actors.config import Config
from share_actors.errors import Ambiguous, NotFound, ShareActorsError, shorten
from share_actors.observability.tracing import CLIENT, tracing_of
from share_actors.policy import caller_of, check_role
from share_actors.values import (
    BackendReport,
    RequestContext,
    Share,
)
from share_actors.values.checks.ids import is_id, is_name, is_uuid


def default_context() -> RequestContext:
    """The context of the user who runs this process, who is the operator of the system by default.

    Raises `InvalidRequest` for an unsafe name.
    """
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return context_with({"user_id": user, "is_admin": True})


class AsyncShareSystem(Shown, AsyncSystemQueries):
    """A running system, on behalf of one user. Get one from `connect` or `start`.

    Any method that calls the system raises `Unavailable` if it cannot be reached, and `Busy` if it takes
    no more commands now.
    """

    def __init__(
        self,
        connection: Connection,
        config: Config,
        context: RequestContext | None,
        *,
        owns: bool = False,
    ) -> None:
        given = None if context is None else instance("context", context, RequestContext)
        self.context = given or default_context()
        self._connection, self._owns = connection, owns
        tracing = tracing_of(config.traces, config.namespace, CLIENT)
        self._requests = Requests(connection, self.context, tracing)
        self._namespace = config.namespace
        self._creator = ShareCreator(self._requests, config)
        self.networks = AsyncShareNetworkCollection(self._requests)
        self.servers = AsyncShareServerCollection(self._requests)
        self.types = AsyncShareTypeCollection(self._requests)
        self.snapshot_policies = AsyncSnapshotPolicyCollection(self._requests)
        self.backends = AsyncBackendCollection(self._requests, self._creator)
        self.bulk = AsyncBulk(self._requests, self._creator, self.share)
        self.subjects = AsyncSubjectCollection(self._requests)
        self.nodes = AsyncNodeCollection(self._requests)
        self.quotas = AsyncQuotaCollection(self._requests)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<share system {self._namespace!r}, as {caller_text(self.context)}>"

    def __reduce__(
        self,
    ) -> tuple[type[AsyncShareSystem], tuple[Connection, Config, RequestContext]]:
        """Pickled for use in other Ray processes of the system's cluster; the copy never stops the system."""
        config = self.config.model_copy(update={"secrets_key": None})
        return AsyncShareSystem, (self._connection, config, self.context)

    @property
    def manager(self) -> Manager:
        """The manager for Ray programs: `dir(system.manager)` lists its verbs. Its `handle` is Ray's."""
        return Manager(self._connection.manager, self._namespace)

    @property
    def config(self) -> Config:
        """The configuration in force; one that a reload changed is read again when it is needed."""
        return self._creator.config

    async def close(self, timeout: float = CLOSE_TIMEOUT_S) -> list[CutOffCall]:
        """Leave the system. One that `start` started is stopped, and so is a Ray cluster it started.

        It waits up to *timeout* seconds for driver calls in progress. Returns the calls that were then cut
        off: the `id` of the share, the `work`, and the `seconds` since its start. They are repeated after the
        next start, and a stop never counts towards `max_cut_off`.
        """
        timeout_s = seconds("timeout", timeout)
        return await self._stop(timeout_s) if self._owns else []

    async def stop(self, timeout: float = CLOSE_TIMEOUT_S) -> list[CutOffCall]:
        """Stop the system, also if another program started it, such as one that was killed; see `close`.

        Raises `Forbidden` unless the user is an admin of the system.
        """
        timeout_s = seconds("timeout", timeout)
        check_role("stop", caller_of(self.context))
        return await self._stop(timeout_s)

    async def _stop(self, timeout_s: float) -> list[CutOffCall]:
        self._owns = False
        cut_off = await self._connection.stop_system(timeout_s)
        return [CutOffCall(id=c["id"], work=c["work"], seconds=c["seconds"]) for c in cut_off]

    def as_user(self, context: RequestContext) -> AsyncShareSystem:
        """The same system, on behalf of another user."""
        other = instance("context", context, RequestContext)
        return AsyncShareSystem(self._connection, self.config, other)

    # -- shares ----------------------------------------------------------------------------------
    async def create_share(
        self,
        *,
        size: int,
        name: str | None = None,
        protocol: str | None = None,
        wait: bool = True,
        timeout: float = DEFAULT_TIMEOUT_S,
        command_id: str | None = None,
        **properties: Unpack[ShareProperties],
    ) -> AsyncShare:
        """Create a share of *size* GiB.

        *properties*: `description`, `backend` (default: chosen by the scheduler), `metadata`, `is_public`,
        `availability_zone`, `share_type`, `share_network_id` (to be on a share server),
        `snapshot_id` (create from this snapshot: with its share's protocol, share type, network and
        pool, so those that are named must be the same), `same_host` and `different_host` (ids of shares),
        and `share_id` (default: generated). Raises `NoValidHost` with every pool's reason, `InvalidRequest`
        for an unknown property or invalid value, and `OperationFailed` with the backend's reason.
        With `wait=False` it returns when the request is durable; `share.receipt` has its `command_id`.
        """
        requested: dict[str, Any] = {"size": size, "name": name, **properties}
        if "share_proto" not in properties:
            requested["protocol"] = protocol
        options: RequestOptions = {"wait": wait, "timeout": timeout, "command_id": command_id}
        return await self._creator.create(requested, options)

    async def create_shares(
        self,
        shares: Iterable[Mapping[str, object]],
        *,
        wait: bool = True,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> list[AsyncShare | ShareActorsError]:
        """Create many shares; each mapping has arguments of `create_share` (not `wait` and `timeout`).

        Returns one result per item, in order: the share, or the error of this item. An error does not
        affect the other items. For more than a few thousand shares use `bulk.create_shares`.
        """
        return await self._creator.create_many(shares, wait, timeout)

    async def manage_share(
        self,
        driver_options: Mapping[str, object],
        *,
        name: str | None = None,
        protocol: str = "NFS",
        wait: bool = True,
        timeout: float = DEFAULT_TIMEOUT_S,
        command_id: str | None = None,
        **properties: Unpack[ManagedShareProperties],
    ) -> AsyncShare:
        """Manage what is at *driver_options* (such as `path`) on a backend, as a share.

        *properties*: `backend`, `description`, `metadata`, `is_public`, `share_type`, `share_id`, and, on a
        backend with share servers, the `share_server_id` of the one that has the data.
        Raises `OperationFailed` with the driver's reason.
        """
        requested = {"name": name, "protocol": protocol, **properties}
        options: RequestOptions = {"wait": wait, "timeout": timeout, "command_id": command_id}
        return await self._creator.manage(requested, driver_options, options)

    async def preview_manage(
        self, driver_options: Mapping[str, object], **properties: Unpack[PreviewProperties]
    ) -> ManagePreview:
        """What `manage_share` would manage, without any change: at least its `size` in GiB.

        Raises `Refused` with the driver's reason.
        """
        options = mapping("driver_options", driver_options)
        preview: ManagePreview = await self._requests.call_manager_once(
            "preview_manage", self.context, options, **properties
        )
        return preview

    async def actor(self, share_id: str) -> ShareActor:
        """A handle of a share whose methods return `ObjectRef`s, for programs on Ray; raises `Unavailable`.

        It acts on behalf of this user, wherever it is passed to. The share is not looked up.
        """
        known = known_id("share", share_id, "share_id")
        return ShareActor(await self._connection.start_calls(), known, self.context)

    async def share(self, id_or_name: str) -> AsyncShare:
        """The share with this id, else with this name; raises `NotFound`, or `Ambiguous` with the ids.

        A UUID that is the id of a share means that share, even if another share has this name. An id of an
        earlier version that is not a UUID, and is also the name of another share, is ambiguous.
        """
        share = await self._with_id(word("share", id_or_name))
        if share is None or not is_uuid(id_or_name):
            share = await self._only_one(share, id_or_name)
        return AsyncShare(self._requests, share.id, None, share)

    async def _with_id(self, share_id: str) -> Share | None:
        """The share with this id, also a deleted one; None if there is none."""
        if not is_id(share_id):
            return None
        try:
            return await self._requests.view(share_id)
        except NotFound:
            return None

    async def _only_one(self, with_id: Share | None, name: str) -> Share:
        """The only share that *name* means: *with_id* has it as its id, others as their name."""
        meant: dict[str, Share] = {} if with_id is None else {with_id.id: with_id}
        if is_name(name):
            named = await self._requests.catalog.ask("named", name=name)
            meant |= {share.id: share for share in named}
        if len(meant) == 1:
            return next(iter(meant.values()))
        if not meant:
            text = f"there is no share with the id or name {shorten(repr(name))}"
            raise NotFound(text, field="share", value=name)
        text = f"{len(meant)} shares are named {name!r}: use one of the ids {', '.join(meant)}"
        raise Ambiguous(text, field="share", value=name, ids=list(meant))

    # -- backends --------------------------------------------------------------------------------
    @overload
    def capabilities(
        self, watch: Literal[False] = False
    ) -> Awaitable[dict[str, BackendReport]]: ...
    @overload
    def capabilities(self, watch: Literal[True]) -> AsyncIterator[BackendReport]: ...
    def capabilities(
        self, watch: bool = False
    ) -> Awaitable[dict[str, BackendReport]] | AsyncIterator[BackendReport]:
        """The last report of each backend, by name (await it); with *watch* an iterator of all reports."""
        return self.backends.watch() if flag("watch", watch) else self.backends.stats()

    async def init_host(self, backend: str | None = None) -> dict[str, BackendReport]:
        """Set up every backend, or this one, and return the reports (done at start without a call)."""
        return await self.backends.publish(backend)

    # -- upgrades ------------------------------------------------------------------------------------
    async def finish_upgrade(self) -> bool:
        """Have the log written in the newest format, which earlier versions cannot read; whether it is new.

        Raises `Refused` if a process of an earlier version runs.
        """
        newest = dict(await self._requests.catalog.call("versions"))["log_format"]
        await self._requests.ask_manager("check_upgrade", newest)
        return bool(await self._requests.catalog.call("finish_upgrade", newest))

    # -- the catalog --------------------------------------------------------------------------------
    async def rebuild_catalog(self) -> int:
        """Drop the catalog and replay the log into it; the number of events replayed."""
        return int(await self._requests.catalog.call("rebuild"))

    async def rebuild_progress(self) -> tuple[int, int] | None:
        """(events replayed, events in all) of the running or last rebuild; None if there was none."""
        progress: tuple[int, int] | None = await self._requests.catalog.call("progress")
        return progress

    async def unpark(self, stream: str) -> bool:
        """Retry a stream that the catalog could not follow; whether it can follow it now."""
        return bool(await self._requests.catalog.call("unpark", word("stream", stream)))
