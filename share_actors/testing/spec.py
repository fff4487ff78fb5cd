"""Specs for aggregates: given events, when a command arrives, then these new events."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from share_actors.events.decider import Command, Decider, Effect, Event, Rejected, replay

C = TypeVar("C", bound=Command)
E = TypeVar("E", bound=Event)
S = TypeVar("S")
F = TypeVar("F", bound=Effect)


@dataclass(frozen=True)
class Spec(Generic[C, E, S, F]):
    """`Spec(share).given(events).when(command).then(events)`, where *share* is the module.

    A spec is immutable: a partial one can be the start of several others.
    """

    decider: Decider[C, E, S, F]
    history: tuple[E, ...] = ()
    command: C | None = None

    def given(self, *events: E) -> Spec[C, E, S, F]:
        """Add *events* to the history."""
        return Spec(self.decider, self.history + events, self.command)

    def when(self, command: C) -> Spec[C, E, S, F]:
        """Set the command to decide."""
        return Spec(self.decider, self.history, command)

    def then(self, *events: E) -> None:
        """Assert that the command results in exactly these events."""
        assert self._decided() == list(events)

    def then_rejected(self, because: str) -> None:
        """Assert that the command is rejected with a message that matches the regex *because*."""
        try:
            events = self._decided()
        except Rejected as rejection:
            if not re.search(because, str(rejection)):
                raise AssertionError(f"rejected, but with: {rejection}") from None
        else:
            raise AssertionError(f"not rejected: decided {events}")

    def then_pending(self, effect: F | None) -> None:
        """Assert that *effect* is pending in the resulting state."""
        assert self.decider.pending(self.state) == effect

    def then_state(self, seen: Callable[[S], object], expected: object) -> None:
        """Assert that *seen* of the resulting state is *expected*."""
        assert seen(self.state) == expected

    @property
    def state(self) -> S:
        """The state after the history, and after the command when there is one."""
        events = self.history if self.command is None else (*self.history, *self._decided())
        return replay(self.decider, events)

    def _decided(self) -> list[E]:
        assert self.command is not None, "call .when(command) first"
        return self.decider.decide(self.command, replay(self.decider, self.history))
