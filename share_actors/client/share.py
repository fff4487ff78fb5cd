"""One share, as the asynchronous client sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Self

from share_actors.actors.messaging.messages import build
from share_actors.audit.explanation import Explanation, explain
from share_actors.client.requests import TIMEOUT_S, Receipt, Requests, new_id, raise_for_status
from share_actors.client.share_view import ShareView
from share_actors.errors import NotFound
from share_actors.events.decider import Command
from share_actors.events.envelope import Recorded
from share_actors.events.share.access import AllowAccess, DenyAccess, same_client_of
from share_actors.events.share.manage import UnmanageShare
from share_actors.events.share.messages import DeleteShare, ExtendShare, RetryShare, ShrinkShare
from share_actors.events.share.snapshot_messages import (
    CreateSnapshot,
    DeleteSnapshot,
    ManageSnapshot,
    UnmanageSnapshot,
)
from share_actors.values import AccessRule, Share, Snapshot, utc_now


class AsyncShare:
    """One share. Its properties are as of the last answer or `refresh`.

    The answer about one rule or snapshot tells of that one; the others stay as they were seen before.
    """

    def __init__(
        self,
        requests: Requests,
        share_id: str,
        receipt: Receipt | None = None,
        seen: Share | None = None,
    ) -> None:
        self._requests = requests
        self._sight = None if seen is None else ShareView(seen)
        self.id = share_id
        self.receipt = receipt
        """Of the last request made through this handle."""

    def __repr__(self) -> str:
        return f"<share {self.id} {self.seen.name or ''} {self.status}>"

    @property
    def seen(self) -> Share:
        """The share as last seen; before any outcome was seen it is `creating`."""
        known = self._known()
        return Share(id=self.id, status="creating") if known is None else known.share

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
        self._sight = ShareView(await self._requests.view(self.id))
        return self

    async def allow_access(
        self, to: str, *, type: str = "user", level: str = "rw", wait: bool = True,  # noqa: A002
        timeout: float = TIMEOUT_S, command_id: str | None = None,
    ) -> AccessRule:  # fmt: skip
        """Let *to* use the share; the same rule twice is one rule."""
        fields = {
            "access_id": new_id(command_id), "access_type": type, "access_to": to, "access_level": level
        }  # fmt: skip
        told = await self._told(build(AllowAccess, fields), wait, timeout, command_id)
        rule = same_client_of(told.access_rules, type, to)
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
        await self._ask(command, wait, timeout, command_id)

    async def create_snapshot(
        self, name: str | None = None, *, wait: bool = True, timeout: float = TIMEOUT_S,
        command_id: str | None = None,
    ) -> Snapshot:  # fmt: skip
        """Take a snapshot."""
        snapshot_id = new_id(command_id)
        fields = {"snapshot_id": snapshot_id, "name": name}
        told = await self._told(build(CreateSnapshot, fields), wait, timeout, command_id)
        found = next((s for s in told.snapshots if s.id == snapshot_id), None)
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
        await self._ask(command, wait, timeout, command_id)

    async def extend(
        self, size: int, *, wait: bool = True, timeout: float = TIMEOUT_S,
        command_id: str | None = None,
    ) -> Self:  # fmt: skip
        """Let the share hold *size* GiB, more than now."""
        return await self._ask(build(ExtendShare, {"size": size}), wait, timeout, command_id)

    async def shrink(
        self, size: int, *, wait: bool = True, timeout: float = TIMEOUT_S,
        command_id: str | None = None,
    ) -> Self:  # fmt: skip
        """Let the share hold only *size* GiB; `OperationFailed` if more is used (it stays available)."""
        return await self._ask(build(ShrinkShare, {"size": size}), wait, timeout, command_id)

    async def delete(
        self, cascade: bool = False, *, wait: bool = True, timeout: float = TIMEOUT_S,
        command_id: str | None = None,
    ) -> Self:  # fmt: skip
        """Delete the share, with its snapshots if *cascade*."""
        return await self._ask(build(DeleteShare, {"cascade": cascade}), wait, timeout, command_id)

    async def retry(
        self, *, wait: bool = True, timeout: float = TIMEOUT_S, command_id: str | None = None
    ) -> Self:
        """Try again what failed on the share, its rules and its snapshots."""
        return await self._ask(RetryShare(), wait, timeout, command_id)

    async def unmanage(
        self, *, wait: bool = True, timeout: float = TIMEOUT_S, command_id: str | None = None
    ) -> Self:
        """Forget the share, and leave what is on its backend as it is."""
        return await self._ask(UnmanageShare(), wait, timeout, command_id)

    async def manage_snapshot(
        self, provider_location: str, name: str | None = None, *,
        driver_options: Mapping[str, Any] | None = None, wait: bool = True,
        timeout: float = TIMEOUT_S, command_id: str | None = None,
    ) -> Snapshot:  # fmt: skip
        """Adopt what is at *provider_location* on the backend as a snapshot of this share."""
        snapshot_id = new_id(command_id)
        fields = {
            "snapshot_id": snapshot_id, "name": name, "provider_location": provider_location,
            "driver_options": dict(driver_options or {}),
        }  # fmt: skip
        told = await self._told(build(ManageSnapshot, fields), wait, timeout, command_id)
        return next(s for s in told.snapshots if s.id == snapshot_id)

    async def unmanage_snapshot(
        self, snapshot: Snapshot | str, *, wait: bool = True, timeout: float = TIMEOUT_S,
        command_id: str | None = None,
    ) -> None:  # fmt: skip
        """Forget a snapshot, and leave it on the backend as it is."""
        snapshot_id = snapshot if isinstance(snapshot, str) else snapshot.id
        command = build(UnmanageSnapshot, {"snapshot_id": snapshot_id})
        await self._ask(command, wait, timeout, command_id)

    async def history(self) -> list[Recorded]:
        """All that ever happened to the share; `history.sentence` tells each as a sentence."""
        return await self._requests.history(self.id)

    async def explain(self) -> Explanation:
        """Why the share is as it is: what is owed, what was tried, and what can be done now."""
        return await asyncio.to_thread(explain, await self.history(), utc_now())

    async def _ask(
        self, command: Command, wait: bool, timeout: float, command_id: str | None
    ) -> Self:
        await self._send(command, wait, timeout, command_id)
        return self

    async def _told(
        self, command: Command, wait: bool, timeout: float, command_id: str | None
    ) -> Share:
        """The share, or as much of it as was told, once *command* is done (or recorded)."""
        told = await self._send(command, wait, timeout, command_id)
        return told or (await self.refresh()).seen

    async def _send(
        self, command: Command, wait: bool, timeout: float, command_id: str | None
    ) -> Share | None:
        receipt = await self._requests.ask(self.id, command, wait, timeout, command_id)
        told, known = receipt.share, self._known()
        self.receipt = receipt
        if told is not None and not receipt.part:
            self._sight = ShareView(told)
        elif told is not None and known is not None:
            known.renew(told, _named(command))
        elif told is not None:
            await self.refresh()
        raise_for_status(receipt)
        return told

    def _known(self) -> ShareView | None:
        """What was seen of the share, if anything was."""
        if self._sight is None and self.receipt is not None and not self.receipt.part:
            told = self.receipt.share
            self._sight = None if told is None else ShareView(told)
        return self._sight


def _named(command: Command) -> str | None:
    """The id of the rule or snapshot that *command* is about."""
    access_id: str | None = getattr(command, "access_id", None)
    return access_id or getattr(command, "snapshot_id", None)
