"""What the shell asks of an aggregate that owes the outside world nothing: it is done when it is recorded."""

from __future__ import annotations

from datetime import datetime

from share_actors.events.decider import Command, Effect
from share_actors.values import Frozen


def pending(state: Frozen) -> Effect | None:
    """Nothing is owed."""
    return None


def part(state: Frozen, works: tuple[str, ...]) -> Frozen | None:
    """Answers show it whole."""
    return None


def joins(command: Command, state: Frozen) -> str | None:
    """There is no work to join."""
    return None


def under_way(state: Frozen) -> bool:
    """There are no attempts."""
    return False


def not_before(state: Frozen) -> datetime | None:
    """Nothing is due later."""
    return None
