"""The states that an aggregate can reach: every command and every outcome, tried in each of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from share_actors.events.decider import Command, Rejected
from share_actors.events.envelope import Recorded
from tests.events.share_events import Stream


class Reached(NamedTuple):
    """A state, the step that led to it, and the place that the step was taken from (None: the start)."""

    state: Any
    events: tuple[Any, ...]
    requested: bool
    before: Reached | None

    def history(self) -> list[Recorded]:
        """The stream that leads to the state."""
        steps: list[Reached] = []
        place: Reached | None = self
        while place is not None:
            steps.append(place)
            place = place.before
        stream = Stream()
        return [
            stream(event, f"c{n}" if step.requested else None)
            for n, step in enumerate(reversed(steps))
            for event in step.events
        ]


def reachable(
    aggregate: Any,
    requests: Sequence[Command],
    outcomes: Callable[[Any], Sequence[Command]],
    key: Callable[[Any], str],
) -> Iterator[Reached]:
    """Every state that *requests* and the *outcomes* of its attempts lead to, once for each *key*."""
    start = Reached(aggregate.initial, (), False, None)
    seen, waiting = {key(start.state)}, deque([start])
    while waiting:
        place = waiting.popleft()
        if place.events:
            yield place
        steps = [(c, True) for c in requests] + [(c, False) for c in outcomes(place.state)]
        for command, requested in steps:
            after = decided(aggregate, command, place, requested)
            if after is not None and key(after.state) not in seen:
                seen.add(key(after.state))
                waiting.append(after)


def decided(aggregate: Any, command: Command, place: Reached, requested: bool) -> Reached | None:
    """The place that *command* leads to from *place*; None if it is rejected or changes nothing."""
    try:
        events = tuple(aggregate.decide(command, place.state))
    except Rejected:
        return None
    if not events:
        return None
    state = place.state
    for event in events:
        state = aggregate.evolve(state, event)
    return Reached(state, events, requested, place)
