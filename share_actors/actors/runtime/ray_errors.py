"""What Ray does in a program about errors, adapted to a cluster that is gone."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from ray._private.worker import custom_excepthook, global_worker, normal_excepthook

PAUSE_S = 1.0
IMMEDIATE_S = 0.05
"""A poll that ends sooner without an error has not waited: there is no cluster to ask."""


class PacedSubscriber:
    """A subscriber of Ray whose polls are at least `PAUSE_S` apart if they do not wait.

    Ray's thread polls again at once, and would use a whole core as long as the cluster is gone.
    """

    def __init__(self, subscriber: Any) -> None:
        self._subscriber = subscriber
        self._closed = threading.Event()

    def poll(self) -> tuple[Any, Any]:
        """The next error, or None after some time, as Ray's own subscriber returns it."""
        began = time.monotonic()
        key, error = self._subscriber.poll()
        if error is None and time.monotonic() - began < IMMEDIATE_S:
            self._closed.wait(PAUSE_S)
        return key, error

    def close(self) -> None:
        """End the polls."""
        self._closed.set()
        self._subscriber.close()


def pace_listener() -> None:
    """Pace the listener of this process, which has just joined a cluster."""
    worker: Any = global_worker
    subscriber = getattr(worker, "gcs_error_subscriber", None)
    if subscriber is not None and not isinstance(subscriber, PacedSubscriber):
        worker.gcs_error_subscriber = PacedSubscriber(subscriber)


def show_uncaught_errors(reachable: Callable[[], bool]) -> None:
    """Have an uncaught error shown at once while the cluster is not *reachable*.

    Ray's hook first reports the error to the cluster, and waits for it without a bound.
    """

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        (custom_excepthook if reachable() else normal_excepthook)(kind, error, trace)

    if sys.excepthook is custom_excepthook:
        sys.excepthook = show
