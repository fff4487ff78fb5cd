"""Clients that send all kinds of requests and note the replies, and a killer of the system's processes."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import psutil

from share_actors.client import ShareHandle, ShareSystem
from share_actors.errors import (
    Busy,
    LogError,
    OperationFailed,
    ShareActorsError,
    TimedOut,
    Unavailable,
)
from tests.acceptance.systems import Site, kill

RETRIED = (Busy, LogError, TimedOut, Unavailable)
MAX_WAIT_S = 120.0
SHARES_EACH = 6
ON_SERVERS = 0.4
"""The fraction of shares that are on share servers."""


@dataclass
class Request:
    """One command and the reply to its client: `done`, `failed`, `refused`, `accepted`, or None."""

    command_id: str
    kind: str
    share_id: str | None = None
    reply: str | None = None
    retries: int = 0


@dataclass
class ClientShare:
    """A share with the client's view of its size, rules and snapshots."""

    handle: ShareHandle
    size: int = 1
    rules: list[str] = field(default_factory=list)
    snapshots: list[str] = field(default_factory=list)


class Client(threading.Thread):
    """Sends requests for its own shares, one after the other, until *stop* is set."""

    def __init__(
        self,
        name: str,
        system: ShareSystem,
        seed: int,
        stop: threading.Event,
        networks: Sequence[str] = (),
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._networks = networks
        self._system, self._rng, self._stopped = system, random.Random(seed), stop
        self._shares: list[ClientShare] = []
        self.requests: list[Request] = []
        self.names: list[str] = []

    def run(self) -> None:
        """Send requests until stopped."""
        while not self._stopped.is_set():
            if len(self._shares) < SHARES_EACH and self._rng.random() < 0.5:
                self._create()
            elif self._shares:
                share = self._rng.choice(self._shares)
                self._rng.choice(self._verbs())(share)

    def _verbs(self) -> list[Callable[[ClientShare], None]]:
        return [
            self._allow,
            self._allow,
            self._deny,
            self._create_snapshot,
            self._delete_snapshot,
            self._extend,
            self._delete_share,
        ]

    # -- verbs -----------------------------------------------------------------------------------
    def _create(self) -> None:
        self.names.append(name := f"{self.name}-{len(self.names)}")
        placement: dict[str, Any] = {"backend": "dummy"}
        if self._networks and self._rng.random() < ON_SERVERS:
            placement = {"share_network_id": self._rng.choice(self._networks)}
        handle = self._send(
            "create",
            None,
            lambda **w: self._system.create_share(size=1, name=name, **placement, **w),
        )
        if handle is not None:
            self._shares.append(ClientShare(handle))

    def _allow(self, share: ClientShare) -> None:
        to = f"u{self._rng.randrange(10**9)}"
        rule = self._send("allow", share, lambda **w: share.handle.allow_access(to, **w))
        if rule is not None:
            share.rules.append(rule.id)

    def _deny(self, share: ClientShare) -> None:
        if share.rules:
            rule = share.rules.pop()
            self._send("deny", share, lambda **w: share.handle.deny_access(rule, **w))

    def _create_snapshot(self, share: ClientShare) -> None:
        snapshot = self._send("snapshot", share, share.handle.create_snapshot)
        if snapshot is not None:
            share.snapshots.append(snapshot.id)

    def _delete_snapshot(self, share: ClientShare) -> None:
        if share.snapshots:
            snapshot = share.snapshots.pop()
            self._send(
                "delete snapshot", share, lambda **w: share.handle.delete_snapshot(snapshot, **w)
            )

    def _extend(self, share: ClientShare) -> None:
        share.size += 1
        self._send("extend", share, lambda **w: share.handle.extend(share.size, **w))

    def _delete_share(self, share: ClientShare) -> None:
        self._shares.remove(share)
        self._send("delete", share, lambda **w: share.handle.delete(cascade=True, **w))

    # -- sending ----------------------------------------------------------------------------------
    def _send(self, kind: str, share: ClientShare | None, call: Callable[..., Any]) -> Any:
        """The reply, after as many repetitions with the same command id as it takes."""
        request = Request(uuid4().hex, kind, share.handle.id if share else None)
        self.requests.append(request)
        wait, deadline = self._rng.random() < 0.7, time.monotonic() + MAX_WAIT_S
        while time.monotonic() < deadline:
            try:
                result = call(command_id=request.command_id, wait=wait, timeout=20.0)
            except OperationFailed:
                request.reply = "failed"
                return None
            except RETRIED:
                request.retries += 1
                time.sleep(0.1)
            except ShareActorsError:
                request.reply = "refused"
                return None
            else:
                request.reply = "done" if wait else "accepted"
                if isinstance(result, ShareHandle):
                    request.share_id = result.id
                return result
        return None


class Killer:
    """`kill -9` of randomly chosen processes of the system."""

    def __init__(self, site: Site, seed: int) -> None:
        self._site, self._rng = site, random.Random(seed)
        self.kills: Counter[str] = Counter()

    def strike(self) -> None:
        """Kill one process, a group or all of them, at random; counted in `kills`."""
        actors, manager, catalog = self._pids()
        kind, pids = self._rng.choice(
            [
                *[("share actor", actors[:1])] * 4,
                *[("all share actors", actors)] * 2,
                *[("manager", manager)] * 2,
                ("catalog", catalog),
                ("everything", [*actors, *manager, *catalog]),
            ]
        )
        killed = [pid for pid in pids if _is_ray_worker(pid)]
        for pid in killed:
            with suppress(ProcessLookupError):
                kill(pid)
        if killed:
            self.kills[kind] += 1
            self.kills["processes"] += len(killed)

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
