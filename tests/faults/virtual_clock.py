"""Time and threads of a simulated process: a loop whose clock jumps, and work that is done on the loop."""

from __future__ import annotations

import asyncio
import inspect
import selectors
from collections.abc import Callable
from typing import Any


class Died(KeyboardInterrupt):
    """The process ended here. Of its kind because a loop lets that, and nothing else, through."""


class Deadlock(Exception):
    """Everybody waits and nothing will ever happen."""


class _Jumping(selectors.SelectSelector):
    """Waiting for a while takes no time: the clock goes on by as much."""

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
        """As a process ends: nothing that was to run does."""
        for task in asyncio.all_tasks(self):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            coroutine: Any = task.get_coro()
            if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
                coroutine.close()
        self.set_exception_handler(lambda *_: None)
        self.close()
