"""The asynchronous client: `async with await aio.connect() as system: ...`. `client.py` is its sync form.

No Ray types appear in signatures, but for `manager`, which is the raw Ray actor handle on purpose.
"""

from __future__ import annotations

import asyncio
import getpass
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Self
from uuid import NAMESPACE_OID, uuid4, uuid5

from share_actors.actors import runtime
from share_actors.actors.admission import share_fields, source_snapshot
from share_actors.actors.coalescer import Coalescer
from share_actors.actors.messages import Answer, Ask, ask, build, unpack_error
from share_actors.config import Config
from share_actors.errors import (
    Ambiguous,
    Busy,
    NotFound,
    OperationFailed,
    ShareActorsError,
    TimedOut,
    Unavailable,
)
from share_actors.events.access import AllowAccess, DenyAccess, same_client_of
from share_actors.events.base import Command
from share_actors.events.envelope import Recorded
from share_actors.events.share_words import (
    CreateShare,
    DeleteShare,
    ExtendShare,
    RetryShare,
    ShrinkShare,
)
from share_actors.events.snapshots import CreateSnapshot, DeleteSnapshot
from share_actors.values import AccessRule, RequestContext, Share, Snapshot

TIMEOUT_S = 300.0
"""How long a call waits for its outcome unless told otherwise."""
POLL_S = 10.0
TOGETHER = 256


class Receipt(NamedTuple):
    """A request that is recorded and durable. `status`: accepted (in progress), done, or failed."""

    share_id: str
    command_id: str
    status: str
    version: int = 0
    reason: str | None = None
    view: bytes | None = None

    @property
    def share(self) -> Share | None:
        """The share as it was when the work ended; None while in progress."""
        return None if self.view is None else Share.model_validate_json(self.view)


