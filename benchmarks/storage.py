"""Real storage: each verb through the whole system, btrfs and NFS-Ganesha, up to what an NFS client sees.

Measured with few and with many shares on the backend. Needs root and what the driver `btrfs` requires.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import Any, TypeVar

from share_actors import client, config
from share_actors.cli.demo.storage_machine import require_storage
from share_actors.cli.demo.storage_site import BACKEND, FIRST, StorageSite, storage_site
from share_actors.client import ShareHandle, ShareSystem
from share_actors.errors import Refused as Missing
from share_actors.errors import ShareActorsError
from share_actors.testing.leftovers import own_directory
from share_actors.testing.nfs.client import NfsMount
from share_actors.testing.visiting import ProcessVisit, spawned
from share_actors.testing.visits import Refused, VisitError
from share_actors.values import ExportLocation

FEW, MANY, TIMES = 10, 1000, 50
IMAGE_GIB = 2000
"""Of a sparse file."""
BATCH = 50
PATIENCE_S = 60.0
T = TypeVar("T")


def run(directory: Path, scale: float) -> dict[str, float]:
    """Milliseconds by verb; a message and nothing if this machine cannot run the driver.

    `NAME_ms_p50` and `_p99` of 50 with 10 shares on the backend; `NAME_many_ratio`: the p50 with 1,000
    shares as a multiple of that. `first_mount`: from the request to allow until the client has mounted.
    `last_write`: from the request to deny until the client, which holds a file open, is refused.
    """
    del directory  # mounts and loop devices have one that is removed with them
    try:
        require_storage()
    except Missing as error:
        print(f"storage: not measured: {error.message}", file=sys.stderr)
        return {}
    with own_directory() as top, storage_site(top, IMAGE_GIB) as site:
        settings = config.build(
            {"home": top / "home", "namespace": "bench-storage", "backends": site.backends}
        )
        system = client.start(settings)
        try:
            return _measure(system, site, scale)
        finally:
            system.close()


def _measure(system: ShareSystem, site: StorageSite, scale: float) -> dict[str, float]:
    times = max(int(TIMES * scale), 10)
    mounts = ProcessVisit(partial(_Mounts, site.mount), spawned)
    try:
        _fill(system, FEW)
        few = Verbs(system, mounts).measure(times)
        _fill(system, int(MANY * scale) - times)
        many = Verbs(system, mounts).measure(times)
    finally:
        mounts.unmount()
    figures: dict[str, float] = {}
    for verb, milliseconds in few.items():
        cuts = quantiles(milliseconds, n=100, method="inclusive")
        figures[f"storage_{verb}_ms_p50"], figures[f"storage_{verb}_ms_p99"] = cuts[49], cuts[98]
        figures[f"storage_{verb}_many_ratio"] = (
            quantiles(many[verb], n=100, method="inclusive")[49] / cuts[49]
        )
    return figures


def _fill(system: ShareSystem, count: int) -> None:
    """Have *count* shares on the backend."""
    there = system.count_shares().get("available", 0)
    for begin in range(there, count, BATCH):
        requests: list[Any] = [{"size": 1}] * min(BATCH, count - begin)
        for share in system.create_shares(requests, timeout=600.0):
            if isinstance(share, ShareActorsError):
                raise share


class _Mounts:
    """In the process of a client: mounts shares, and writes through the last one."""

    def __init__(self, mount: NfsMount) -> None:
        self._mount = mount
        self._held: Any = None

    def mount(self, path: str) -> None:
        """Mount the export *path* and hold a file open in it."""
        self._held = self._mount(FIRST, ExportLocation(path=path)).hold("held")

    def write(self) -> None:
        """Write through the file that is held open."""
        self._held.write(b"x")


class Verbs:
    """Each verb, on a new share each time; milliseconds by verb."""

    def __init__(self, system: ShareSystem, mounts: ProcessVisit) -> None:
        self._system, self._mounts = system, mounts
        self._seconds: dict[str, list[float]] = {}

    def measure(self, times: int) -> dict[str, list[float]]:
        """Milliseconds by verb, *times* of each."""
        for _ in range(times):
            self._one()
        return {verb: [1000 * s for s in seconds] for verb, seconds in self._seconds.items()}

    def _one(self) -> None:
        share = self._timed("create", lambda: self._system.create_share(size=1, backend=BACKEND))
        path = share.export_locations[0]
        began = time.perf_counter()
        rule = self._timed("allow", lambda: share.allow_access(FIRST, type="ip"))
        self._until(None, lambda: self._mounts.ask(0, "mount", path))
        self._note("first_mount", began)
        self._snapshots(share)
        self._timed("extend", lambda: share.extend(2))
        self._until(None, lambda: self._mounts.ask(0, "mount", path))
        began = time.perf_counter()
        self._timed("deny", lambda: share.deny_access(rule.id))
        self._until(Refused, lambda: self._mounts.ask(0, "write"))
        self._note("last_write", began)
        self._timed("delete", lambda: share.delete(cascade=True))

    def _snapshots(self, share: ShareHandle) -> None:
        snapshot = self._timed("snapshot", share.create_snapshot)
        copy = self._timed(
            "clone", lambda: self._system.create_share(size=1, snapshot_id=snapshot.id)
        )
        self._timed("revert", lambda: share.revert_to(snapshot))
        copy.delete()

    def _timed(self, verb: str, call: Callable[[], T]) -> T:
        began = time.perf_counter()
        result = call()
        self._note(verb, began)
        return result

    def _note(self, verb: str, began: float) -> None:
        self._seconds.setdefault(verb, []).append(time.perf_counter() - began)

    def _until(self, expected: type[VisitError] | None, call: Callable[[], object]) -> None:
        """Repeat *call* until it raises *expected*, or until it succeeds."""
        deadline = time.perf_counter() + PATIENCE_S
        while time.perf_counter() < deadline:
            try:
                call()
            except VisitError as error:
                if expected is not None and isinstance(error, expected):
                    return
            else:
                if expected is None:
                    return
        raise TimeoutError(f"the client did not see {expected or 'a success'} in {PATIENCE_S:g} s")
