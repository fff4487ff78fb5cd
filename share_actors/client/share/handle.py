"""One share, in the asynchronous client."""

from __future__ import annotations

from typing import Self, Unpack

from share_actors.actors.messaging.messages import build
from share_actors.actors.messaging.parameters import word
from share_actors.client.ids import created_id
from share_actors.client.keywords import RequestOptions, deadline, with_command_id
from share_actors.client.receipt import Receipt, raise_for_status
from share_actors.client.requests import Requests
from share_actors.client.share import exits
from share_actors.client.share.blocking import blocking, blocking_request
from share_actors.client.share.snapshots import AsyncShareSnapshots, ShareSnapshots
from share_actors.client.share.view import ShareView
from share_actors.client.share.watching import AsyncShareWatching, ShareWatching
from share_actors.client.sync.background_loop import run
from share_actors.errors import NotFound
from share_actors.events.decider import Command
from share_actors.events.envelope import Recorded
from share_actors.events.share.access import AllowAccess, DenyAccess
from share_actors.events.share.messages import ReapplyShare, RetryShare
from share_actors.events.share.rules import same_client_of
from share_actors.values import AccessRule, ResourceLock, Share, Snapshot
from share_actors.values.waiting import WaitingForThread


class AsyncShare(AsyncShareSnapshots, AsyncShareWatching):
    """One share. Its properties are as of the last reply or `refresh`.

    A reply about one rule or snapshot updates that one; the others stay as last seen. The examples of its
    methods show `ShareHandle`, the same without `await`.
    """

    def __init__(
        self,
        requests: Requests,
        share_id: str,
        receipt: Receipt | None = None,
        seen: Share | None = None,
    ) -> None:
        self._requests = requests
        self._view = None if seen is None else ShareView(seen)
        self.id = share_id
        self.receipt = receipt
        """Of the last request through this handle."""

    def __repr__(self) -> str:
        return f"<share {self.id} {self.seen.name or ''} {self.status}>"

    @property
    def seen(self) -> Share:
        """The share as last seen; before any outcome was seen its status is `creating`."""
        view = self._last_view()
        return Share(id=self.id, status="creating") if view is None else view.share

    @property
    def name(self) -> str | None:
        """Its name; names need not be unique."""
        return self.seen.name

    @property
    def status(self) -> str:
        """Its status, such as `available` or `error`."""
        return self.seen.status

    @property
    def status_reason(self) -> str | None:
        """Why it is in error, or why its backend refused the last request."""
        return self.seen.status_reason

    @property
    def size(self) -> int:
        """In GiB."""
        return self.seen.size

    @property
    def export_locations(self) -> tuple[str, ...]:
        """Paths by which clients reach the share, the preferred ones first."""
        ordered = sorted(self.seen.export_locations, key=lambda location: not location.preferred)
        return tuple(location.path for location in ordered)

    @property
    def access_rules(self) -> tuple[AccessRule, ...]:
        """Its access rules, the oldest first."""
        return self.seen.access_rules

    @property
    def snapshots(self) -> tuple[Snapshot, ...]:
        """Its snapshots, the oldest first."""
        return self.seen.snapshots

    @property
    def locks(self) -> tuple[ResourceLock, ...]:
        """Its locks and those of its access rules, the oldest first."""
        return self.seen.locks

    async def refresh(self) -> Self:
        """Update the properties from the share's entity; raises `NotFound`."""
        self._view = ShareView(await self._requests.view(self.id))
        return self

    async def allow_access(
        self,
        to: str,
        *,
        type: str = "user",  # noqa: A002 - Manila's name
        level: str = "rw",
        **options: Unpack[RequestOptions],
    ) -> AccessRule:
        """Allow *to* access to the share; the same rule twice is one rule.

        *type*: ip, user, cert or cephx. *level*: rw or ro. Raises `InvalidRequest` for a type that the
        share's backend does not support, `Refused` for a client that has a rule of another level.

        >>> rule = share.allow_access("10.0.0.0/24", type="ip", level="ro")
        >>> rule.state
        'active'
        """
        rule = {"access_type": type, "access_to": to, "access_level": level}
        command_id, options = with_command_id(options)
        fields = {"access_id": created_id(command_id, self._requests.context.project_id), **rule}
        command = build(AllowAccess, fields)
        assert isinstance(command, AllowAccess)
        share = await self._ask_for_share(command, options)
        allowed = same_client_of(share.access_rules, command.access_type, command.access_to)
        if allowed is None:  # it was denied again in the meantime
            text = f"the rule for {type} {to} is gone already"
            raise NotFound(text, field="access_to", value=to)
        return allowed

    async def deny_access(self, rule: AccessRule | str, **options: Unpack[RequestOptions]) -> None:
        """Remove a rule (or the rule with this id); raises `NotFound`.

        >>> rule = share.allow_access("alice")
        >>> share.deny_access(rule)
        >>> share.refresh().access_rules
        ()
        """
        access_id = rule.id if isinstance(rule, AccessRule) else word("rule", rule)
        await self._ask(build(DenyAccess, {"access_id": access_id}), options)

    async def retry(self, **options: Unpack[RequestOptions]) -> Self:
        """Retry what failed on the share, its rules and its snapshots; `Refused` if nothing is in error."""
        return await self._ask(RetryShare(), options)

    async def reapply(self, **options: Unpack[RequestOptions]) -> Self:
        """Apply the share's access rules and exports to its backend again, as they are recorded.

        For a backend that was changed by hand or restored. Raises `OperationFailed` with the backend's
        reason.
        """
        return await self._ask(ReapplyShare(), options)

    async def history(self) -> list[Recorded]:
        """All events of the share; `share_actors.sentence` describes one.

        >>> from share_actors import sentence
        >>> sentence(share.history()[0])
        "...asked for share 'data', 10 GiB of NFS on backend dummy"
        """
        return await self._requests.history(self.id)

    async def _ask(self, command: Command, options: RequestOptions) -> Self:
        await self._send(command, options)
        return self

    async def _ask_for_share(self, command: Command, options: RequestOptions) -> Share:
        """The share, or the part of it in the reply, once *command* is done (or recorded)."""
        until = deadline(options)
        share = await self._send(command, options)
        return share or await self._seen_after(until)

    async def _seen_after(self, until: float) -> Share:
        """The share after its last request, which is recorded; raises `Unavailable` at *until*."""
        assert self.receipt is not None
        share: Share = await self._requests.view_recorded(self.receipt, until)
        self._view = ShareView(share)
        return share

    async def _send(self, command: Command, options: RequestOptions) -> Share | None:
        until = deadline(options)
        receipt = await self._requests.ask(self.id, command, **options)
        share, view = receipt.share, self._last_view()
        self.receipt = receipt
        if share is not None and not receipt.part:
            self._view = ShareView(share)
        elif share is not None and view is not None:
            view.update(share, _part_id(command))
        elif share is not None:
            await self._seen_after(until)
        raise_for_status(receipt)
        return share

    def _last_view(self) -> ShareView | None:
        """The view of the share, if it was seen."""
        if self._view is None and self.receipt is not None and not self.receipt.part:
            share = self.receipt.share
            self._view = None if share is None else ShareView(share)
        return self._view