class Page(NamedTuple):
    """Some of what was asked for; `next_marker` asks for what follows, None at the end."""

    items: tuple[Any, ...]
    next_marker: str | None


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
        self._packed = self.context.model_dump_json().encode()
        self._owns, self._owns_ray = owns, owns_ray
        self._catalog = runtime.find_catalog(config.namespace)
        self._lanes: dict[bool, Coalescer[Ask, Answer]] = {
            wait: Coalescer(self._send, lanes=3)  # a receipt shall not wait for others' outcomes
            for wait in (True, False)
        }
        self._outcomes: Coalescer[tuple[str, str], Answer | None] = Coalescer(
            self._wait_some, largest=TOGETHER, lanes=64
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Leave; a system that `start` made is stopped in order, and so is a Ray cluster it made."""
        if self._owns:
            self._owns = False
            stop = partial(runtime.stop_system, self.manager, self.config.namespace)
            await asyncio.to_thread(stop)
        if self._owns_ray:
            self._owns_ray = False
            runtime.shutdown()

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

        *properties*: `description`, `backend`, `metadata`, `is_public`, `availability_zone`,
        `share_type`, `snapshot_id` (create from this snapshot) and `share_id` (chosen by you).
        With `wait=False` it returns once the request is durable; `share.receipt` tells the rest.
        """
        asked = {"size": size, "name": name, "protocol": protocol, **properties}
        share_id, command = await self._creation(asked, command_id)
        told = await self._tell(share_id, command, wait, timeout, command_id)
        return AsyncShare(self, told.share_id, _good(told))

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
        sent = [await self._send_creation(dict(asked), wait) for asked in shares]
        return list(await asyncio.gather(*(self._made(one, wait, until) for one in sent)))

    async def _send_creation(
        self, asked: dict[str, Any], wait: bool
    ) -> tuple[Ask, asyncio.Future[Answer]] | ShareActorsError:
        try:
            command_id = asked.pop("command_id", None)
            share_id, command = await self._creation(asked, command_id)
        except ShareActorsError as error:
            return error
        told = self._ask(share_id, command, wait, command_id)
        return told, self._submit(told)

    async def _made(
        self,
        sent: tuple[Ask, asyncio.Future[Answer]] | ShareActorsError,
        wait: bool,
        until: float,
    ) -> AsyncShare | ShareActorsError:
        if isinstance(sent, ShareActorsError):
            return sent
        try:
            receipt = await self._recorded(*sent, until)
            if wait:
                receipt = await self._ended(receipt, until - time.monotonic())
            return AsyncShare(self, receipt.share_id, _good(receipt))
        except ShareActorsError as error:
            return error

    async def _creation(self, asked: dict[str, Any], command_id: str | None) -> tuple[str, Command]:
        share_id = asked.pop("share_id", None) or _new_id(command_id)
        snapshot_id = asked.pop("snapshot_id", None)
        fields = share_fields(asked, self.config, self.context)
        if snapshot_id is not None:
            fields["source"] = await source_snapshot(self._catalog, snapshot_id)
        fields = {**fields, "share_id": share_id}
        return share_id, build(CreateShare, fields)

    async def share(self, id_or_name: str) -> AsyncShare:
        """The share of this id, or else of this name; raises `NotFound`, or `Ambiguous` with the ids."""
        try:
            found = await self._view(id_or_name)
        except NotFound:
            named = await self._catalog.ask("named", name=id_or_name)
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
        return AsyncShare(self, found.id, None, found)

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
        page = await self._catalog.ask(
            "shares", name=name, status=status, project_id=project_id, backend=backend,
            limit=limit, marker=marker,
        )  # fmt: skip
        return Page(tuple(AsyncShare(self, s.id, None, s) for s in page.items), page.next_marker)

    async def count_shares(self, **filters: Any) -> dict[str, int]:
        """How many shares there are, by status."""
        counted: dict[str, int] = await self._catalog.ask("count_shares", **filters)
        return counted

    async def snapshots(self, **filters: Any) -> Page:
        """Snapshots by `share_id`, `name`, `status`, `project_id`, with `limit` and `marker`."""
        page = await self._catalog.ask("snapshots", **filters)
        return Page(tuple(page.items), page.next_marker)

    async def snapshot(self, snapshot_id: str) -> Snapshot:
        """One snapshot; raises `NotFound`."""
        found: Snapshot | None = await self._catalog.ask("snapshot", snapshot_id=snapshot_id)
        if found is None:
            raise NotFound(f"there is no snapshot {snapshot_id}", field="id", value=snapshot_id)
        return found

    async def rules(self, **filters: Any) -> Page:
        """Access rules by `share_id`, `state`, with `limit` and `marker`."""
        page = await self._catalog.ask("rules", **filters)
        return Page(tuple(page.items), page.next_marker)

    # -- the system ------------------------------------------------------------------------------
    async def receipt(self, share_id: str, command_id: str) -> Receipt:
        """What came of a request that was made before, by its command id; raises `NotFound`."""
        answer = await self._look_up(share_id, command_id)
        return answer or Receipt(share_id, command_id, "accepted")

    async def wait(self, receipt: Receipt, timeout: float = TIMEOUT_S) -> Receipt:
        """The receipt of work that ended; raises `OperationFailed`, or `TimedOut` (it goes on)."""
        return _good(await self._ended(receipt, timeout))

    async def status(self) -> dict[str, Any]:
        """How the system is doing: actors, backends, counts of shares, how far the catalog is behind."""
        asked = self._manage("status"), self._catalog.call("status")
        said = await asyncio.gather(*asked, return_exceptions=True)
        told: dict[str, Any] = {"namespace": self.config.namespace}
        for part, answer in zip(("manager", "catalog"), said, strict=True):
            told[part] = {"error": str(answer)} if isinstance(answer, BaseException) else answer
        return told

    async def where(self, share_id: str) -> dict[str, Any]:
        """The Ray actor that a share lives in, and its OS process id."""
        found: dict[str, Any] = await self._manage("where", share_id)
        return found

    async def history(self, share_id: str) -> list[Recorded]:
        """All that ever happened to a share."""
        recorded: list[Recorded] = await self._catalog.call("history", share_id)
        return recorded

    async def rebuild_catalog(self) -> int:
        """Drop the catalog and replay the log into it; how many events that took."""
        return int(await self._catalog.call("rebuild"))

    async def rebuild_progress(self) -> tuple[int, int] | None:
        """(events replayed, events in all) of the running or last rebuild."""
        told: tuple[int, int] | None = await self._catalog.call("progress")
        return told

    async def unpark(self, stream: str) -> bool:
        """Try a parked stream again; whether the catalog can follow it now."""
        return bool(await self._catalog.call("unpark", stream))

    # -- inside ----------------------------------------------------------------------------------
    async def _manage(self, method: str, *args: Any) -> Any:
        """A call to the manager, again and again while it is being restarted."""
        asked = getattr(self.manager, method)
        return await runtime.patiently(lambda: asked.remote(*args))

    async def _view(self, share_id: str) -> Share:
        found: Share = await self._manage("view", share_id)
        return found

    async def _tell(
        self,
        share_id: str,
        command: Command,
        wait: bool,
        timeout: float,
        command_id: str | None,
    ) -> Receipt:
        """Have *command* recorded, and its work done if *wait*; the same id asks only once."""
        told = self._ask(share_id, command, wait, command_id)
        until = time.monotonic() + timeout
        receipt = await self._recorded(told, self._submit(told), until)
        return await self._ended(receipt, until - time.monotonic()) if wait else receipt

    def _ask(self, share_id: str, command: Command, wait: bool, command_id: str | None) -> Ask:
        given = command_id is not None
        new = command_id or uuid4().hex
        return ask(share_id, command, self._packed, new, wait=wait, repeated=given)

    async def _recorded(self, told: Ask, sent: asyncio.Future[Answer], until: float) -> Receipt:
        """The receipt of *told*, which is sent again while the system is busy or being restarted."""
        while True:
            try:
                return _receipt(await sent)
            except (Busy, Unavailable) as error:
                pause = error.retry_after if isinstance(error, Busy) else 0.2
                if time.monotonic() + pause > until or not _worth_another(error):
                    raise
                await asyncio.sleep(pause)
                sent = self._submit(told._replace(repeated=True))

    async def _ended(self, receipt: Receipt, timeout: float) -> Receipt:
        if receipt.status != "accepted":
            return receipt
        return await self._await_outcome(receipt.share_id, receipt.command_id, timeout)

    def _submit(self, told: Ask) -> asyncio.Future[Answer]:
        return self._lanes[told.wait].put(told)

    async def _send(self, asks: list[Ask]) -> Sequence[Answer]:
        answers: Sequence[Answer] = await runtime.call(self.manager.submit.remote(asks))
        return answers

    async def _await_outcome(self, share_id: str, command_id: str, timeout: float) -> Receipt:
        until = time.monotonic() + timeout
        while (left := until - time.monotonic()) > 0:
            try:
                answer = await asyncio.wait_for(self._outcomes.put((share_id, command_id)), left)
            except TimeoutError:
                break
            except Unavailable as error:
                if not _worth_another(error):
                    raise
                await asyncio.sleep(0.2)
                continue
            if answer is not None:
                return _receipt(answer)
        raise TimedOut(
            f"share {share_id}: still in progress after {timeout:g} s; the request is recorded and goes on",
            field="timeout", value=timeout, share_id=share_id, command_id=command_id,
        )  # fmt: skip

    async def _look_up(self, share_id: str, command_id: str) -> Receipt | None:
        answers = await self._manage("wait", [(share_id, command_id)], 0.0)
        return _receipt(answers[0]) if answers else None

    async def _wait_some(self, pairs: list[tuple[str, str]]) -> Sequence[Answer | None]:
        answers = await runtime.call(self.manager.wait.remote(pairs, POLL_S))
        ended = {(a.share_id, a.command_id): a for a in answers}
        return [ended.get(pair) for pair in pairs]


def _worth_another(error: ShareActorsError) -> bool:
    """Whether *error* is of a system that is busy or being restarted, and not one that is down."""
    return isinstance(error, Busy) or bool(error.details.get("passing"))


def _good(receipt: Receipt) -> Receipt:
    """*receipt*, unless its work failed."""
    if receipt.status == "failed":
        raise OperationFailed(
            f"share {receipt.share_id}: {receipt.reason}", field="id", value=receipt.share_id,
            share_id=receipt.share_id, command_id=receipt.command_id,
        )  # fmt: skip
    return receipt


def _new_id(command_id: str | None) -> str:
    """A new id; the same one for the same command id, so that asking again asks the same."""
    return str(uuid4() if command_id is None else uuid5(NAMESPACE_OID, command_id))


def _receipt(answer: Answer) -> Receipt:
    if answer.error is not None:
        raise unpack_error(answer.error)
    return Receipt(*answer[:6])


class AsyncShare:
    """One share. Its properties are as of the last answer or `refresh`."""

    def __init__(
        self,
        system: AsyncShareSystem,
        share_id: str,
        receipt: Receipt | None = None,
        seen: Share | None = None,
    ) -> None:
        self._system, self._seen = system, seen
        self.id = share_id
        self.receipt = receipt
        """Of the last request made through this handle."""

    def __repr__(self) -> str:
        return f"<share {self.id} {self.seen.name or ''} {self.status}>"

    @property
    def seen(self) -> Share:
        """The share as last seen; before any outcome was seen it is `creating`."""
        if self._seen is None:
            told = None if self.receipt is None else self.receipt.share
            self._seen = told or Share(id=self.id, status="creating")
        return self._seen

    @property
    def name(self) -> str | None:
        return self.seen.name

    @property
    def status(self) -> str:
        return self.seen.status

    @property
    def status_reason(self) -> str | None:
        return self.seen.status_reason

    @property
    def size(self) -> int:
        """In GiB."""
        return self.seen.size

    @property
    def export_locations(self) -> tuple[str, ...]:
        """Paths by which clients reach the share, the preferred ones first."""
        ordered = sorted(self.seen.export_locations, key=lambda e: not e.preferred)
        return tuple(location.path for location in ordered)

    @property
    def access_rules(self) -> tuple[AccessRule, ...]:
        return self.seen.access_rules

    @property
    def snapshots(self) -> tuple[Snapshot, ...]:
        return self.seen.snapshots

    async def refresh(self) -> Self:
        """Ask the share's own actor how it is now."""
        self._seen = await self._system._view(self.id)
        return self

    async def allow_access(
        self, to: str, *, type: str = "user", level: str = "rw", wait: bool = True,  # noqa: A002
        timeout: float = TIMEOUT_S, command_id: str | None = None,
    ) -> AccessRule:  # fmt: skip
        """Let *to* use the share; the same rule twice is one rule."""
        fields = {
            "access_id": _new_id(command_id), "access_type": type, "access_to": to, "access_level": level
        }  # fmt: skip
        await self._tell(build(AllowAccess, fields), wait, timeout, command_id)
        if not wait:
            await self.refresh()
        rule = same_client_of(self.access_rules, type, to)
        if rule is None:  # denied again in the meantime
            raise NotFound(f"the rule for {type} {to} is gone already", field="access_to", value=to)
        return rule

    async def deny_access(
        self, rule: AccessRule | str, *, wait: bool = True, timeout: float = TIMEOUT_S,
        command_id: str | None = None,
    ) -> None:  # fmt: skip
        """Take a rule (or the rule of this id) away."""
        access_id = rule if isinstance(rule, str) else rule.id
        command = build(DenyAccess, {"access_id": access_id})
        await self._tell(command, wait, timeout, command_id)

    async def create_snapshot(
        self, name: str | None = None, *, wait: bool = True, timeout: float = TIMEOUT_S,
        command_id: str | None = None,
    ) -> Snapshot:  # fmt: skip
        """Take a snapshot."""
        snapshot_id = _new_id(command_id)
        fields = {"snapshot_id": snapshot_id, "name": name}
        await self._tell(build(CreateSnapshot, fields), wait, timeout, command_id)
        if not wait:
            await self.refresh()
        found = next((s for s in self.snapshots if s.id == snapshot_id), None)
        if found is None:
            raise NotFound(f"snapshot {snapshot_id} is gone already", field="id", value=snapshot_id)
        return found

    async def delete_snapshot(
        self, snapshot: Snapshot | str, *, wait: bool = True, timeout: float = TIMEOUT_S,
        command_id: str | None = None,
    ) -> None:  # fmt: skip
        """Delete one of the share's snapshots (or the one of this id)."""
        snapshot_id = snapshot if isinstance(snapshot, str) else snapshot.id
        command = build(DeleteSnapshot, {"snapshot_id": snapshot_id})
        await self._tell(command, wait, timeout, command_id)

    async def extend(
        self, size: int, *, wait: bool = True, timeout: float = TIMEOUT_S,
        command_id: str | None = None,
    ) -> Self:  # fmt: skip
        """Let the share hold *size* GiB, more than now."""
        return await self._tell(build(ExtendShare, {"size": size}), wait, timeout, command_id)

    async def shrink(
        self, size: int, *, wait: bool = True, timeout: float = TIMEOUT_S,
        command_id: str | None = None,
    ) -> Self:  # fmt: skip
        """Let the share hold only *size* GiB; `OperationFailed` if more is used (it stays available)."""
        return await self._tell(build(ShrinkShare, {"size": size}), wait, timeout, command_id)

    async def delete(
        self, cascade: bool = False, *, wait: bool = True, timeout: float = TIMEOUT_S,
        command_id: str | None = None,
    ) -> Self:  # fmt: skip
        """Delete the share, with its snapshots if *cascade*."""
        return await self._tell(build(DeleteShare, {"cascade": cascade}), wait, timeout, command_id)

    async def retry(
        self, *, wait: bool = True, timeout: float = TIMEOUT_S, command_id: str | None = None
    ) -> Self:
        """Try again what failed on the share, its rules and its snapshots."""
        return await self._tell(RetryShare(), wait, timeout, command_id)

    async def history(self) -> list[Recorded]:
        """All that ever happened to the share; `history.sentence` tells each as a sentence."""
        return await self._system.history(self.id)

    async def _tell(
        self, command: Command, wait: bool, timeout: float, command_id: str | None
    ) -> Self:
        self.receipt = await self._system._tell(self.id, command, wait, timeout, command_id)
        if self.receipt.view is not None:
            self._seen = self.receipt.share
        _good(self.receipt)
        return self


async def connect(
    address: str = "auto", *, namespace: str = "share-actors", context: RequestContext | None = None
) -> AsyncShareSystem:
    """The system that runs on the Ray cluster at *address*; raises `Unavailable`."""
    if not runtime.is_initialized():
        runtime.init(address)  # in this thread: Ray sets signal handlers
    manager = runtime.find_manager(namespace)
    config = await runtime.call(manager.config.remote())
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
    if runtime.is_initialized():
        return False
    runtime.init(None)
    return True


async def start_on_ray(
    config: Config, context: RequestContext | None, *, owns_ray: bool
) -> AsyncShareSystem:
    """A system on the Ray cluster that this process is in; if that fails, *owns_ray* ends it."""
    try:
        manager = await asyncio.to_thread(runtime.start_system, config)
    except BaseException:
        if owns_ray:
            runtime.shutdown()
        raise
    return AsyncShareSystem(manager, config, context, owns=True, owns_ray=owns_ray)
