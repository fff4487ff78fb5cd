"""Replies to one entity's commands: a receipt when recorded, an outcome when the work is done."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Generic

from share_actors.actors.entity.stream import EntityStream
from share_actors.actors.entity.turn import Aggregate, E, F, QueuedCommand, S, Turn
from share_actors.actors.messaging.messages import CommandMessage, CommandReply, error_reply
from share_actors.errors import InvalidRequest, ShareActorsError
from share_actors.events.receipts import RecordedRequest


class PendingReplies(Generic[E, S, F]):
    """The outcomes that callers of one entity wait for; true while there are any."""

    def __init__(
        self, entity_id: str, aggregate: Aggregate[E, S, F], stream: EntityStream[E, S, F]
    ) -> None:
        self._id, self._aggregate, self._stream = entity_id, aggregate, stream
        self._waiting: dict[str, list[asyncio.Future[CommandReply]]] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def settle(self, turn: Turn[Any, Any]) -> None:
        """Reply to the commands and reads of *turn*, which is durable, and to those whose work it ended."""
        receipts = self._stream.receipts
        ended = receipts.take_settled()  # memory may hold only the last of them
        for queued, error in turn.refusals:
            queued.refuse(error)
        for queued, first, fingerprint in turn.repeats:
            self._repeat(queued, receipts.get(first.command_id) or first, fingerprint)
        for reading in turn.readings:
            if not reading.confirmed.done():
                reading.confirmed.set_result(None)
        for queued in turn.recorded:
            command_id = queued.message.command_id
            receipt = ended.get(command_id) or receipts.get(command_id)
            assert receipt is not None  # it was recorded in this turn
            self._reply(receipt, queued)
        for queued, fingerprint in turn.no_ops:
            work = self._aggregate.joins(queued.command, self._stream.state) or ""
            command_id, version = queued.message.command_id, self._stream.version
            self._reply(
                receipts.record_without_events(command_id, fingerprint, work, version), queued
            )
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
        self, receipt: RecordedRequest, outcome: asyncio.Future[CommandReply]
    ) -> None:
        """Resolve *outcome* once the work of *receipt* is done, which may be now."""
        if receipt.status == "accepted":
            waiting = self._waiting.setdefault(receipt.command_id, [])
            waiting[:] = [future for future in waiting if not future.done()]
            waiting.append(outcome)
        elif not outcome.done():
            outcome.set_result(self._outcome_reply(receipt))

    def fail_all(self, error: ShareActorsError) -> None:
        """Reply with *error* to every caller that waits: this activation has ended."""
        for command_id, outcomes in self._waiting.items():
            message = CommandMessage(self._id, command_id, "", b"", b"")
            for outcome in outcomes:
                if not outcome.done():
                    outcome.set_result(error_reply(message, error))
        self._waiting.clear()

    # -- inside ----------------------------------------------------------------------------------
    def _reply(self, receipt: RecordedRequest, queued: QueuedCommand) -> None:
        """Resolve the receipt of *queued*, and its outcome now or when its work is done."""
        queued.receipt.set_result(self._receipt_reply(receipt))
        if queued.outcome is not None:
            self.resolve_when_done(receipt, queued.outcome)

    def _resolve_ended(self, ended: Mapping[str, RecordedRequest]) -> None:
        for command_id in self._waiting.keys() & ended.keys():
            for outcome in self._waiting.pop(command_id):
                self.resolve_when_done(ended[command_id], outcome)

    def _receipt_reply(self, receipt: RecordedRequest) -> CommandReply:
        return CommandReply(
            self._id, receipt.command_id, receipt.status, receipt.version, receipt.reason
        )

    def _outcome_reply(self, receipt: RecordedRequest) -> CommandReply:
        """The receipt with the view of the entity, or with the part of it that the request is about."""
        state = self._stream.state
        part = self._aggregate.part(state, receipt.works)
        view = self._aggregate.view(state) if part is None else part
        packed = view.model_dump_json().encode()
        return self._receipt_reply(receipt)._replace(view=packed, part=part is not None)
