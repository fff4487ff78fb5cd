"""The listener of Ray for errors of a cluster, which is paced while the cluster is gone."""

from __future__ import annotations

import threading
import time
from typing import Any

from ray._private.worker import global_worker

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
