"""One turn of an entity: the waiting commands, decided in order, and the events of one append."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol

from typing_extensions import TypeVar

from share_actors.actors.messaging.messages import CommandMessage, CommandReply, error_reply
from share_actors.errors import ShareActorsError
from share_actors.events.decider import Command, Decider, Effect, Event, RequestJoined
from share_actors.events.envelope import Envelope, Recorded
from share_actors.events.log import Settled
from share_actors.events.receipts import Key, RecordedRequest
from share_actors.observability.tracing import Span, ended
from share_actors.values import SYSTEM_USER, Frozen, RequestContext

E = TypeVar("E", bound=Event)
S = TypeVar("S", bound=Frozen)
F = TypeVar("F", bound=Effect)
F_co = TypeVar("F_co", bound=Effect, covariant=True)
S_contra = TypeVar("S_contra", contravariant=True)
F_contra = TypeVar("F_contra", contravariant=True)
NOBODY = RequestContext()


class Aggregate(Decider[Any, E, S, F_co], Protocol[E, S, F_co]):
    """An aggregate module: a `Decider`, and what else the shell needs."""

    @property
    def KIND(self) -> str:  # noqa: N802 - a module's constant
        """The kind of its entities, as in their addresses: `share`."""

    @property
    def STATE_VERSION(self) -> int:  # noqa: N802
        """The version of its state, as state snapshots hold it."""

    def owned(self, state: S, /) -> Frozen:
        """The value that says whose the entity is; see `policy.owner_of`."""

    def view(self, state: S, /) -> Frozen:
        """The entity as clients see it."""

    def part(self, state: S, works: tuple[str, ...], /) -> Frozen | None:
        """The part of the view that *works* are about; None if that is the whole."""

    def joins(self, command: Any, state: S, /) -> str | None:
        """The work that *command* requests and another request may have opened already."""

    def under_way(self, state: S, /) -> bool:
        """Whether an attempt has started and not ended."""

    def not_before(self, state: S, /) -> datetime | None:
        """When the next attempt is due; None: at once."""


class Work(Protocol[S_contra, F_contra]):
    """The port through which an aggregate's effects reach the drivers."""

    def preparation(self, command: Command, state: S_contra) -> Awaitable[None] | None:
        """What has to end before `check` can be called with *command*; None: nothing."""

    def check(self, command: Command, state: S_contra) -> None:
        """Raise `ShareActorsError` if the backend can never do what *command* requests."""

    def timeout_s(self, effect: F_contra, state: S_contra) -> float:
        """How long one attempt at *effect* may take."""

    def cut_off(self, state: S_contra, now: datetime) -> Command:
        """The outcome of the attempt under way if the activation that made it has ended."""

    def max_pause_s(self, state: S_contra) -> float:
        """The longest pause between attempts, whatever the clock says."""

    def start(
        self,
        effect: F_contra,
        state: S_contra,
        context: RequestContext,
        done: Callable[[Command], None],
    ) -> None:
        """Perform *effect* without blocking; *done* gets the outcome as a command, on the loop."""


class ReplyTo(Protocol):
    """Where a reply goes: a future, or a place in a batch."""

    def done(self) -> bool:
        """Whether it has its reply, or nobody waits for one any more."""

    def set_result(self, reply: CommandReply, /) -> None:
        """Give the reply."""


R_co = TypeVar("R_co", bound=ReplyTo, covariant=True, default=ReplyTo)


@dataclass(slots=True, eq=False)
class QueuedCommand(Generic[R_co]):
    """A client's command in the mailbox of an entity.

    *receipt* gets a reply once the command is recorded or rejected; *outcome*, if wanted, once its work is
    done.
    """

    message: CommandMessage
    command: Command
    context: RequestContext
    receipt: R_co
    outcome: R_co | None = None
    span: Span | None = None
    """The time until it is recorded, if the command is traced."""
    prepared: bool = False
    """Whether what has to end before it can be checked was waited for (`Work.preparation`)."""

    @property
    def key(self) -> Key:
        """The project that sent it, and its command id: the same id of another project is another request."""
        return self.context.project_id, self.message.command_id

    @property
    def trace(self) -> str:
        """What its trace is continued from: this process's span, or what the sender said of one."""
        return self.message.trace if self.span is None else self.span.traceparent

    def refuse(self, error: ShareActorsError) -> None:
        """Reply with *error*: nothing was recorded, unless it is `LogInDoubt`."""
        if not self.receipt.done():
            self.receipt.set_result(error_reply(self.message, error))


@dataclass(slots=True, eq=False)
class Reading:
    """A read of the entity; *confirmed* resolves once the log confirms that the state is current."""

    confirmed: asyncio.Future[None]

    def refuse(self, error: ShareActorsError) -> None:
        """End the read with *error*."""
        if not self.confirmed.done():
            self.confirmed.set_exception(error)


@dataclass(slots=True, eq=False)
class Outcome:
    """The outcome of an effect, as a command, and the envelope of the request that caused the effect.

    *span* is that of the attempt, if it is traced.
    """

    command: Command
    origin: Envelope
    span: Span | None = None


