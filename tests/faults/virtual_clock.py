"""An event loop for simulated processes: its clock jumps, and threads are replaced by callbacks."""

from __future__ import annotations

import asyncio
import inspect
import selectors
from collections.abc import Callable
from typing import Any


class Died(KeyboardInterrupt):
    """The process died here. A KeyboardInterrupt, for asyncio lets no other exception out of callbacks."""


class Deadlock(Exception):
    """All tasks wait and no event is due."""


class _Jumping(selectors.SelectSelector):
    """A selector that returns at once and moves the clock forward by the timeout."""

    def __init__(self, now: float) -> None:
        super().__init__()
        self.now = now

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Deadlock
        self.now += max(0.0, timeout)
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop with the clock of `_Jumping`, where threads are replaced by turns of the loop."""

    def __init__(self, now: float) -> None:
        self.clock = _Jumping(now)
        super().__init__(self.clock)

    def _make_self_pipe(self) -> None:
        """Create no sockets: no other thread wakes this loop."""

    def _close_self_pipe(self) -> None:
        """Close nothing: see `_make_self_pipe`."""

    def time(self) -> float:
        return self.clock.now

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> Any:
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Any = None
    ) -> Any:
        return self.call_soon(callback, *args, context=context)

    def abandon(self) -> None:
        """Close the loop without running anything more, as the end of a process does."""
        for task in asyncio.all_tasks(self):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            coroutine: Any = task.get_coro()
            if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
                coroutine.close()
        self.set_exception_handler(lambda *_: None)
        self.close()
