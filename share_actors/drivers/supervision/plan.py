"""What a unit needs of its supervisor besides its description; drivers derive classes from `Plan`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import ClassVar, Protocol

from share_actors.drivers.supervision.probes import OfferHeartbeat, answers
from share_actors.drivers.supervision.specs import UnitSpec

_BEAT_S = 5.0
"""The pause between two questions whether the unit answers."""


class Heartbeat(Protocol):
    """Questions that the unit must answer; no method waits."""

    def is_late(self) -> bool:
        """Go on with the question under way; whether it is unanswered for too long. May raise `OSError`."""

    def close(self) -> None:
        """End the question under way."""


class Plan:
    """The steps of the supervisor of the unit *spec* in *directory*. Any of them may raise."""

    answers_before_it_serves: ClassVar[bool] = True
    """Whether `serves` waits for an answer at the unit's port, so that a unit that then hangs is late."""

    def __init__(self, directory: Path, spec: UnitSpec) -> None:
        self.directory, self.spec = directory, spec

    def enter(self) -> None:
        """Prepare the process of the supervisor, once, before the first part is started."""

    def prepare(self) -> None:
        """Write the files that the parts read; called before each start."""

    def serves(self) -> bool:
        """Whether the unit that is being started answers clients now."""
        return answers(*self.spec.listen, self.spec.protocol)

    def heartbeats(self) -> Sequence[Heartbeat]:
        """The questions to a unit that serves; the supervisor closes them."""
        pause, limit = self.pause_s, self.spec.heartbeat_limit_s
        return [
            OfferHeartbeat(
                *self.spec.listen,
                self.spec.protocol,
                pause=pause,
                limit=limit,
                has_answered=self.answers_before_it_serves,
            )
        ]

    def look_ahead(self) -> None:
        """Do a little of what makes the next start quick; called about once a second."""

    @property
    def pause_s(self) -> float:
        """The pause between two questions, in seconds."""
        return min(_BEAT_S, self.spec.heartbeat_limit_s)


def plan_of(directory: Path, spec: UnitSpec) -> Plan:
    """The plan that *spec* names."""
    if spec.plan is None:
        return Plan(directory, spec)
    module, _, name = spec.plan.partition(":")
    made = getattr(import_module(module), name)(directory, spec)
    assert isinstance(made, Plan)
    return made
