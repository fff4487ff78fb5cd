"""A real system on the run's Ray cluster, in a namespace and a home of its own, and what its log says."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import psutil
import ray

from share_actors import client
from share_actors.actors.runtime import names
from share_actors.client import ShareHandle, ShareSystem
from share_actors.config import Config, LogSettings
from share_actors.drivers.dummy.backend import DummyBackend
from share_actors.events import share
from share_actors.events.decider import replay
from share_actors.events.log import Log, Notification
from share_actors.values import Share

PATIENCE_S = 90.0
"""How long anything may take on a busy machine before it counts as never."""
ONE_ACTOR = {"min_actors": 1, "max_actors": 1}
TRANSITIONAL = {"creating", "extending", "shrinking", "deleting"}
_numbers = count(1)
T = TypeVar("T")


class Site:
    """A home, a namespace and a configuration; its system can be stopped and started again."""

    def __init__(self, home: Path, **settings: Any) -> None:
        self.home = home
        self.backend = DummyBackend(home / "dummy")
        """What the backend `dummy` holds."""
        dummy = {"driver": "dummy", "options": {"directory": str(home / "dummy")}}
        settings = {"hosting": ONE_ACTOR, "backends": {"dummy": dummy}, **settings}
        settings.setdefault("default_backend", next(iter(settings["backends"])))
        name = f"test-{os.getpid()}-{next(_numbers)}"
        self.config = Config(namespace=name, home=home, **settings)
        self.backends = home
        """Where backends keep what they have, if that is not in the home."""
        self._system: ShareSystem | None = None

    @property
    def system(self) -> ShareSystem:
        """The system, started unless it runs."""
        if self._system is None:
            self._system = client.start(self.config)
        return self._system

    def stop(self) -> None:
        """In order, as a user does."""
        system, self._system = self._system, None
        if system is not None:
            system.close()

    def clear(self) -> None:
        """Leave no actor, whatever happened."""
        try:
            self.stop()
        finally:
            for name in self.actors():
                ray.kill(ray.get_actor(name, self.config.namespace), no_restart=True)

    def actors(self) -> list[str]:
        """The names of the Ray actors of this system."""
        return sorted(names.actor_names(self.config.namespace))

    # -- processes ---------------------------------------------------------------------------------
    def share_actor_pids(self) -> list[int]:
        """Of all share actors, each of which must be alive."""

        def reported() -> list[int] | None:
            actors = self.system.status()["manager"].get("actors", [])
            pids = [actor["pid"] for actor in actors if actor["alive"] and "pid" in actor]
            there = all(map(psutil.pid_exists, pids))  # a death may not be known to the manager yet
            return pids if there and len(pids) == len(actors) > 0 else None

        return eventually(reported)

    def manager_pid(self) -> int:
        return int(eventually(lambda: self.system.status()["manager"].get("pid")))

    def catalog_pid(self) -> int:
        return int(eventually(lambda: self.system.status()["catalog"].get("pid")))

    # -- what is recorded --------------------------------------------------------------------------
    def events(self) -> int:
        """How many events of shares the log holds, as a reader of all of it finds."""
        with opened(self.config.log, self.config.log_path) as log:
            return len(list(of_shares(log)))

    def head(self) -> int:
        """The position of the last event of a share: backends may tell of themselves at any time."""
        with opened(self.config.log, self.config.log_path) as log:
            return max((raw.position for raw in of_shares(log)), default=0)

    def replayed(self, log_path: Path | None = None) -> dict[str, Share]:
        """Every share as the log alone tells it."""
        with opened(self.config.log, log_path or self.config.log_path) as log:
            return replayed(log)

    def settled(self) -> dict[str, Share]:
        """Every share that is not deleted, once none is between two states."""

        def at_rest() -> dict[str, Share] | None:
            shares = {s.id: s for s in self._listed()}
            return None if any(s.status in TRANSITIONAL for s in shares.values()) else shares

        return eventually(at_rest)

    def _listed(self) -> Iterator[Share]:
        marker = None
        while True:
            page = self.system.shares(limit=1000, marker=marker)
            yield from (handle.seen for handle in page.items)
            marker = page.next_marker
            if marker is None:
                return


@contextmanager
def opened(settings: LogSettings, path: Path) -> Iterator[Log]:
    with closing(Log.open(settings, path, create=False)) as log:
        yield log


def of_shares(log: Log) -> Iterator[Notification]:
    """All that happened to shares."""
    return (raw for raw in log.notifications(0, 10_000_000) if raw.stream.startswith("share-"))


def replayed(log: Log) -> dict[str, Share]:
    """Every share of *log*, by replay."""
    streams: dict[str, list[Any]] = {}
    for raw in of_shares(log):
        streams.setdefault(raw.stream, []).append(log.decode(raw).event)
    shares = (share.view(replay(share, events)) for events in streams.values())
    return {made.id: made for made in shares}


def eventually(ask: Callable[[], T | None]) -> T:
    """The first answer of *ask* that is not None or False."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        answer = ask()
        if answer is not None and answer is not False:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"not within {PATIENCE_S:g} s")


def kill(pid: int) -> None:
    """`kill -9`; *pid* is one that a system of the test itself named."""
    os.kill(pid, signal.SIGKILL)


def made(result: object) -> ShareHandle:
    """An item of a bulk call, which must be a share."""
    assert isinstance(result, ShareHandle), result
    return result
