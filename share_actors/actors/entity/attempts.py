"""The attempts at one entity's effects: one at a time, each recorded before the driver is called."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import Generic

from share_actors.actors.entity.backoff import Backoff
from share_actors.actors.entity.stream import EntityStream
from share_actors.actors.entity.turn import Aggregate, E, F, Outcome, S, Turn, Work
from share_actors.events.aggregates import address_of, backend_of
from share_actors.events.attempts import BeginAttempt, stopped
from share_actors.events.decider import Command, Rejected
from share_actors.events.envelope import Envelope
from share_actors.observability.log_context import about, fields_of
from share_actors.observability.tracing import active_span, caused_by

logger = logging.getLogger(__name__)
_BEGIN = BeginAttempt(activation="", timeout_s=0.0)
"""A pattern: a copy is faster than a new one, whose fields would be checked."""


class Attempts(Generic[E, S, F]):
    """Starts the attempt at what is pending, when it is due, and performs its effect once that is durable."""

    def __init__(
        self,
        aggregate: Aggregate[E, S, F],
        work: Work[S, F],
        stream: EntityStream[E, S, F],
        activation: str,
        *,
        put_outcome: Callable[[Outcome], None],
        wake: Callable[[], None],
    ) -> None:
        self._aggregate, self._work, self._stream = aggregate, work, stream
        self._activation = activation
        self._put_outcome, self._wake = put_outcome, wake
        self._backoff = Backoff()
        self._under_way: tuple[str, Envelope, float] | None = None
        """The effect in flight, the envelope of its request, and when it began (`time.monotonic`)."""
        self.held = False

    @property
    def in_flight(self) -> bool:
        """Whether an effect is being performed."""
        return self._under_way is not None

    @property
    def under_way(self) -> tuple[str, float] | None:
        """The effect that is being performed and for how many seconds; None if there is none."""
        if self._under_way is None:
            return None
        effect, _, began = self._under_way
        return effect, time.monotonic() - began

    def conclude(self, outcome: Outcome, turn: Turn[S, F]) -> None:
        """Record *outcome* in *turn*; one of an attempt that has ended already is ignored."""
        try:
            turn.conclude(outcome)
        except Rejected as rejection:
            logger.warning("%s: ignored a late outcome: %s", self._stream.name, rejection)

    def begin(self, turn: Turn[S, F]) -> None:
        """Record the start of the next attempt in *turn*, if it is due and none is in flight."""
        if self.held or (self.in_flight and turn.outcome is None):
            return
        if self._aggregate.under_way(turn.state):  # made by an activation that has ended
            turn.report(self._work.cut_off(turn.state, turn.at), self._stream.last_request)
        effect = self._aggregate.pending(turn.state)
        if effect is None or not self._is_due(turn):
            return
        timeout_s = self._work.timeout_s(effect, turn.state)
        begin = _BEGIN.replace(activation=self._activation, timeout_s=timeout_s)
        cause = self._stream.receipts.cause(effect.key())
        turn.begin(effect, begin, cause or turn.origin or self._stream.last_request)

    def _is_due(self, turn: Turn[S, F]) -> bool:
        max_pause_s = self._work.max_pause_s(turn.state)
        not_before = self._aggregate.not_before(turn.state)
        remaining_s = self._backoff.remaining_s(not_before, turn.at, max_pause_s)
        if remaining_s > 0:
            self._backoff.schedule(remaining_s, self._wake)
        return remaining_s <= 0

    def perform(self, turn: Turn[S, F]) -> None:
        """Perform the effect whose attempt began with *turn*, which is durable."""
        if turn.outcome is not None:
            self._under_way = None
        if turn.effect is None:
            return
        origin, _ = turn.entries[-1]
        self._under_way = turn.effect.key(), origin, time.monotonic()

        def done(command: Command) -> None:
            self._put_outcome(Outcome(command, origin, active_span()))

        context, state = turn.context(self._stream.version), self._stream.state
        attempt = fields_of(
            address_of(self._stream.name) or self._stream.name,
            origin.correlation_id,
            origin.request_id,
            backend=backend_of(state),
            attempt=context.attempt,
        )
        caused = caused_by(self._stream.traces.get((origin.project_id, origin.correlation_id), ""))
        with about(attempt), caused:  # so are the threads and tasks that this starts
            self._work.start(turn.effect, state, context, done)

    def cut_off(self, now: datetime) -> None:
        """Conclude the attempt in flight, whose driver call a planned stop of the system ends."""
        if self._under_way is not None:
            self._put_outcome(Outcome(stopped(now), self._under_way[1]))

    def wake_after(self, seconds: float) -> None:
        """Wake the entity after so many seconds, for the work that is pending then."""
        self._backoff.schedule(seconds, self._wake)

    def cancel_wake(self) -> None:
        """Do not wake the entity for an attempt that comes due."""
        self._backoff.cancel()
