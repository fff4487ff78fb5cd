"""Signals that end a command: raised like Ctrl-C, or held back while it records or undoes what it did."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def raised() -> Iterator[None]:
    """Have SIGTERM and SIGHUP raise `KeyboardInterrupt` in the block, unless this process ignores them."""
    with _handled(signal.default_int_handler, SIGNALS[1:]):
        yield


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
def _handled(handler: Any, signals: tuple[signal.Signals, ...]) -> Iterator[None]:
    heeded = [number for number in signals if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in heeded}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
