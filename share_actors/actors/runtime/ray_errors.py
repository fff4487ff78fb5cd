"""What Ray does in a program whose cluster, or whose node, is gone."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import cache
from types import TracebackType
from typing import Any

from ray._private import worker as ray_worker
from ray._private.worker import custom_excepthook, global_worker, normal_excepthook

from share_actors.actors.runtime import OUTAGE

logger = logging.getLogger(__name__)
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


@cache
def warn_of_outages() -> None:
    """Warn a program, once, that Ray would end it without an exception while the head is away."""
    if not OUTAGE.keys() <= os.environ.keys() and global_worker.mode == ray_worker.SCRIPT_MODE:
        (variable, value) = next(iter(OUTAGE.items()))
        logger.warning(
            "Ray ends this program if the head of its cluster is away for 60 s: set %s=%s before ray.init(),"
            " or leave it to share_actors.connect() to join the cluster",
            variable,
            value,
        )


def node_lives() -> bool:
    """Whether the Ray node that this process is attached to runs; its cluster may have outlived it."""
    node = ray_worker._global_node
    path = getattr(node, "raylet_socket_name", None)
    if path is None:
        return True  # of the Ray client (`ray://`)
    with socket.socket(socket.AF_UNIX) as tried:
        return tried.connect_ex(str(path).removeprefix("unix://")) == 0
