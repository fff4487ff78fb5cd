"""Work with scripted outcomes for tests of the shell, and commands as clients send them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import uuid4

from share_actors.actors.entity.shell import Entity
from share_actors.actors.entity.turn import QueuedCommand
from share_actors.actors.messaging.messages import (
    CommandReply,
    Sender,
    command_message,
    unpack_error,
)
from share_actors.errors import ShareActorsError
from share_actors.events import share
from share_actors.events.attempts import ReportFailure
from share_actors.events.decider import Command
from share_actors.events.log import Log
from share_actors.events.share import ShareState
from share_actors.events.share.access import ApplyRules, ConfirmRules
from share_actors.events.share.messages import (
    ConfirmCreated,
    ConfirmDeleted,
    ConfirmResized,
    CreateShare,
    Destroy,
    Provision,
    Resize,
    ShareEffect,
    ShareEvent,
)
from share_actors.events.share.snapshot.messages import (
    ConfirmSnapshotCreated,
    ConfirmSnapshotDeleted,
    DropSnapshot,
    TakeSnapshot,
)
from share_actors.values import ExportLocation, RequestContext, Share, ShareSpec

CALLER = RequestContext(user_id="alice", project_id="demo", request_id="req-1", is_admin=True)
CREATE = CreateShare(
    share_id="s1", size=1, spec=ShareSpec(host="fake", project_id="demo", user_id="alice")
)
ShareEntity = Entity[ShareEvent, ShareState, ShareEffect]


def successful_outcome(effect: ShareEffect) -> Command:
    """The outcome of a successful *effect*."""
    match effect:
        case Provision():
            return ConfirmCreated(export_locations=(ExportLocation(path="fake:/s1"),))
        case Destroy():
            return ConfirmDeleted()
        case Resize(doing=doing, size=size):
            return ConfirmResized(doing=doing, size=size)
        case ApplyRules(add=add, delete=delete):
            return ConfirmRules(
                applied=tuple(r.id for r in add), removed=tuple(r.id for r in delete)
            )
        case TakeSnapshot(snapshot_id=i):
            return ConfirmSnapshotCreated(snapshot_id=i)
        case DropSnapshot(snapshot_id=i):
            return ConfirmSnapshotDeleted(snapshot_id=i)
        case _:
            raise AssertionError(f"unexpected effect {effect}")


class FakeWork:
    """Records the started effects; they succeed immediately, or at `finish` if `paused`."""

    def __init__(self, *, paused: bool = False) -> None:
        self.paused = paused
        self.started: list[tuple[ShareEffect, RequestContext]] = []
        self._waiting: list[tuple[ShareEffect, Callable[[Command], None]]] = []
        self.refusal: ShareActorsError | None = None

    def preparation(self, command: Command, state: ShareState) -> None:
        pass

    def check(self, command: Command, state: ShareState) -> None:
        if self.refusal is not None:
            raise self.refusal

    def timeout_s(self, effect: ShareEffect, state: ShareState) -> float:
        return 60.0

    def cut_off(self, state: ShareState, now: datetime) -> Command:
        return ReportFailure(kind="unknown", reason="cut off", retry_at=now, max_attempts=5)

    def max_pause_s(self, state: ShareState) -> float:
        return 60.0

    def start(
        self,
        effect: ShareEffect,
        state: ShareState,
        context: RequestContext,
        done: Callable[[Command], None],
    ) -> None:
        self.started.append((effect, context))
        self._waiting.append((effect, done))
        if not self.paused:
            asyncio.get_running_loop().call_soon(self.finish)

    def finish(self, outcome: Command | None = None) -> None:
        """End the oldest effect with *outcome*; by default it succeeds."""
        effect, done = self._waiting.pop(0)
        done(outcome or successful_outcome(effect))

    @property
    def effects(self) -> list[str]:
        return [effect.key() for effect, _ in self.started]


def entity(
    log: Log, work: FakeWork, *, fresh: bool = False, activation: str = "act-1", **settings: Any
) -> ShareEntity:
    """An active entity of the share `s1`."""
    return Entity("s1", share, log, work, activation, fresh=fresh, **settings)


def queued(
    command: Command, *, command_id: str | None = None, repeated: bool = False
) -> QueuedCommand[asyncio.Future[CommandReply]]:
    """*command* in the form that the shell receives, with both of its futures."""
    sender = Sender.of(CALLER)
    message = command_message(
        "s1", command, sender, command_id or uuid4().hex, wait=True, repeated=repeated
    )
    loop = asyncio.get_running_loop()
    return QueuedCommand(message, command, CALLER, loop.create_future(), loop.create_future())


async def tell(
    share_entity: ShareEntity,
    command: Command,
    *,
    command_id: str | None = None,
    repeated: bool = False,
) -> CommandReply:
    """Handle *command*; returns its outcome, or raises the error of its refusal."""
    item = queued(command, command_id=command_id, repeated=repeated)
    share_entity.put(item)
    receipt = await item.receipt
    if receipt.error is not None:
        raise unpack_error(receipt.error)
    assert item.outcome is not None
    outcome = await item.outcome
    if outcome.error is not None:
        raise unpack_error(outcome.error)
    return outcome


async def share_view(share_entity: ShareEntity) -> Share:
    view = await share_entity.view()
    assert isinstance(view, Share)
    return view


def names(log: Log) -> list[str]:
    return [type(recorded.event).__name__ for recorded in log.read("share-s1")]
