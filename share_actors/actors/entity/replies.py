"""Promises: what one entity's commands are answered, at once and when their work is done."""

from __future__ import annotations

import asyncio
from typing import Any, Generic

from share_actors.actors.entity.stream import EntityStream
from share_actors.actors.entity.turn import Aggregate, E, F, QueuedCommand, S, Turn
from share_actors.actors.messaging.messages import CommandMessage, CommandReply, refusal
from share_actors.errors import InvalidRequest, ShareActorsError
from share_actors.events.receipts import RecordedRequest


class PendingReplies(Generic[E, S, F]):
    """Receipts and outcomes for those who asked, from what the entity's *memory* holds."""

    def __init__(
        self, entity_id: str, aggregate: Aggregate[E, S, F], memory: EntityStream[E, S, F]
    ) -> None:
        self._id, self._aggregate, self._memory = entity_id, aggregate, memory
        self._waiting: dict[str, list[asyncio.Future[CommandReply]]] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def keep(self, turn: Turn[Any, Any]) -> None:
        """Answer the commands of *turn*, which is durable, and those whose work it ended."""
        receipts = self._memory.receipts
        for item in turn.recorded:
            receipt = receipts.get(item.ask.command_id)
            assert receipt is not None  # it was recorded in this turn
            self._settle(receipt, item)
        for item, content in turn.silent:
            work = self._aggregate.joins(item.command, self._memory.state) or ""
            version = self._memory.version
            self._settle(receipts.at_once(item.ask.command_id, content, work, version), item)
        self._keep_ended()

    def again(self, item: QueuedCommand, known: RecordedRequest, content: str) -> None:
        """*item* was asked before: it gets the same answer, if it is the same request."""
        if known.fingerprint == content:
            self._settle(known, item)
            return
        asked = item.ask.command_id
        said = f"command id {asked} was used before, for another request"
        item.refuse(InvalidRequest(said, field="command_id", value=asked))

    def promise(self, receipt: RecordedRequest, outcome: asyncio.Future[CommandReply]) -> None:
        """Answer *outcome* once the work of *receipt* is done, which may be now."""
        if receipt.status == "accepted":
            others = self._waiting.setdefault(receipt.command_id, [])
            others[:] = [other for other in others if not other.done()]
            others.append(outcome)
        elif not outcome.done():
            outcome.set_result(self._outcome(receipt))

    def break_all(self, error: ShareActorsError) -> None:
        """Nobody here will answer: say so."""
        for command_id, outcomes in self._waiting.items():
            nothing = CommandMessage(self._id, command_id, "", b"", b"")
            for outcome in outcomes:
                if not outcome.done():
                    outcome.set_result(refusal(nothing, error))
        self._waiting.clear()

    # -- inside ----------------------------------------------------------------------------------
    def _settle(self, receipt: RecordedRequest, item: QueuedCommand) -> None:
        """Give *item* its receipt, and its outcome now or when its work is done."""
        item.receipt.set_result(self._answer(receipt))
        if item.outcome is not None:
            self.promise(receipt, item.outcome)

    def _keep_ended(self) -> None:
        for command_id in list(self._waiting):
            receipt = self._memory.receipts.get(command_id)
            if receipt is not None and receipt.status != "accepted":
                for outcome in self._waiting.pop(command_id):
                    self.promise(receipt, outcome)

    def _answer(self, receipt: RecordedRequest) -> CommandReply:
        return CommandReply(
            self._id, receipt.command_id, receipt.status, receipt.version, receipt.reason
        )

    def _outcome(self, receipt: RecordedRequest) -> CommandReply:
        """With the entity as it is now, as far as the request is about it."""
        state = self._memory.state
        part = self._aggregate.part(state, receipt.works)
        told = self._aggregate.view(state) if part is None else part
        view = told.model_dump_json().encode()
        return self._answer(receipt)._replace(view=view, part=part is not None)