def _part_id(command: Command) -> str | None:
    """The id of the rule or snapshot that *command* is about."""
    snapshot_id: str | None = getattr(command, "snapshot_id", None)
    return snapshot_id or getattr(command, "access_id", None)


class ShareHandle(ShareSnapshots, ShareWatching):
    """One share; its properties are as of the last reply or `refresh`. See `AsyncShare`.

    Every request takes the options of `RequestOptions`: `wait`, `timeout` and `command_id`.
    """

    _share: AsyncShare

    def __init__(self, share: AsyncShare) -> None:
        self._share = share

    def __repr__(self) -> str:
        return repr(self._share)

    @property
    def id(self) -> str:
        """The share's id."""
        return self._share.id

    @property
    def seen(self) -> Share:
        """All the share's fields, as last seen."""
        return self._share.seen

    @property
    def receipt(self) -> Receipt | None:
        """The receipt of the last request through this handle."""
        return self._share.receipt

    @property
    def name(self) -> str | None:
        """Its name; names need not be unique."""
        return self._share.name

    @property
    def status(self) -> str:
        """Its status, such as `available` or `error`."""
        return self._share.status

    @property
    def status_reason(self) -> str | None:
        """Why it is in error, or why its backend refused the last request."""
        return self._share.status_reason

    @property
    def size(self) -> int:
        """In GiB."""
        return self._share.size

    @property
    def export_locations(self) -> tuple[str, ...]:
        """Paths by which clients reach the share, the preferred ones first."""
        return self._share.export_locations

    @property
    def access_rules(self) -> tuple[AccessRule, ...]:
        """Its access rules, the oldest first."""
        return self._share.access_rules

    @property
    def snapshots(self) -> tuple[Snapshot, ...]:
        """Its snapshots, the oldest first."""
        return self._share.snapshots

    @property
    def locks(self) -> tuple[ResourceLock, ...]:
        """Its locks and those of its access rules, the oldest first."""
        return self._share.locks

    refresh = blocking_request(AsyncShare.refresh)
    allow_access = blocking(AsyncShare.allow_access)
    deny_access = blocking(AsyncShare.deny_access)
    retry = blocking_request(AsyncShare.retry)
    reapply = blocking_request(AsyncShare.reapply)
    history = blocking(AsyncShare.history)


def place_in_line(handle: ShareHandle) -> WaitingForThread | None:
    """Where the driver call of a share waits for a thread: a part of `explain` that reads no history."""
    return run(exits.place_in_line(handle._share._requests, handle.id))
