"""The functions of an aggregate without effects: each command is done once its events are recorded."""

from __future__ import annotations

from datetime import datetime

from share_actors.events.decider import Command, Effect
from share_actors.values import Frozen


def pending(state: Frozen) -> Effect | None:
    """Return None: no work is ever pending."""
    return None


def part(state: Frozen, works: tuple[str, ...]) -> Frozen | None:
    """Return None: replies hold the whole view."""
    return None


def joins(command: Command, state: Frozen) -> str | None:
    """Return None: there is no work to join."""
    return None


def under_way(state: Frozen) -> bool:
    """Return False: there are no attempts."""
    return False


def not_before(state: Frozen) -> datetime | None:
    """Return None: no retry is due."""
    return None
