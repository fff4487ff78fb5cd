"""The port of entities that owe nothing: networks, types and backends are done when they are recorded."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from share_actors.events.attempts import ReportFailure
from share_actors.events.decider import Command, Effect
from share_actors.values import Frozen, RequestContext


class NoWork:
    """An `actors.turn.Work` without effects."""

    def check(self, command: Command, state: Frozen) -> None:
        """Nothing outside could object."""

    def timeout_s(self, state: Frozen) -> float:
        return 60.0

    def cut_off(self, state: Frozen, now: datetime) -> ReportFailure:
        return ReportFailure(kind="failed", reason="there was no attempt")

    def max_pause_s(self, state: Frozen) -> float:
        return 60.0

    def start(
        self,
        effect: Effect,
        state: Frozen,
        context: RequestContext,
        done: Callable[[Command], None],
    ) -> None:
        raise TypeError(f"{type(effect).__name__} is owed by what owes nothing")
