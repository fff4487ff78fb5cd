"""The manager's verbs, with the names and parameters of Manila's `ShareManager`, for any Ray program.

Each returns a mapping: `share_id`, `command_id`, `status` (accepted, done or failed), `version`, `reason`.
With `wait=True` it returns when the work is done. Errors are those of `share_actors.errors`. Values that
Manila reads from its database are keywords: the name and size of a share, the client of an access rule.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from share_actors.actors.manager.request_spec import share_fields
from share_actors.actors.messaging.messages import (
    CommandMessage,
    CommandReply,
    Sender,
    build,
    command_message,
    context_with,
    unpack_error,
)
from share_actors.actors.messaging.parameters import command_id as checked_command_id
from share_actors.actors.messaging.parameters import (
    flag,
    known_id,
    mapping,
    new_id,
    not_found,
)
from share_actors.actors.ports import CatalogForCallers, Cluster
from share_actors.config import Config
from share_actors.errors import TimedOut
from share_actors.events.decider import Command
from share_actors.events.share.access import AllowAccess, DenyAccess
from share_actors.events.share.messages import (
    CreateShare,
    DeleteShare,
    ExtendShare,
    ReapplyShare,
    RetryShare,
    RevertToSnapshot,
    ShrinkShare,
)
from share_actors.events.share.snapshot.messages import CreateSnapshot, DeleteSnapshot
from share_actors.policy import Caller, caller_of, check_role
from share_actors.values import OPERATOR, RequestContext

Context = RequestContext | Mapping[str, Any] | None
VerbResult = dict[str, Any]
POLL_S = 10.0
MAX_OUTCOME_WAIT_S = 3600.0


class Verbs(ABC):
    """The base of all verbs: sends one command, and waits for its outcome if required."""

    _cluster: Cluster

    @abstractmethod
    async def submit(self, messages: list[CommandMessage]) -> list[CommandReply]:
        """Route each command to its share; replies in order."""

    @abstractmethod
    async def wait(
        self, pairs: Sequence[tuple[str, str]], timeout_s: float, context: Context = None
    ) -> list[CommandReply]:
        """The outcomes of those of *pairs* (share id, command id) that have ended."""

    @property
    def _catalog(self) -> CatalogForCallers:
        return self._cluster.catalog

    async def _address(
        self, share_id: str | None, query: str, item_id: str, kind: str, context: RequestContext
    ) -> str:
        """*share_id*, or that of the share that an access rule or a snapshot belongs to.

        Raises `NotFound`.
        """
        if share_id is not None:
            return known_id("share", share_id)
        known_id(kind, item_id)
        found: str | None = await self._catalog.ask_as(context, query, item_id=item_id)
        if found is None:
            raise not_found(kind, item_id)
        return found

    async def _ask_share(
        self,
        context: Context,
        share_id: str,
        command: Command,
        wait: bool,
        command_id: str | None,
    ) -> VerbResult:
        address = known_id("share", share_id)
        return await self._ask(context_of(context), address, command, wait, command_id)

    async def _ask(
        self,
        context: RequestContext,
        share_id: str,
        command: Command,
        wait: bool,
        command_id: str | None,
    ) -> VerbResult:
        command_id = checked_command_id(command_id)
        message = command_message(
            share_id,
            command,
            Sender.of(context),
            command_id or uuid4().hex,
            wait=flag("wait", wait),
            repeated=command_id is not None,
        )
        [reply] = await self.submit([message])
        if wait and reply.status == "accepted":
            reply = await self._outcome(reply, context)
        if reply.error is not None:
            raise unpack_error(reply.error)
        return {
            "share_id": reply.share_id,
            "command_id": reply.command_id,
            "status": reply.status,
            "version": reply.version,
            "reason": reply.reason,
        }

    async def _outcome(self, receipt: CommandReply, context: RequestContext) -> CommandReply:
        until, pairs = time.monotonic() + MAX_OUTCOME_WAIT_S, [receipt[:2]]
        while time.monotonic() < until:
            for outcome in await self.wait(pairs, POLL_S, context):
                return outcome
        raise TimedOut(f"command {receipt.command_id} is still in progress")


class ManagerVerbs(Verbs):
    """`manila.share.manager.ShareManager`, RPC API 1.1: the verbs about shares, rules and snapshots."""

    RPC_API_VERSION = "1.1"
    _config: Config

    async def create_share(
        self,
        context: Context,
        share_id: str,
        request_spec: Mapping[str, Any] | None = None,
        filter_properties: Mapping[str, Any] | None = None,
        snapshot_id: str | None = None,
        *,
        wait: bool = False,
        command_id: str | None = None,
        **properties: Any,
    ) -> VerbResult:
        """Create a share. *request_spec* or keywords: `size` (GiB), `name`, `share_proto`, `backend`...

        *filter_properties* may hold `scheduler_hints`: `same_host`, `different_host` and `only_host`.
        """
        request_context = context_of(context)
        new_id("share_id", share_id)
        spec = {**_requested(request_spec, filter_properties), **properties}
        if snapshot_id is not None:
            spec["snapshot_id"] = snapshot_id
        fields = share_fields(spec, self._config, request_context)
        command = build(CreateShare, {**fields, "share_id": share_id})
        return await self._ask(request_context, share_id, command, wait, command_id)

    async def delete_share(
        self,
        context: Context,
        share_id: str,
        *,
        cascade: bool = False,
        now: bool = False,
        wait: bool = False,
        command_id: str | None = None,
    ) -> VerbResult:
        """Delete a share, with its snapshots if *cascade*; softly if its type says so, unless *now*."""
        command = build(DeleteShare, {"cascade": cascade, "now": flag("now", now)})
        return await self._ask_share(context, share_id, command, wait, command_id)

    async def extend_share(
        self,
        context: Context,
        share_id: str,
        new_size: int,
        *,
        wait: bool = False,
        command_id: str | None = None,
    ) -> VerbResult:
        """Extend a share to *new_size* GiB."""
        command = build(ExtendShare, {"size": new_size})
        return await self._ask_share(context, share_id, command, wait, command_id)

    async def shrink_share(
        self,
        context: Context,
        share_id: str,
        new_size: int,
        *,
        wait: bool = False,
        command_id: str | None = None,
    ) -> VerbResult:
        """Shrink a share to *new_size* GiB."""
        command = build(ShrinkShare, {"size": new_size})
        return await self._ask_share(context, share_id, command, wait, command_id)

    async def revert_to_snapshot(
        self,
        context: Context,
        share_id: str,
        snapshot_id: str,
        *,
        wait: bool = False,
        command_id: str | None = None,
    ) -> VerbResult:
        """Replace the content of a share by that of its latest snapshot."""
        command = build(RevertToSnapshot, {"snapshot_id": snapshot_id})
        return await self._ask_share(context, share_id, command, wait, command_id)

    async def retry_share(
        self,
        context: Context,
        share_id: str,
        *,
        wait: bool = False,
        command_id: str | None = None,
    ) -> VerbResult:
        """Retry what failed on a share, its access rules and its snapshots."""
        return await self._ask_share(context, share_id, RetryShare(), wait, command_id)

    async def reapply_share(
        self,
        context: Context,
        share_id: str,
        *,
        wait: bool = False,
        command_id: str | None = None,
    ) -> VerbResult:
        """Apply the access rules and exports of a share again, as they are recorded."""
        return await self._ask_share(context, share_id, ReapplyShare(), wait, command_id)

    async def allow_access(
        self,
        context: Context,
        access_id: str,
        *,
        share_id: str,
        access_type: str,
        access_to: str,
        access_level: str = "rw",
        wait: bool = False,
        command_id: str | None = None,
    ) -> VerbResult:
        """Add an access rule, which lets a client use a share."""
        fields = {
            "access_id": new_id("access_id", access_id),
            "access_type": access_type,
            "access_to": access_to,
            "access_level": access_level,
        }
        command = build(AllowAccess, fields)
        return await self._ask_share(context, share_id, command, wait, command_id)

    async def deny_access(
        self,
        context: Context,
        access_id: str,
        *,
        share_id: str | None = None,
        wait: bool = False,
        command_id: str | None = None,
    ) -> VerbResult:
        """Remove an access rule; its share is looked up unless given."""
        request, kind = context_of(context), "access rule"
        address = await self._address(share_id, "rule_share", access_id, kind, request)
        command = build(DenyAccess, {"access_id": access_id})
        return await self._ask(request, address, command, wait, command_id)

    async def create_snapshot(
        self,
        context: Context,
        share_id: str,
        snapshot_id: str,
        *,
        name: str | None = None,
        wait: bool = False,
        command_id: str | None = None,
    ) -> VerbResult:
        """Take a snapshot of a share."""
        fields = {"snapshot_id": new_id("snapshot_id", snapshot_id), "name": name}
        command = build(CreateSnapshot, fields)
        return await self._ask_share(context, share_id, command, wait, command_id)

    async def delete_snapshot(
        self,
        context: Context,
        snapshot_id: str,
        *,
        share_id: str | None = None,
        wait: bool = False,
        command_id: str | None = None,
    ) -> VerbResult:
        """Delete a snapshot; its share is looked up unless given."""
        request, kind = context_of(context), "snapshot"
        address = await self._address(share_id, "snapshot_share", snapshot_id, kind, request)
        command = build(DeleteSnapshot, {"snapshot_id": snapshot_id})
        return await self._ask(request, address, command, wait, command_id)


def _requested(request_spec: Any, filter_properties: Any) -> dict[str, Any]:
    """The properties in Manila's *request_spec*, and the hints in its *filter_properties*."""
    spec = mapping("request_spec", request_spec)
    inner = spec.pop("share_properties", None)
    properties = spec if inner is None else mapping("share_properties", inner)
    filters = mapping("filter_properties", filter_properties)
    return {**properties, **mapping("scheduler_hints", filters.get("scheduler_hints"))}


def context_of(context: Context) -> RequestContext:
    """The request context of *context*, which may be a mapping; raises `InvalidRequest`.

    None or an empty one is the operator's: whoever calls the manager can call every Ray actor of the system.
    """
    if isinstance(context, RequestContext):
        return context
    fields = mapping("context", context)
    return context_with(fields) if fields else OPERATOR


def caller_in(context: Context) -> Caller:
    """The caller that *context* describes; raises `InvalidRequest`."""
    return caller_of(context_of(context))


def permit(operation: str, context: Context) -> None:
    """Raise `Forbidden` unless the role in *context* permits *operation*."""
    check_role(operation, caller_in(context))
