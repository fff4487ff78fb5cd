"""Replies to one entity's commands: a receipt when recorded, an outcome when the work is done."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, Generic

from share_actors.actors.entity.progress import RequestProgress
from share_actors.actors.entity.stream import EntityStream
from share_actors.actors.entity.turn import Aggregate, E, F, QueuedCommand, ReplyTo, S, Turn
from share_actors.actors.messaging.messages import CommandMessage, CommandReply, error_reply
from share_actors.errors import InvalidRequest, ShareActorsError
from share_actors.events.receipts import Key, RecordedRequest
from share_actors.observability.counts import Counts
from share_actors.observability.tracing import trace_id_in
from share_actors.policy import Caller, caller_of, owner_of, shown_to


class PendingReplies(Generic[E, S, F]):
    """The outcomes that callers of one entity wait for; true while there are any."""

    def __init__(
        self,
        entity_id: str,
        aggregate: Aggregate[E, S, F],
        stream: EntityStream[E, S, F],
        counts: Counts | None = None,
    ) -> None:
        self._id, self._aggregate, self._stream = entity_id, aggregate, stream
        self._progress = RequestProgress(entity_id, stream, counts or Counts())
        self._waiting: dict[Key, dict[ReplyTo, Caller | None]] = {}
        """Where the outcome goes, and the caller that waits for it; None: a part of the system."""

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def settle(self, turn: Turn[Any, Any]) -> None:
        """Reply to the commands and reads of *turn*, which is durable, and to those whose work it ended."""
        receipts = self._stream.receipts
        ended = receipts.take_settled()  # memory may hold only the last of them
        self._progress.note(turn.recorded, ended)
        for queued, error in turn.refusals:
            queued.refuse(error)
        for queued, first, fingerprint in turn.repeats:
            self._repeat(
                queued, receipts.get(first.command_id, first.project_id) or first, fingerprint
            )
        for reading in turn.readings:
            if not reading.confirmed.done():
                reading.confirmed.set_result(None)
        for queued in turn.recorded:
            project_id, command_id = queued.key
            receipt = ended.get(queued.key) or receipts.get(command_id, project_id)
            assert receipt is not None  # it was recorded in this turn
            self._reply(receipt, queued)
        for queued, fingerprint in turn.no_ops:
            work = self._aggregate.joins(queued.command, self._stream.state) or ""
            (project_id, command_id), version = queued.key, self._stream.version
            receipt = receipts.record_without_events(
                command_id, fingerprint, work, version, project_id
            )
            self._reply(receipt, queued)
        self._resolve_ended(ended)

    def _repeat(self, queued: QueuedCommand, receipt: RecordedRequest, fingerprint: str) -> None:
        """Give a repeated command its first reply; refuse it if the first request was another one."""
        if receipt.fingerprint == fingerprint:
            self._reply(receipt, queued)
            return
        command_id = queued.message.command_id
        text = f"command id {command_id} was used before, for another request"
        queued.refuse(InvalidRequest(text, field="command_id", value=command_id))

    def resolve_when_done(
        self,
        receipt: RecordedRequest,
        outcome: ReplyTo,
        caller: Caller | None = None,
    ) -> None:
        """Resolve *outcome* once the work of *receipt* is done, which may be now."""
        if receipt.status == "accepted":
            waiting = self._waiting.setdefault(receipt.key, {})
            for answered in [other for other in waiting if other.done()]:
                del waiting[answered]
            waiting[outcome] = caller
        elif not outcome.done():
            outcome.set_result(self._outcome_reply(receipt, caller))

    def outcome_of(
        self, receipt: RecordedRequest, caller: Caller | None
    ) -> asyncio.Future[CommandReply]:
        """The future outcome of *receipt*; one that is cancelled is forgotten."""
        outcome: asyncio.Future[CommandReply] = asyncio.get_running_loop().create_future()
        self.resolve_when_done(receipt, outcome, caller)
        outcome.add_done_callback(partial(self._forget_cancelled, receipt.key))
        return outcome

    def fail_all(self, error: ShareActorsError) -> None:
        """Reply with *error* to every caller that waits: this activation has ended."""
        self._progress.forget()
        for (_, command_id), waiting in self._waiting.items():
            message = CommandMessage(self._id, command_id, "", b"", b"")
            for outcome in waiting:
                if not outcome.done():
                    outcome.set_result(error_reply(message, error))
        self._waiting.clear()

    # -- inside ----------------------------------------------------------------------------------
    def _reply(self, receipt: RecordedRequest, queued: QueuedCommand) -> None:
        """Resolve the receipt of *queued*, and its outcome now or when its work is done."""
        if trace := queued.trace:
            self._stream.keep_trace(queued.key, trace)
        queued.receipt.set_result(self._receipt_reply(receipt))
        if queued.outcome is not None:
            self.resolve_when_done(receipt, queued.outcome, caller_of(queued.context))

    def _resolve_ended(self, ended: Mapping[Key, RecordedRequest]) -> None:
        for key in self._waiting.keys() & ended.keys():
            for outcome, caller in self._waiting.pop(key).items():
                self.resolve_when_done(ended[key], outcome, caller)

    def _forget_cancelled(self, key: Key, outcome: asyncio.Future[CommandReply]) -> None:
        """Forget a caller that waits no more: each poll for an outcome that takes long is one."""
        waiting = self._waiting.get(key)
        if waiting is None or not outcome.cancelled():
            return
        waiting.pop(outcome, None)
        if not waiting:
            del self._waiting[key]

    def _receipt_reply(self, receipt: RecordedRequest) -> CommandReply:
        trace = self._stream.traces.get(receipt.key, "")
        return CommandReply(
            self._id,
            receipt.command_id,
            receipt.status,
            receipt.version,
            receipt.reason,
            trace_id=trace_id_in(trace),
        )

    def _outcome_reply(self, receipt: RecordedRequest, caller: Caller | None) -> CommandReply:
        """The receipt with the view of the entity, or with the part of it that the request is about."""
        state = self._stream.state
        part = self._aggregate.part(state, receipt.works)
        view = self._aggregate.view(state) if part is None else part
        if caller is not None:
            view = shown_to(caller, view, owner_of(view))
        packed = view.json_bytes()
        return self._receipt_reply(receipt)._replace(view=packed, part=part is not None)
