"""What if: each recorded command decided again by the present code and policy, in the state that it met.

A difference is a decision that comes out otherwise: a refusal, other kinds of events, or the same kinds with
other content. The states are those of the recorded events, so one difference does not cause others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from typing import Any, Literal

from pydantic import ValidationError

from share_actors.audit.reading.reader import LogReader
from share_actors.audit.replay.commands import command_of
from share_actors.audit.statistics import PROGRESS_EVERY, Progress, no_progress
from share_actors.errors import LogError
from share_actors.events.aggregates import AGGREGATES
from share_actors.events.attempts import AttemptStarted
from share_actors.events.decider import Command, Event, Rejected
from share_actors.events.envelope import Envelope, Recorded
from share_actors.policy import (
    OPERATIONS,
    Owner,
    Role,
    caller_of,
    is_permitted,
    owner_of,
    owns,
)
from share_actors.values import Frozen, RequestContext

MAX_EXAMPLES = 5
"""How many examples of each kind of difference are kept; all are counted."""
Kind = Literal[
    "refused", "invalid", "forbidden", "other_events", "other_fields", "other_pool", "no_pool"
]


class Other(Frozen):
    """A decision that comes out otherwise than recorded."""

    kind: Kind
    stream: str
    version: int
    position: int
    at: datetime
    command: str
    """The topic of the command, or the name of its type for a report of the system itself."""
    command_id: str | None
    recorded: str
    now: str


class Decided(Frozen):
    """The result; all counts are of commands, except `not_decided`, which counts first events by topic."""

    commands: int
    decided: int
    not_decided: dict[str, int]
    """Those that cannot be decided again, since the events do not hold all of their commands."""
    unreadable: int = 0
    """Streams with an event that cannot be read: they were decided up to it."""
    placements: int = 0
    """Choices of a pool that were made again."""
    placements_not_reproduced: int = 0
    """Choices that come out otherwise than recorded also without the other configuration."""
    differing: dict[str, int]
    """Differences by their kind."""
    examples: tuple[Other, ...]

    @property
    def ok(self) -> bool:
        """Whether every decision came out as it was recorded."""
        return not self.differing


class Differences:
    """Counts the differences, and keeps the first of each kind and command."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._kept: Counter[tuple[str, str]] = Counter()
        self.examples: list[Other] = []

    def add(self, other: Other) -> None:
        """Count *other*, and keep it if it is one of the first of its kind."""
        self.counts[other.kind] += 1
        key = (other.kind, other.command)
        self._kept[key] += 1
        if self._kept[key] <= MAX_EXAMPLES:
            self.examples.append(other)


class Decisions:
    """Decides the commands of streams again and counts what came of it."""

    def __init__(self, differences: Differences) -> None:
        self.commands = self.decided = self.unreadable = 0
        self.not_decided: Counter[str] = Counter()
        self._differences = differences

    def decide_stream(self, stream: str, history: Iterator[Recorded]) -> None:
        """Decide every command of *stream*, each in the state of the events before it."""
        aggregate: Any = AGGREGATES[stream.partition("-")[0]]
        state = aggregate.initial
        try:
            for batch in _batches(history):
                state = self._decide_batch(aggregate, state, batch)
        except LogError:
            self.unreadable += 1

    def _decide_batch(self, aggregate: Any, state: Any, batch: list[Recorded]) -> Any:
        events: list[Event] = [recorded.event for recorded in batch]
        self.commands += 1
        first = batch[0]
        try:
            command = command_of(events, state)
        except ValidationError as error:
            self.decided += 1
            self._differ("invalid", first, events[0].topic, events, _first_problem(error))
        else:
            if command is None:
                self.not_decided[events[0].topic] += 1
            else:
                self.decided += 1
                self._compare(aggregate, state, command, batch, events)
        for event in events:
            state = aggregate.evolve(state, event)
        return state

    def _compare(
        self,
        aggregate: Any,
        state: Any,
        command: Command,
        batch: list[Recorded],
        events: list[Event],
    ) -> None:
        first, name = batch[0], command.topic or type(command).__name__
        if command.topic and not _is_permitted(command, first.envelope, aggregate.view(state)):
            role = ", ".join(first.envelope.roles) or "no role"
            now = f"{command.operation()} is not permitted to {role} of {first.envelope.project_id}"
            self._differ("forbidden", first, name, events, now)
            return
        try:
            decided = aggregate.decide(command, state)
        except Rejected as refusal:
            self._differ("refused", first, name, events, str(refusal))
            return
        if list(map(type, decided)) != list(map(type, events)):
            self._differ("other_events", first, name, events, _topics(decided))
        elif decided != events:
            fields = _differing_fields(decided, events)
            self._differ("other_fields", first, name, events, f"other values of {fields}")

    def _differ(
        self, kind: Kind, first: Recorded, command: str, events: list[Event], now: str
    ) -> None:
        self._differences.add(
            Other(
                kind=kind,
                stream=first.stream,
                version=first.version,
                position=first.position,
                at=first.envelope.at,
                command=command,
                command_id=first.envelope.command_id,
                recorded=_topics(events),
                now=now,
            )
        )


def _batches(history: Iterator[Recorded]) -> Iterator[list[Recorded]]:
    """The events of each command: they have one envelope, and an attempt is begun by a command of its own."""

    def key(recorded: Recorded) -> tuple[Envelope, bool]:
        return recorded.envelope, isinstance(recorded.event, AttemptStarted)

    return (list(group) for _, group in groupby(history, key=key))


def decide_all(reader: LogReader, decisions: Decisions, progress: Progress = no_progress) -> None:
    """Decide the commands of every stream again; memory holds one state."""
    done, total = 0, reader.head()
    for stream, rows in groupby(reader.rows_by_stream(""), key=lambda row: row.stream):
        if stream.partition("-")[0] not in AGGREGATES:
            continue

        def history() -> Iterator[Recorded]:
            nonlocal done
            for row in rows:  # noqa: B023 - used up before the next stream
                done += 1
                if done % PROGRESS_EVERY == 0:
                    progress(done, total)
                yield reader.decode(row)

        decisions.decide_stream(stream, history())


def _is_permitted(command: Command, envelope: Envelope, view: Frozen) -> bool:
    """Whether the policy permits *command* to the one who sent it.

    Whether that was the system's administrator is not recorded. It must have been for what belongs to others,
    and for what only that role may do; so these commands count as permitted.
    """
    if envelope.command_id is None or not envelope.roles:
        return True
    caller = caller_of(
        RequestContext(
            user_id=envelope.user_id, project_id=envelope.project_id, roles=envelope.roles
        )
    )
    owner = Owner(command.owning_project() or owner_of(view).project_id)
    needed = OPERATIONS.get(command.operation(), Role.SYSTEM_ADMIN)
    by_administrator = needed is Role.SYSTEM_ADMIN or not owns(caller, owner)
    return by_administrator or is_permitted(command.operation(), caller, owner)


def _topics(events: list[Event]) -> str:
    return ", ".join(event.topic for event in events) or "no event"


def _differing_fields(decided: list[Event], recorded: list[Event]) -> str:
    names = {
        f"{after.topic}: {name}"
        for before, after in zip(recorded, decided, strict=True)
        for name in after.__dict__
        if before.__dict__[name] != after.__dict__[name]
    }
    return ", ".join(sorted(names))


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
