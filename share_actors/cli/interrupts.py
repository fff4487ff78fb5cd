"""Signals that end a command: raised like Ctrl-C, or held back while it records or undoes what it did."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SEND_AGAIN_AFTER_S = 0.01
REPEAT_AFTER_S = 1.0
"""A signal that comes sooner than this after one that was raised belongs to it."""


@contextmanager
def raised(signals: Collection[signal.Signals] = SIGNALS) -> Iterator[Callable[[], None]]:
    """Have *signals* raise `KeyboardInterrupt` in the block, except those that this process ignores.

    None is lost: what Python ignores, in a finalizer or a callback, is raised again, and what other code
    caught, at the end of the block. The yielded function raises it earlier than that.
    """
    received = _Received()
    with _handled(received.handle, signals), _sent_again(received):
        yield received.check
        received.check()


class _Received:
    """The signals that were received, and when one was raised last."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._raised_at = -math.inf
        self._timer = threading.Timer(0.0, lambda: None)
        self.hook_before = sys.unraisablehook

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Raise `KeyboardInterrupt`, unless that of a signal just before has yet to take effect."""
        self._last = number
        if _is_in_hook(frame):  # Python ignores what is raised there, too
            self.send_again()
        elif time.monotonic() - self._raised_at > REPEAT_AFTER_S:
            self._raised_at = time.monotonic()
            raise KeyboardInterrupt

    def hook(self, unraisable: Any) -> None:
        """For `sys.unraisablehook`: send a signal again whose exception Python ignores."""
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            self.send_again()
        else:
            self.hook_before(unraisable)

    def send_again(self) -> None:
        """Send the last signal again soon: the exception that it raised was ignored."""
        if self._last is None:
            return
        self._raised_at = -math.inf
        arguments = (threading.main_thread().ident, self._last)
        self._timer = threading.Timer(SEND_AGAIN_AFTER_S, signal.pthread_kill, arguments)
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        """Send none again from now on."""
        self._timer.cancel()
        if self._timer.is_alive():
            self._timer.join()

    def check(self) -> None:
        """Raise `KeyboardInterrupt` if a signal was received."""
        if self._last is not None:
            raise KeyboardInterrupt


def _is_in_hook(frame: FrameType | None) -> bool:
    """Whether the interrupted *frame* is in `_Received.hook`, or in what that calls."""
    while frame is not None:
        if frame.f_code is _Received.hook.__code__:
            return True
        frame = frame.f_back
    return False


@contextmanager
def _sent_again(received: _Received) -> Iterator[None]:
    """Send a signal again if Python ignores the exception that it raised in the block."""
    sys.unraisablehook = received.hook
    try:
        yield
    finally:
        sys.unraisablehook = received.hook_before
        received.end()


@contextmanager
def deferred() -> Iterator[None]:
    """Let the first signal that arrives during the block take effect at its end."""
    received: list[int] = []
    with _handled(lambda number, _: received.append(number), SIGNALS):
        yield
    if received:
        signal.raise_signal(received[0])


@contextmanager
def ignored() -> Iterator[None]:
    """Ignore signals during the block: it cleans up and ends within seconds."""
    with _handled(lambda *_: None, SIGNALS):
        yield


@contextmanager
def _handled(handler: Any, signals: Collection[signal.Signals]) -> Iterator[None]:
    heeded = [number for number in signals if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in heeded}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
