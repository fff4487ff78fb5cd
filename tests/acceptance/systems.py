"""A real system on the session's Ray cluster, in a namespace and a home of its own, and reads of its log."""

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

MAX_WAIT_S = 90.0
"""How long `eventually` waits: enough for a busy machine."""
MAX_PAUSE_S = 0.5
"""The longest pause between two polls, which take time from the system under test."""
ONE_ACTOR = {"min_actors": 1, "max_actors": 1}
TRANSITIONAL = {"creating", "extending", "shrinking", "reverting", "deleting"}
_numbers = count(1)
T = TypeVar("T")


class Site:
    """A home, a namespace and a configuration; its system can be stopped and started again."""

    def __init__(self, home: Path, **settings: Any) -> None:
        self.home = home
        self.backend = DummyBackend(home / "dummy")
        """The shares and calls of the backend `dummy`."""
        dummy = {"driver": "dummy", "options": {"directory": str(home / "dummy")}}
        settings = {"hosting": ONE_ACTOR, "backends": {"dummy": dummy}, **settings}
        settings.setdefault("default_backend", next(iter(settings["backends"])))
        name = f"test-{os.getpid()}-{next(_numbers)}"
        self.config = Config(namespace=name, home=home, **settings)
        self.backends = home
        """The directory of the backends' data."""
        self._system: ShareSystem | None = None

    @property
    def system(self) -> ShareSystem:
        """The running system, started on first use and after `stop`."""
        if self._system is None:
            self._system = client.start(self.config)
        return self._system

    def stop(self) -> None:
        """Stop the system, if it runs, as a user does."""
        system, self._system = self._system, None
        if system is not None:
            system.close()

    def clear(self) -> None:
        """Stop the system and kill every actor that is left."""
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
        """The process ids of all share actors, once each of them is alive."""

        def reported() -> list[int] | None:
            actors = self.system.status()["manager"].get("actors", [])
            pids = [actor["pid"] for actor in actors if actor["alive"] and "pid" in actor]
            alive = all(
                map(psutil.pid_exists, pids)
            )  # the manager may not have noticed a death yet
            return pids if alive and len(pids) == len(actors) > 0 else None

        return eventually(reported)

    def manager_pid(self) -> int:
        """The process id of the manager, once it runs."""
        return int(eventually(lambda: self.system.status()["manager"].get("pid")))

    def catalog_pid(self) -> int:
        """The process id of the catalog, once it runs."""
        return int(eventually(lambda: self.system.status()["catalog"].get("pid")))

    # -- the log -----------------------------------------------------------------------------------
    def events(self) -> int:
        """The number of events of shares in the log."""
        with opened(self.config.log, self.config.log_path) as log:
            return len(list(of_shares(log)))

    def head(self) -> int:
        """The position of the last event of a share; backends record events at any time."""
        with opened(self.config.log, self.config.log_path) as log:
            return max((raw.position for raw in of_shares(log)), default=0)

    def replayed(self, log_path: Path | None = None) -> dict[str, Share]:
        """Every share by id, by replay of the log alone."""
        with opened(self.config.log, log_path or self.config.log_path) as log:
            return replayed(log)

    def settled(self) -> dict[str, Share]:
        """Every share that is not deleted, by id, once no status is transitional."""

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
    """The existing log at *path*, closed afterwards."""
    with closing(Log.open(settings, path, create=False)) as log:
        yield log


def of_shares(log: Log) -> Iterator[Notification]:
    """The events of shares, in order."""
    return (raw for raw in log.notifications(0, 10_000_000) if raw.stream.startswith("share-"))


def replayed(log: Log) -> dict[str, Share]:
    """Every share of *log* by id, by replay."""
    streams: dict[str, list[Any]] = {}
    for raw in of_shares(log):
        streams.setdefault(raw.stream, []).append(log.decode(raw).event)
    shares = (share.view(replay(share, events)) for events in streams.values())
    return {made.id: made for made in shares}


def eventually(poll: Callable[[], T | None]) -> T:
    """The first result of *poll* that is neither None nor False; fails after MAX_WAIT_S."""
    deadline, pause_s = time.monotonic() + MAX_WAIT_S, 0.05
    while time.monotonic() < deadline:
        result = poll()
        if result is not None and result is not False:
            return result
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, MAX_PAUSE_S)
    raise AssertionError(f"not within {MAX_WAIT_S:g} s")


def kill(pid: int) -> None:
    """`kill -9`; *pid* comes from the status of the test's own system."""
    os.kill(pid, signal.SIGKILL)


def made(result: object) -> ShareHandle:
    """Return *result*, an item of a bulk call, which must be a share."""
    assert isinstance(result, ShareHandle), result
    return result
