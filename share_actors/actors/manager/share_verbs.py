"""The manager's verbs, by the names and parameters of Manila's `ShareManager`, for any Ray program.

Each returns a mapping: `share_id`, `command_id`, `status` (accepted, done or failed), `version`, `reason`.
With `wait=True` it returns when the work is done. Errors are those of `share_actors.errors`. What Manila
read from its database comes as keywords: the name and size of a share, the client of an access rule.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from share_actors.actors.manager.request_spec import share_fields, source_snapshot
from share_actors.actors.messaging.messages import (
    CommandMessage,
    CommandReply,
    ask,
    build,
    context_in,
    unpack_error,
)
from share_actors.actors.ports import CatalogPort, Cluster
from share_actors.config import Config
from share_actors.errors import NotFound, TimedOut
from share_actors.events.decider import Command
from share_actors.events.share.access import AllowAccess, DenyAccess
from share_actors.events.share.messages import (
    CreateShare,
    DeleteShare,
    ExtendShare,
    RetryShare,
    ShrinkShare,
)
from share_actors.events.share.snapshot_messages import CreateSnapshot, DeleteSnapshot
from share_actors.values import RequestContext

Context = RequestContext | Mapping[str, Any] | None
Told = dict[str, Any]


class Verbs(ABC):
    """What all verbs are made of: one command, sent and waited for."""

    _cluster: Cluster

    @abstractmethod
    async def submit(self, asks: list[CommandMessage]) -> list[CommandReply]: ...

    @abstractmethod
    async def wait(
        self, pairs: Sequence[tuple[str, str]], timeout_s: float
    ) -> list[CommandReply]: ...

    @property
    def _catalog(self) -> CatalogPort:
        return self._cluster.catalog

    async def _share_of(self, question: str, asked: str, kind: str) -> str:
        found: str | None = await self._catalog.ask(question, item_id=asked)
        if found is None:
            raise NotFound(f"there is no {kind} {asked}", field="id", value=asked)
        return found

    async def _ask(
        self,
        who: RequestContext,
        share_id: str,
        command: Command,
        wait: bool,
        command_id: str | None,
    ) -> Told:
        packed = who.model_dump_json().encode()
        given = command_id is not None
        told = ask(share_id, command, packed, command_id or uuid4().hex, wait=wait, repeated=given)
        [answer] = await self.submit([told])
        if wait and answer.status == "accepted":
            answer = await self._outcome(answer)
        if answer.error is not None:
            raise unpack_error(answer.error)
        return {
            "share_id": answer.share_id, "command_id": answer.command_id, "status": answer.status,
            "version": answer.version, "reason": answer.reason,
        }  # fmt: skip

    async def _outcome(self, answer: CommandReply, limit_s: float = 3600.0) -> CommandReply:
        until = time.monotonic() + limit_s
        while time.monotonic() < until:
            for ended in await self.wait([(answer.share_id, answer.command_id)], 10.0):
                return ended
        raise TimedOut(f"command {answer.command_id} is in progress still")


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
    ) -> Told:
        """Create a share; *request_spec* (or keywords) holds `size`, `name`, `share_proto`, `backend`...

        *filter_properties* may hold `scheduler_hints`: `same_host` and `different_host`.
        """
        who = context_of(context)
        spec = dict(request_spec or {})
        hints = dict((filter_properties or {}).get("scheduler_hints") or {})
        spec = {**spec.pop("share_properties", spec), **hints, **properties}
        fields = share_fields(spec, self._config, who)
        asked_for = snapshot_id or spec.get("snapshot_id")
        fields["source"] = await source_snapshot(self._catalog, asked_for) if asked_for else None
        command = build(CreateShare, {**fields, "share_id": share_id})
        return await self._ask(who, share_id, command, wait, command_id)

    async def delete_share(
        self, context: Context, share_id: str, *, cascade: bool = False, wait: bool = False,
        command_id: str | None = None,
    ) -> Told:  # fmt: skip
        """Delete a share, with its snapshots if *cascade*."""
        command = build(DeleteShare, {"cascade": cascade})
        return await self._ask(context_of(context), share_id, command, wait, command_id)

    async def extend_share(
        self, context: Context, share_id: str, new_size: int, *, wait: bool = False,
        command_id: str | None = None,
    ) -> Told:  # fmt: skip
        """Extend a share to *new_size* GiB."""
        command = build(ExtendShare, {"size": new_size})
        return await self._ask(context_of(context), share_id, command, wait, command_id)

    async def shrink_share(
        self, context: Context, share_id: str, new_size: int, *, wait: bool = False,
        command_id: str | None = None,
    ) -> Told:  # fmt: skip
        """Shrink a share to *new_size* GiB."""
        command = build(ShrinkShare, {"size": new_size})
        return await self._ask(context_of(context), share_id, command, wait, command_id)

    async def retry_share(
        self, context: Context, share_id: str, *, wait: bool = False, command_id: str | None = None
    ) -> Told:
        """Try again what failed on a share, its rules and its snapshots."""
        return await self._ask(context_of(context), share_id, RetryShare(), wait, command_id)

    async def allow_access(
        self, context: Context, access_id: str, *, share_id: str, access_type: str, access_to: str,
        access_level: str = "rw", wait: bool = False, command_id: str | None = None,
    ) -> Told:  # fmt: skip
        """Let a client use a share."""
        fields = {
            "access_id": access_id, "access_type": access_type, "access_to": access_to,
            "access_level": access_level,
        }  # fmt: skip
        command = build(AllowAccess, fields)
        return await self._ask(context_of(context), share_id, command, wait, command_id)

    async def deny_access(
        self, context: Context, access_id: str, *, share_id: str | None = None, wait: bool = False,
        command_id: str | None = None,
    ) -> Told:  # fmt: skip
        """Take an access rule away; its share is looked up unless given."""
        of = share_id or await self._share_of("rule_share", access_id, "access rule")
        command = build(DenyAccess, {"access_id": access_id})
        return await self._ask(context_of(context), of, command, wait, command_id)

    async def create_snapshot(
        self, context: Context, share_id: str, snapshot_id: str, *, name: str | None = None,
        wait: bool = False, command_id: str | None = None,
    ) -> Told:  # fmt: skip
        """Take a snapshot of a share."""
        fields = {"snapshot_id": snapshot_id, "name": name}
        command = build(CreateSnapshot, fields)
        return await self._ask(context_of(context), share_id, command, wait, command_id)

    async def delete_snapshot(
        self, context: Context, snapshot_id: str, *, share_id: str | None = None,
        wait: bool = False, command_id: str | None = None,
    ) -> Told:  # fmt: skip
        """Delete a snapshot; its share is looked up unless given."""
        of = share_id or await self._share_of("snapshot_share", snapshot_id, "snapshot")
        command = build(DeleteSnapshot, {"snapshot_id": snapshot_id})
        return await self._ask(context_of(context), of, command, wait, command_id)


def context_of(context: Context) -> RequestContext:
    """Who asks, as any program may say it; raises `InvalidRequest`."""
    if isinstance(context, RequestContext):
        return context
    return context_in(json.dumps(dict(context or {})).encode())
