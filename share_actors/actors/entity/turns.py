"""The turns of all entities of one event loop: those that are due are taken together, in one callback.

All that these turns append is then handed to the log at once, and its commit is answered at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextvars import Context

logger = logging.getLogger(__name__)


class Turns:
    """The turns that are due, in the order in which they became so."""

    def __init__(self) -> None:
        self._due: list[Callable[[], None]] = []
        self._nothing = Context()
        """Turns of many entities run in it: they are not about the one that was due first."""

    def add(self, turn: Callable[[], None]) -> None:
        """Take *turn* soon; what it raises is logged, since others wait after it."""
        if not self._due:
            asyncio.get_running_loop().call_soon(self._take, context=self._nothing)
        self._due.append(turn)

    def _take(self) -> None:
        due, self._due = self._due, []
        for turn in due:
            try:
                turn()
            except Exception:
                logger.exception("a turn failed")
