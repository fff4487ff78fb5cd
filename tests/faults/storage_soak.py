"""`python -m tests.faults.storage_soak --minutes 10`: as `soak`, on btrfs behind several NFS-Ganeshas.

It needs root. Besides the system's processes, the NFS servers, their buses and their supervisors are killed.
What is on the backend afterwards, live and on file, is compared with the log by the system's own audit and
by lists of servers and mounts.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

from share_actors.cli.demo.storage_site import BACKEND, StorageSite, storage_site
from share_actors.drivers.ganesha.assignments import ASSIGNMENTS, Assignments
from share_actors.errors import Unavailable
from share_actors.events.attempts import AttemptStarted
from share_actors.events.share.access import AllowAccess
from share_actors.events.share.revert import RevertToSnapshot
from share_actors.testing.leftovers import own_directory
from share_actors.values import Share
from tests.acceptance.systems import Site, of_shares, opened
from tests.faults.dummy_backends import SETTINGS
from tests.faults.killer import Killer
from tests.faults.soak import print_progress, soak
from tests.faults.soak_clients import MAX_WAIT_S, Client, ClientShare

CLIENTS = 8
DAEMONS = ("ganesha.nfsd", "dbus-daemon")
"""The server and its bus, by the names of their processes; their supervisor is a Python."""
EXPORTS = 4
"""Of one NFS server: the shares of the clients need several servers."""
IMAGE_GIB = 2000
"""Of a sparse file: no request is refused for lack of room."""
OF_DAEMONS = 0.4
"""The fraction of strikes that are at the daemons."""


class StorageClient(Client):
    """Sends requests for shares on btrfs: rules by address, and reverts."""

    def _verbs(self) -> list[Callable[[ClientShare], None]]:
        return [*super()._verbs(), self._revert, self._revert]

    def _placement(self) -> dict[str, Any]:
        return {"backend": BACKEND}

    def _allow_command(self) -> AllowAccess:
        to = ".".join(["10", *(str(self._rng.randrange(256)) for _ in range(3))])
        return AllowAccess(access_id=uuid4().hex, access_type="ip", access_to=to)

    def _revert(self, share: ClientShare) -> None:
        """Revert to the last snapshot, if it is known to exist and the share has its size."""
        if share.snapshots and share.snapshots[-1] in share.sure_snapshots:
            snapshot = share.snapshots[-1]
            revert = partial(share.handle.revert_to, snapshot)
            self._send("revert", share, revert, RevertToSnapshot(snapshot_id=snapshot))


class StorageKiller(Killer):
    """Kills the daemons of a backend too, whose units have directories in *units*."""

    def __init__(self, site: Site, seed: int, units: Path) -> None:
        super().__init__(site, seed)
        self._units = units
        self.units: set[str] = set()
        """The NFS servers that lost a process."""

    def strike(self) -> None:
        """Kill processes of the system, or one daemon."""
        if self._rng.random() >= OF_DAEMONS:
            super().strike()
            return
        daemons = [p for p in psutil.process_iter() if serves(p, self._units)]
        if daemons:
            victim = self._rng.choice(daemons)
            with suppress(psutil.Error):
                name = victim.name()
                self.units.add(unit_of(victim, self._units))
                victim.kill()
                self.kills["supervisor" if name == "python" else name] += 1
                self.kills["processes"] += 1


def serves(process: psutil.Process, units: Path) -> bool:
    """Whether *process* is a daemon, or the supervisor of daemons, whose unit has a directory in *units*."""
    with suppress(psutil.Error):
        words = process.cmdline()
        of_backend = any(f"{units}/" in word for word in words)
        named = process.name() in DAEMONS or any("supervis" in word for word in words)
        return of_backend and named and process.status() != psutil.STATUS_ZOMBIE
    return False


class BtrfsBackend:
    """The backend of *site* after a run."""

    def __init__(self, site: Site, root: Path) -> None:
        self._site, self._root = site, root
        self._name = root.name

    def differing(self, shares: Mapping[str, Share]) -> list[str]:
        """What the audit finds, once the servers that were killed last run again."""
        self._wait_for_servers()
        found = self._audit()
        alive = sum(share.status == "available" for share in shares.values())
        found += [] if alive else ["no share was left to compare"]
        return found

    def _audit(self) -> list[str]:
        deadline = time.monotonic() + MAX_WAIT_S
        while True:
            try:
                differences = self._site.system.backends.audit(self._name)
            except Unavailable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1.0)
            else:
                return [difference.model_dump_json() for difference in differences]

    def leaked(self, shares: Mapping[str, Share]) -> list[str]:
        """Servers and mounts that should not be there, or that are missing."""
        alive = {i for i, share in shares.items() if share.status == "available"}
        mounted = {path.name for path in self._mounts()}
        running, needed = running_servers(self._root), sorted(self._needed())
        extra = [] if running == needed else [f"servers: {running}, not {needed}"]
        return [*extra, *(f"mounts: {i}" for i in alive if not any(i in m for m in mounted))]

    def _wait_for_servers(self) -> None:
        deadline = time.monotonic() + MAX_WAIT_S
        while time.monotonic() < deadline and self._servers_differ():
            time.sleep(0.5)

    def _servers_differ(self) -> bool:
        return running_servers(self._root) != sorted(self._needed())

    def _needed(self) -> set[str]:
        """The directories of the NFS servers that have exports, and that of the first one."""
        assignments = Assignments(self._root / ASSIGNMENTS)
        numbers = {n for n in assignments.numbers() if n == 1 or assignments.names(n)}
        return {"ganesha" if number == 1 else f"nfs-{number}" for number in numbers}

    def _mounts(self) -> Sequence[Path]:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
        return [Path(line.split()[1]) for line in lines if str(self._root) in line]

    def repeated(self) -> int:
        """How many recorded attempts were not the first."""
        with opened(self._site.config.log, self._site.config.log_path) as log:
            events = [log.decode(raw).event for raw in of_shares(log)]
        return sum(isinstance(event, AttemptStarted) and event.n > 1 for event in events)


def running_servers(units: Path) -> list[str]:
    """The names of the directories in *units* of the NFS servers that run."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, StopIteration):  # it may end meanwhile
            if process.name() == DAEMONS[0] and serves(process, units):
                found.append(unit_of(process, units))
    return sorted(found)


