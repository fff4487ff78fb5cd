"""The program's own handler of SIGTERM, which Ray replaces when a process joins or leaves a cluster."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def sigterm_kept() -> Iterator[None]:
    """Restore the program's handler of SIGTERM after the block; without one Ray's stays.

    Only the main thread may change handlers, and Ray changes them only there.
    """
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and before not in (None, signal.SIG_DFL):
            signal.signal(signal.SIGTERM, before)
