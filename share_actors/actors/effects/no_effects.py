"""The `Work` of aggregates without effects: networks, types and backends are done once recorded."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from share_actors.events.attempts import ReportFailure
from share_actors.events.decider import Command, Effect
from share_actors.values import Frozen, RequestContext


class NoWork:
    """A `Work` (see `actors.entity.turn`) that performs nothing."""

    def preparation(self, command: Command, state: Frozen) -> None:
        """None: nothing has to end before *command* can be checked."""

    def check(self, command: Command, state: Frozen) -> None:
        """Accept *command*: there is no backend that could reject it."""

    def timeout_s(self, effect: Effect, state: Frozen) -> float:
        """Any time will do: no attempt is ever made."""
        return 60.0

    def cut_off(self, state: Frozen, now: datetime) -> ReportFailure:
        """A failure, to satisfy the port: no attempt is ever made."""
        return ReportFailure(kind="failed", reason="there was no attempt")

    def max_pause_s(self, state: Frozen) -> float:
        """Any time will do: no attempt is ever made."""
        return 60.0

    def start(
        self,
        effect: Effect,
        state: Frozen,
        context: RequestContext,
        done: Callable[[Command], None],
    ) -> None:
        """Raise `TypeError`: an aggregate without effects has none pending."""
        raise TypeError(f"{type(effect).__name__} is an effect of an aggregate that has none")
