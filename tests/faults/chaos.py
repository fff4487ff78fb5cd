"""`python -m tests.faults.chaos --log postgresql --minutes 10`: the soak test, while the log fails as well.

Its processes die one after the other, at once, or are suspended; the database is killed, paused, made
read-only, locked or full; and hundreds of shares are created at once, which makes large commits. All
counts of the soak test must be zero. For SQLite the program is run in a mount namespace of its own, where
the log has a small disk: without that permission the disk is not filled.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from share_actors.client import ShareHandle
from share_actors.client.ids import fresh_id
from share_actors.errors import ShareActorsError
from share_actors.values import utc_now
from tests.acceptance.systems import Site
from tests.events import full_disk, postgres
from tests.faults.dummy_backends import SETTINGS, slow
from tests.faults.killer import SUSPENDED, Killer
from tests.faults.log_faults import (
    LOCK_TIMEOUT_S,
    PAUSE_S,
    Faults,
    PostgresFaults,
    SqliteFaults,
    own_disk,
)
from tests.faults.soak import CLIENTS, clients_running, print_progress, soak, stopped
from tests.faults.soak_clients import MAX_WAIT_S, Client, ClientShare, Request

LOG_FAULTS = 0.4
"""The fraction of strikes that are at the log."""
BOTH = 0.5
"""The fraction of those during which processes are struck as well."""
BULK = 400
"""Shares that are created at once: more than half a megabyte in one commit of each actor."""
ANSWERS, MAX_PAUSE_S = 10, 20.0
"""After so many answers, or seconds, the next strike may come."""
IN_NAMESPACE = "CHAOS_NAMESPACE"


class ChaosKiller(Killer):
    """Kills and suspends processes of the system, or lets its log fail."""

    def __init__(self, site: Site, seed: int, faults: Faults) -> None:
        super().__init__(site, seed)
        self._faults, self._deck = faults, list[str]()

    def strike(self) -> None:
        """Do what the soak test does, let the log fail, or both at once."""
        with ThreadPoolExecutor(1) as beside:
            log_fails = self._rng.random() < LOG_FAULTS
            failing = beside.submit(self.let_log_fail) if log_fails else None
            if failing is None or self._rng.random() < BOTH:
                self._strike_processes()
            if failing is not None:
                failing.result()

    def _strike_processes(self) -> None:
        ways = [*[super().strike] * 4, self._kill_one_after_the_other, self._suspend_manager]
        try:
            self._rng.choice(ways)()
        except ShareActorsError:  # the status can't be read just now
            self.kills["not possible"] += 1

    def _kill_one_after_the_other(self) -> None:
        """Kill every process of the system, with pauses in which others take over."""
        for pids in self._pids():
            for pid in pids:
                self.kills["processes"] += self._hit("one after the other", pid)
                time.sleep(self._rng.uniform(0.2, 2.0))
        self.kills["one after the other"] += 1

    def _suspend_manager(self) -> None:
        _, manager, _ = self._pids()
        self.kills["manager suspended"] += sum(self._hit(SUSPENDED, pid) for pid in manager)

    def pause(self, answered: Callable[[], int]) -> None:
        """Let the system answer some requests: on a busy machine its processes start slowly."""
        before, deadline = answered(), time.monotonic() + MAX_PAUSE_S
        while answered() < before + ANSWERS and time.monotonic() < deadline:
            time.sleep(0.2)

    def let_log_fail(self) -> None:
        """Let the log fail in the next way; each is as frequent as the others."""
        if not self._deck:
            self._deck = self._rng.sample([*self._faults], len(self._faults))
        kind = self._deck.pop()
        self._faults[kind]()
        self.kills[kind] += 1


class BulkClient(Client):
    """Creates hundreds of shares at once and deletes them, again and again."""

    size, pause_s = BULK, 20.0

    def run(self) -> None:
        """Create and delete until stopped."""
        while not self._stopped.is_set():
            self._create_many()
            with ThreadPoolExecutor(8) as threads:
                list(threads.map(self._delete_unless_stopped, [*self._shares]))
            self._stopped.wait(self.pause_s)

    def _delete_unless_stopped(self, share: ClientShare) -> None:
        if not self._stopped.is_set():
            self._delete_share(share)

    def _create_many(self) -> None:
        """Create shares; those that get no answer are asked for again with the same ids."""
        waiting = [self._new_request() for _ in range(self.size)]
        self._gives_up = time.monotonic() + MAX_WAIT_S
        while waiting and self._is_patient():
            asked = [{**ABOUT, "name": name, "command_id": r.command_id} for r, name in waiting]
            results = self._system.create_shares(asked, wait=False, timeout=20.0)
            told = zip(waiting, results, strict=True)
            waiting = [item for item, result in told if not self._take(item[0], result)]

    def _new_request(self) -> tuple[Request, str]:
        request = Request(fresh_id(), "create at once", began=utc_now())
        self.requests.append(request)
        self.names.append(name := f"{self.name}-{len(self.names)}")
        return request, name

    def _take(self, request: Request, result: ShareHandle | ShareActorsError) -> bool:
        """Note the result of *request*; whether it is final."""
        if isinstance(result, ShareActorsError):
            return not request.note(result)
        request.reply, request.share_id = "accepted", result.id
        self._shares.append(ClientShare(result))
        return True


ABOUT = {"size": 1, "backend": "dummy", "description": "x" * 255}


def configured(site: Site) -> Any:
    """The configuration of the soak test, with room for all shares."""
    config = slow(site)
    roomy = {
        name: backend.model_copy(update={"options": {**backend.options, "capacity_gib": 10**6}})
        for name, backend in config.backends.items()
    }
    return config.model_copy(update={"backends": roomy})


def chaos(
    site: Site, faults: Faults, minutes: float, seed: int, clients: int, report: Any = None
) -> dict[str, Any]:
    """The report of the soak test, with these faults of the log."""
    killer = ChaosKiller(site, seed, faults)
    return soak(site, minutes, seed, report, clients, killer, [BulkClient])


def each_fault_once(site: Site, faults: Faults, seed: int, clients_count: int) -> dict[str, Any]:
    """The report of a run in which the log fails in each way once, and an actor and the manager die."""
    stop, killer = threading.Event(), ChaosKiller(site, seed, faults)
    kinds = [*[Client] * clients_count, BulkClient]
    clients = [kind(f"client{n}", site.system, seed + n, stop) for n, kind in enumerate(kinds)]
    with clients_running(clients, stop):
        for _ in faults:
            time.sleep(2.0)
            killer.let_log_fail()
        killer.kill_actor_then_manager()
    return stopped(site, stop, clients, killer)


# -- the program -----------------------------------------------------------------------------------
def main() -> int:
    """Run it and print the report; exit status 1 if a count is not zero."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.chaos", description=__doc__)
    parser.add_argument("--log", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--clients", type=int, default=CLIENTS)
    options = parser.parse_args()
    if options.log == "sqlite":
        enter_namespace()
    out, sys.stdout = sys.stdout, sys.stderr  # Ray prints every process that died to stdout
    report = {"log": options.log, "seed": options.seed, "minutes": options.minutes}
    with SITES[options.log](random.Random(options.seed)) as (site, faults):
        report["log can fail by"] = ", ".join(faults)
        report |= chaos(
            site, faults, options.minutes, options.seed, options.clients, print_progress
        )
    print(json.dumps(report, indent=2), file=out, flush=True)
    return 1 if report["wrong"] else 0


def enter_namespace() -> None:
    """Run this program again, with mounts of its own, if that is permitted."""
    command = None if IN_NAMESPACE in os.environ else full_disk.private_mounts()
    if command is not None:
        os.environ[IN_NAMESPACE] = "1"
        os.execvp(command[0], [*command, sys.executable, "-m", "tests.faults.chaos", *sys.argv[1:]])


@contextmanager
def on_sqlite(
    rng: random.Random, pause_s: tuple[float, float] = PAUSE_S
) -> Iterator[tuple[Site, Faults]]:
    """A system whose log is a file, on a disk of its own if that is permitted."""
    with (
        tempfile.TemporaryDirectory() as home,
        tempfile.TemporaryDirectory() as disk,
        own_disk(Path(disk)) if IN_NAMESPACE in os.environ else nullcontext(False) as own,
    ):
        path = Path(disk) / "log.db"
        log = {"kind": "sqlite", "path": path, "lock_timeout_s": LOCK_TIMEOUT_S}
        with running(Path(home), log) as site:
            yield site, SqliteFaults(path, rng, pause_s, own_disk=own).kinds()


@contextmanager
def on_postgresql(
    rng: random.Random, pause_s: tuple[float, float] = PAUSE_S
) -> Iterator[tuple[Site, Faults]]:
    """A system whose log is on a database server of its own."""
    with (
        postgres.server() as settings,
        tempfile.TemporaryDirectory() as home,
        running(Path(home), settings) as site,
    ):
        yield site, PostgresFaults(settings, rng, pause_s).kinds()


@contextmanager
def running(home: Path, log: Any) -> Iterator[Site]:
    """A site in *home* with this log, stopped at the end."""
    site = Site(home, **SETTINGS, log=log)
    site.config = configured(site)
    try:
        yield site
    finally:
        site.stop()


SITES = {"sqlite": on_sqlite, "postgresql": on_postgresql}

if __name__ == "__main__":
    raise SystemExit(main())
