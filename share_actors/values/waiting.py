"""What a driver call waits for before it begins."""

from __future__ import annotations

from share_actors.values.base import Frozen


class WaitingForThread(Frozen):
    """A driver call that waits for one of the backend's threads in its share actor.

    `place`: its place in line, from 1. `waiting`: how many calls of the backend wait there. `threads`: how
    many of its calls run at once.
    """

    backend: str
    place: int
    waiting: int
    threads: int


def sentence(waiting: WaitingForThread) -> str:
    """Describe *waiting* in one line."""
    place = f"place {waiting.place} of {waiting.waiting}"
    return f"waiting for a driver thread of backend {waiting.backend}, {place}"