def unit_of(process: psutil.Process, units: Path) -> str:
    """The name of the directory in *units* of the unit of *process*."""
    word = next(word for word in process.cmdline() if f"{units}/" in word)
    return word.partition(f"{units}/")[2].partition("/")[0]


def site_on(storage: StorageSite, top: Path) -> Site:
    """A site whose only backend is btrfs."""
    backends = storage.backends
    several = {"versions": [4], "exports_per_instance": EXPORTS}
    backends[BACKEND]["options"].update(several)
    return patient_site(top, backends)


def patient_site(top: Path, backends: Mapping[str, Any]) -> Site:
    """A site with real *backends*, which repeats what fails until the run's end."""
    patient = {"backoff_s": 0.1, "max_backoff_s": 1.0, "max_attempts": 1000}
    backends = {name: {**settings, **patient} for name, settings in backends.items()}
    return Site(top / "home", backends=backends, **SETTINGS)


def run(
    minutes: float, seed: int, clients_count: int, report_progress: Any = None
) -> dict[str, Any]:
    """The report of a run on an image of its own; everything is removed afterwards."""
    with own_directory() as top, storage_site(top, IMAGE_GIB) as storage:
        site = site_on(storage, top)
        try:
            killer = StorageKiller(site, seed, top / BACKEND)
            report = soak(
                site,
                minutes,
                seed,
                report_progress,
                clients_count,
                killer,
                backends=BtrfsBackend(site, top / BACKEND),
                kind=StorageClient,
                networks=(),
            )
            servers = Assignments(top / BACKEND / ASSIGNMENTS).numbers()
            told = {"NFS servers": len(servers), "of them lost a process": len(killer.units)}
            return report | told
        finally:
            site.clear()


def main(run: Callable[..., dict[str, Any]] = run, description: str | None = __doc__) -> int:
    """Run and print the report; exit status 1 if a count is not zero."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    out, sys.stdout = sys.stdout, sys.stderr  # Ray prints every process that died to stdout
    report = {"seed": options.seed, "minutes": options.minutes}
    report |= run(options.minutes, options.seed, options.clients, print_progress)
    print(json.dumps(report, indent=2), file=out, flush=True)
    return 1 if report["wrong"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
