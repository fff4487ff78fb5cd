"""A killer of the system's processes: `kill -9`, or SIGSTOP for seconds."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import psutil

from tests.acceptance.systems import Site, kill

ACTOR_THEN_MANAGER = "share actor, then the manager"
BETWEEN_S = (2.0, 3.0)
"""Between the deaths: a restarted actor serves what waited for it, while its shares have moved."""
SUSPENDED = "share actor suspended"
"""For seconds, by SIGSTOP: it is replaced meanwhile, or not, and wakes up beside its successor."""


class Killer:
    """`kill -9` of randomly chosen processes of the system."""

    def __init__(self, site: Site, seed: int) -> None:
        self._site, self._rng = site, random.Random(seed)
        self.kills: Counter[str] = Counter()

    def pause(self, answered: Callable[[], int]) -> None:
        """Wait after a strike for as long as the run requires, given how many requests are *answered*."""

    def kill_actor_then_manager(self) -> None:
        """Kill a share actor and, two to three seconds later, the manager."""
        actors, manager, _ = self._pids()
        for pid in [*actors[:1], *manager]:
            self.kills["processes"] += self._hit(ACTOR_THEN_MANAGER, pid)

    def strike(self) -> None:
        """Kill one process, a group or all of them, at random; counted in `kills`."""
        actors, manager, catalog = self._pids()
        kind, pids = self._rng.choice(
            [
                *[("share actor", actors[:1])] * 4,
                *[("all share actors", actors)] * 2,
                *[("manager", manager)] * 2,
                *[(ACTOR_THEN_MANAGER, [*actors[:1], *manager])] * 4,
                *[(SUSPENDED, actors[:1])] * 2,
                ("catalog", catalog),
                ("everything", [*actors, *manager, *catalog]),
            ]
        )
        hit = sum(self._hit(kind, pid) for pid in pids)
        if hit:
            self.kills[kind] += 1
            self.kills["processes"] += hit if kind != SUSPENDED else 0

    def _hit(self, kind: str, pid: int) -> bool:
        """Kill or suspend a process, and wait if *kind* says so; whether it was one of the system's."""
        if not _is_ray_worker(pid):
            return False
        with suppress(ProcessLookupError):
            if kind == SUSPENDED:
                os.kill(pid, signal.SIGSTOP)
                time.sleep(self._rng.uniform(1.0, 8.0))
                os.kill(pid, signal.SIGCONT)
            else:
                kill(pid)
        if kind == ACTOR_THEN_MANAGER:
            time.sleep(self._rng.uniform(*BETWEEN_S))
        return True

    def _pids(self) -> tuple[list[int], list[int], list[int]]:
        status = self._site.system.status()
        actors = [
            a["pid"] for a in status["manager"].get("actors", []) if a["alive"] and "pid" in a
        ]
        self._rng.shuffle(actors)
        others = (
            [status[part]["pid"]] if "pid" in status[part] else []
            for part in ("manager", "catalog")
        )
        manager, catalog = others
        return actors, manager, catalog


def _is_ray_worker(pid: int) -> bool:
    """Whether *pid* is a Ray worker: the status of a killed process may be out of date."""
    with suppress(psutil.Error):
        return any("ray::" in part for part in psutil.Process(pid).cmdline())
    return False
