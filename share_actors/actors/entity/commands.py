"""The commands of one entity: each decided on the state that the ones before it lead to."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from typing import Generic

from share_actors.actors.entity.permission import check_permission
from share_actors.actors.entity.replies import PendingReplies
from share_actors.actors.entity.stream import EntityStream
from share_actors.actors.entity.turn import (
    Aggregate,
    E,
    F,
    Outcome,
    QueuedCommand,
    Reading,
    S,
    Turn,
    Work,
)
from share_actors.actors.messaging.messages import fingerprint, whole_fingerprint
from share_actors.errors import NotFound, Refused, ShareActorsError
from share_actors.events.aggregates import id_of
from share_actors.events.decider import Missing, Rejected
from share_actors.events.receipts import Key, RecordedRequest
from share_actors.events.visibility import no_such_entity
from share_actors.policy import caller_of


class CommandDecisions(Generic[E, S, F]):
    """Decides commands into turns; a repeated command gets its first reply instead."""

    def __init__(
        self,
        entity_id: str,
        aggregate: Aggregate[E, S, F],
        work: Work[S, F],
        stream: EntityStream[E, S, F],
        replies: PendingReplies[E, S, F],
    ) -> None:
        self._id, self._aggregate, self._work = entity_id, aggregate, work
        self._stream, self._replies = stream, replies
        self._old_receipts: dict[Key, RecordedRequest | None] = {}
        """Receipts read from the log, for commands that may be older than memory."""

    def to_look_up(self, inbox: Iterable[QueuedCommand | Reading | Outcome]) -> list[QueuedCommand]:
        """The commands whose receipts may be older than memory, and were not looked up yet."""
        if not self._stream.receipts.forgotten:
            return []
        return [
            item
            for item in inbox
            if isinstance(item, QueuedCommand)
            and item.message.repeated
            and item.key not in self._old_receipts
        ]

    def to_prepare(
        self, inbox: Iterable[QueuedCommand | Reading | Outcome]
    ) -> list[tuple[QueuedCommand, Awaitable[None]]]:
        """The commands that cannot be checked yet, each with what has to end before."""
        found = []
        for item in inbox:
            if isinstance(item, QueuedCommand) and not item.prepared:
                preparation = self._work.preparation(item.command, self._stream.state)
                item.prepared = preparation is None
                if preparation is not None:
                    found.append((item, preparation))
        return found

    async def look_up(self, key: Key) -> None:
        """Read the receipt of an old command from the log; raises `LogError`."""
        project_id, command_id = key
        self._old_receipts[key] = await self._stream.find_receipt(command_id, project_id)

    def decide(self, queued: QueuedCommand, turn: Turn[S, F]) -> bool:
        """Decide *queued* into *turn*; False: the next turn has to decide it."""
        message, (project_id, command_id) = queued.message, queued.key
        receipt = self._stream.receipts.get(command_id, project_id)
        receipt = receipt or self._old_receipts.pop(queued.key, None)
        if queued.key in turn.keys:
            return False  # the same command is in this turn: its reply is known in the next
        content = fingerprint(message.topic, message.body)
        if receipt is not None:
            if receipt.fingerprint != content:  # of a client that sent all defaults
                content = whole_fingerprint(message)
            turn.repeats.append((queued, receipt, content))
            return True
        try:
            open_works = self._stream.receipts.open_works()
            turn.add(queued, content, self._events(queued, turn), open_works)
        except ShareActorsError as error:
            turn.refusals.append((queued, error))
        return True

    def _events(self, queued: QueuedCommand, turn: Turn[S, F]) -> list[E]:
        """The events of *queued*: what does not exist is not found, before its backend is asked."""
        new = turn.state is self._aggregate.initial
        entity = None if new else self._aggregate.owned(turn.state)
        check_permission(queued.command, caller_of(queued.context), entity, self.not_found)
        try:
            events = self._aggregate.decide(queued.command.stamped(turn.at), turn.state)
        except Rejected as rejection:
            if turn.state == self._aggregate.initial:
                raise self.not_found() from None
            text = f"{self._name}: {rejection}"
            if isinstance(rejection, Missing):
                raise NotFound(text, field=rejection.field, value=rejection.value) from None
            raise Refused(text, field="id", value=id_of(self._id)) from None
        self._work.check(queued.command, turn.state)
        self._stream.check_writable(events)
        return events

    @property
    def _name(self) -> str:
        return f"{self._aggregate.KIND.replace('_', ' ')} {id_of(self._id)}"

    def not_found(self) -> NotFound:
        """The error of an entity that does not exist."""
        return no_such_entity(self._id)