@dataclass(slots=True)
class Turn(Generic[S, F]):
    """The events of one turn, not durable yet, and the state that they lead to.

    *origin* is the envelope of its last client request; *effect* is the one whose attempt starts with it;
    *no_ops* are requests that change nothing, with their fingerprints: no event records them. These,
    *refusals*, *repeats* (with the first receipt and the fingerprint) and *readings* say something about
    the state: they get their replies once the log confirms that no other activation has changed it.
    """

    aggregate: Aggregate[Any, S, F]
    state: S
    at: datetime
    writer: str
    entries: list[tuple[Envelope, Event]] = field(default_factory=list)
    events: tuple[Recorded, ...] = ()
    """The entries, once they are handed to the log."""
    recorded: list[QueuedCommand] = field(default_factory=list)
    no_ops: list[tuple[QueuedCommand, str]] = field(default_factory=list)
    refusals: list[tuple[QueuedCommand, ShareActorsError]] = field(default_factory=list)
    repeats: list[tuple[QueuedCommand, RecordedRequest, str]] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    keys: set[Key] = field(default_factory=set)
    """The keys of its requests."""
    outcome: Outcome | None = None
    origin: Envelope | None = None
    effect: F | None = None

    @property
    def statements(self) -> list[QueuedCommand | Reading]:
        """What gets a reply that is true only if the state is current."""
        unchanged = [queued for queued, _ in self.no_ops]
        refused = [queued for queued, _ in self.refusals]
        repeated = [queued for queued, *_ in self.repeats]
        return [*unchanged, *refused, *repeated, *self.readings]

    def add(
        self,
        queued: QueuedCommand,
        fingerprint: str,
        events: list[Any],
        open_works: tuple[str, ...] = (),
    ) -> None:
        """Add the *events* that *queued* was decided to; without any, it changes nothing.

        A request for work that is among *open_works* already is recorded as `RequestJoined`.
        """
        self.keys.add(queued.key)
        if not events and (work := self._joined_work(queued.command, open_works)) is not None:
            events = [RequestJoined(work=work)]
        self.origin = self._client_envelope(queued, fingerprint)
        if events:
            self.recorded.append(queued)
            self._record(self.origin, events)
        else:
            self.no_ops.append((queued, fingerprint))

    def conclude(self, outcome: Outcome) -> None:
        """Record the outcome of the attempt under way."""
        self.outcome = outcome
        self.report(outcome.command, outcome.origin)

    def report(self, command: Command, origin: Envelope | None) -> None:
        """Record what *command* reports of the attempt under way."""
        self._record(self._system_envelope(origin), self.aggregate.decide(command, self.state))

    def begin(self, effect: F, command: Command, origin: Envelope | None) -> None:
        """Record the start of an attempt at *effect*, in the same append as the request for it."""
        self.effect = effect
        events = self.aggregate.decide(command, self.state)
        self._record(self._system_envelope(origin or self.origin), events)

    def traced(self, settled: Settled) -> Settled:
        """*settled*, which also ends the spans of the append of this turn, if any of it is traced."""
        parts = [queued.span for queued in self.recorded if queued.span is not None]
        if self.outcome is not None and self.outcome.span is not None:
            parts.append(self.outcome.span)
        if not parts:
            return settled
        spans = [part.child("append", {"events": len(self.entries)}) for part in parts]

        def end(result: Sequence[int] | Exception) -> None:
            for span in spans:
                ended(span, str(result) if isinstance(result, Exception) else None)
            settled(result)

        return end

    def context(self, version: int) -> RequestContext:
        """The context of the driver's call: the requester, the attempt's number, and its unique token."""
        last: tuple[Envelope, Any] = self.entries[-1]
        origin, attempt_started = last
        return NOBODY.replace(  # not validated: an old log may hold any text
            user_id=origin.user_id,
            project_id=origin.project_id,
            roles=origin.roles,
            request_id=origin.request_id,
            attempt=attempt_started.n,
            token=f"{self.writer}:{version}",
        )

    def _joined_work(self, command: Command, open_works: tuple[str, ...]) -> str | None:
        """The work that *command* requests, if it is still open."""
        work = self.aggregate.joins(command, self.state)
        if work is None:
            return None
        is_open = work in open_works
        for _, event in self.entries:
            is_open = work in event.opens() or (is_open and not _settles(event, work))
        return work if is_open else None

    def _record(self, envelope: Envelope, events: list[Any]) -> None:
        for event in events:
            self.state = self.aggregate.evolve(self.state, event)
            self.entries.append((envelope, event))

    def _client_envelope(self, queued: QueuedCommand, fingerprint: str) -> Envelope:
        command_id, context = queued.message.command_id, queued.context
        return Envelope(
            command_id=command_id,
            fingerprint=fingerprint,
            correlation_id=command_id,
            request_id=context.request_id,
            user_id=context.user_id,
            project_id=context.project_id,
            roles=context.roles,
            at=self.at,
            writer=self.writer,
        )

    def _system_envelope(self, origin: Envelope | None) -> Envelope:
        """The envelope of an event that no client requested directly; it names the requester if known."""
        if origin is not None:
            return origin.replace(command_id=None, fingerprint=None, at=self.at, writer=self.writer)
        return Envelope(
            command_id=None,
            fingerprint=None,
            correlation_id=self.writer,
            request_id=None,
            user_id=SYSTEM_USER,
            project_id="",
            roles=(),
            at=self.at,
            writer=self.writer,
        )


def _settles(event: Event, work: str) -> bool:
    return any(settled.ends(work) for settled in event.settles())
