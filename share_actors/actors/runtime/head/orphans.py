"""Actors whose Ray node has ended: Ray leaves them running if the head of their cluster was lost."""

from __future__ import annotations

import logging
import os
import threading
import time

logger = logging.getLogger(__name__)
CHECK_EVERY_S = 1.0


def end_with_raylet(check_every_s: float = CHECK_EVERY_S) -> None:
    """Have this process, which is an actor, end soon after the raylet that started it.

    A raylet ends if its head is away for too long, or if a head without the tables of the former one has
    taken its place. Its actors then wait for the former head without end, and would keep the log from the
    system that is started on the new one.
    """
    raylet = os.getppid()

    def watch() -> None:
        while os.getppid() == raylet:
            time.sleep(check_every_s)
        logger.critical("the Ray node of this actor has ended, and so does the actor")
        os._exit(1)

    threading.Thread(target=watch, name="raylet-watch", daemon=True).start()
