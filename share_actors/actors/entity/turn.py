"""One turn of an entity: what waits for it, decided in order, and all that this makes durable at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from share_actors.actors.messaging.messages import CommandMessage, CommandReply, refusal
from share_actors.errors import ShareActorsError
from share_actors.events.decider import Command, Decider, Effect, Event, RequestJoined
from share_actors.events.envelope import Envelope
from share_actors.values import Frozen, RequestContext

E = TypeVar("E", bound=Event)
S = TypeVar("S", bound=Frozen)
F = TypeVar("F", bound=Effect)
F_co = TypeVar("F_co", bound=Effect, covariant=True)
S_contra = TypeVar("S_contra", contravariant=True)
F_contra = TypeVar("F_contra", contravariant=True)


class Aggregate(Decider[Any, E, S, F_co], Protocol[E, S, F_co]):
    """An aggregate module with what the shell asks of it besides the decider's four names."""

    @property
    def KIND(self) -> str: ...  # noqa: N802 - a module's constant

    @property
    def STATE_VERSION(self) -> int: ...  # noqa: N802

    def view(self, state: S, /) -> Frozen: ...

    def part(self, state: S, works: tuple[str, ...], /) -> Frozen | None: ...

    def joins(self, command: Any, state: S, /) -> str | None: ...

    def under_way(self, state: S, /) -> bool: ...

    def not_before(self, state: S, /) -> datetime | None: ...


class Work(Protocol[S_contra, F_contra]):
    """What an aggregate's effects mean outside: the port to the drivers."""

    def check(self, command: Command, state: S_contra) -> None:
        """Raise `ShareActorsError` when the backend could never do what *command* asks."""

    def timeout_s(self, state: S_contra) -> float:
        """How long one attempt may take."""

    def cut_off(self, state: S_contra, now: datetime) -> Command:
        """What the attempt under way comes to when the activation that made it is no more."""

    def longest_pause_s(self, state: S_contra) -> float:
        """No pause between attempts is longer, whatever clocks say."""

    def start(
        self,
        effect: F_contra,
        state: S_contra,
        context: RequestContext,
        done: Callable[[Command], None],
    ) -> None:
        """Perform *effect* without blocking; *done* gets the outcome as a command, on the loop."""


@dataclass(slots=True, eq=False)
class QueuedCommand:
    """A client's command on its way through the shell.

    *receipt* is answered when it is recorded, or refused; *outcome*, if wanted, when its work is done.
    """

    ask: CommandMessage
    command: Command
    context: RequestContext
    receipt: asyncio.Future[CommandReply]
    outcome: asyncio.Future[CommandReply] | None = None

    def refuse(self, error: ShareActorsError) -> None:
        """Nothing was recorded."""
        if not self.receipt.done():
            self.receipt.set_result(refusal(self.ask, error))


@dataclass(slots=True, eq=False)
class Outcome:
    """What a driver's call came to, and the request that it goes back to."""

    command: Command
    origin: Envelope


@dataclass(slots=True)
class Turn(Generic[S, F]):
    """What one turn is about to make durable, and the state that it leads to.

    *origin* is the last client's request in it; *began* the effect whose attempt starts with it; *silent*
    are requests for what is so already: nothing is recorded of them.
    """

    aggregate: Aggregate[Any, S, F]
    state: S
    at: datetime
    writer: str
    entries: list[tuple[Envelope, Event]] = field(default_factory=list)
    recorded: list[QueuedCommand] = field(default_factory=list)
    silent: list[tuple[QueuedCommand, str]] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    outcome: Outcome | None = None
    origin: Envelope | None = None
    began: F | None = None

    def decided(
        self, item: QueuedCommand, content: str, events: list[Any], owed: tuple[str, ...] = ()
    ) -> None:
        """*item* comes to *events*; to none when it asks for what is so already.

        What asks once more for what is *owed* comes to `RequestJoined`.
        """
        self.ids.add(item.ask.command_id)
        if not events and (work := self._joined(item.command, owed)) is not None:
            events = [RequestJoined(work=work)]
        self.origin = self._of_client(item, content)
        if events:
            self.recorded.append(item)
            self._record(self.origin, events)
        else:
            self.silent.append((item, content))

    def conclude(self, outcome: Outcome) -> None:
        """The driver answered."""
        self.outcome = outcome
        self.report(outcome.command, outcome.origin)

    def report(self, command: Command, origin: Envelope | None) -> None:
        """What is known of the attempt under way."""
        self._record(self._of_system(origin), self.aggregate.decide(command, self.state))

    def begin(self, effect: F, command: Command, origin: Envelope | None) -> None:
        """The next attempt starts, recorded together with what made it owed."""
        self.began = effect
        events = self.aggregate.decide(command, self.state)
        self._record(self._of_system(origin or self.origin), events)

    def context(self, version: int) -> RequestContext:
        """Who asked, the number of the attempt begun, and its token: nobody else can have the same."""
        last: tuple[Envelope, Any] = self.entries[-1]
        origin, begun = last
        return RequestContext(
            user_id=origin.user_id,
            project_id=origin.project_id,
            roles=origin.roles,
            request_id=origin.request_id,
            attempt=begun.n,
            token=f"{self.writer}:{version}",
        )

    def _joined(self, command: Command, owed: tuple[str, ...]) -> str | None:
        """The work that *command* asks for once more, if that is owed still."""
        work = self.aggregate.joins(command, self.state)
        if work is None:
            return None
        is_owed = work in owed
        for _, event in self.entries:
            is_owed = work in event.opens() or (is_owed and not _settles(event, work))
        return work if is_owed else None

    def _record(self, envelope: Envelope, events: list[Any]) -> None:
        for event in events:
            self.state = self.aggregate.evolve(self.state, event)
            self.entries.append((envelope, event))

    def _of_client(self, item: QueuedCommand, content: str) -> Envelope:
        asked, context = item.ask, item.context
        return Envelope(
            command_id=asked.command_id,
            fingerprint=content,
            correlation_id=asked.command_id,
            request_id=context.request_id,
            user_id=context.user_id,
            project_id=context.project_id,
            roles=context.roles,
            at=self.at,
            writer=self.writer,
        )

    def _of_system(self, origin: Envelope | None) -> Envelope:
        """What the system does of itself still goes back to who asked, as far as that is known."""
        if origin is None:
            return Envelope(
                command_id=None, fingerprint=None, correlation_id=self.writer, request_id=None,
                user_id="share-actors", project_id="", roles=(), at=self.at, writer=self.writer,
            )  # fmt: skip
        return origin.replace(command_id=None, fingerprint=None, at=self.at, writer=self.writer)


def _settles(event: Event, work: str) -> bool:
    return any(settled.ends(work) for settled in event.settles())
