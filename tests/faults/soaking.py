"""Clients that ask for all kinds of things while processes of the system are killed: who was told what."""

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
from tests.acceptance.sites import Site, kill

AGAIN = (Busy, LogError, TimedOut, Unavailable)
PATIENCE_S = 120.0
SHARES_EACH = 6
ON_SERVERS = 0.4
"""How many of the shares are on share servers."""


@dataclass
class Request:
    """One command, and what its client was told: `done`, `failed`, `refused`, `accepted`, or nothing."""

    command_id: str
    kind: str
    share_id: str | None = None
    told: str | None = None
    retries: int = 0


@dataclass
class Held:
    """A share as its client believes it to be."""

    handle: ShareHandle
    size: int = 1
    rules: list[str] = field(default_factory=list)
    snapshots: list[str] = field(default_factory=list)


class Client(threading.Thread):
    """Asks for one thing after the other about its own shares, until told to stop."""

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
        self._system, self._chance, self._stop_asking = system, random.Random(seed), stop
        self._shares: list[Held] = []
        self.requests: list[Request] = []
        self.names: list[str] = []

    def run(self) -> None:
        while not self._stop_asking.is_set():
            if len(self._shares) < SHARES_EACH and self._chance.random() < 0.5:
                self._make()
            elif self._shares:
                held = self._chance.choice(self._shares)
                self._chance.choice(self._verbs())(held)

    def _verbs(self) -> list[Callable[[Held], None]]:
        return [
            self._allow,
            self._allow,
            self._deny,
            self._take,
            self._forget_snapshot,
            self._grow,
            self._remove,
        ]

    # -- verbs -----------------------------------------------------------------------------------
    def _make(self) -> None:
        self.names.append(name := f"{self.name}-{len(self.names)}")
        where: dict[str, Any] = {"backend": "dummy"}
        if self._networks and self._chance.random() < ON_SERVERS:
            where = {"share_network_id": self._chance.choice(self._networks)}
        made = self._ask(
            "create", None, lambda **w: self._system.create_share(size=1, name=name, **where, **w)
        )
        if made is not None:
            self._shares.append(Held(made))

    def _allow(self, held: Held) -> None:
        to = f"u{self._chance.randrange(10**9)}"
        rule = self._ask("allow", held, lambda **w: held.handle.allow_access(to, **w))
        if rule is not None:
            held.rules.append(rule.id)

    def _deny(self, held: Held) -> None:
        if held.rules:
            rule = held.rules.pop()
            self._ask("deny", held, lambda **w: held.handle.deny_access(rule, **w))

    def _take(self, held: Held) -> None:
        taken = self._ask("snapshot", held, held.handle.create_snapshot)
        if taken is not None:
            held.snapshots.append(taken.id)

    def _forget_snapshot(self, held: Held) -> None:
        if held.snapshots:
            taken = held.snapshots.pop()
            self._ask("delete snapshot", held, lambda **w: held.handle.delete_snapshot(taken, **w))

    def _grow(self, held: Held) -> None:
        held.size += 1
        self._ask("extend", held, lambda **w: held.handle.extend(held.size, **w))

    def _remove(self, held: Held) -> None:
        self._shares.remove(held)
        self._ask("delete", held, lambda **w: held.handle.delete(cascade=True, **w))

    # -- asking ----------------------------------------------------------------------------------
    def _ask(self, kind: str, held: Held | None, call: Callable[..., Any]) -> Any:
        """The answer, asked for again by the same id as long as there is none."""
        request = Request(uuid4().hex, kind, held.handle.id if held else None)
        self.requests.append(request)
        wait, until = self._chance.random() < 0.7, time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            try:
                answer = call(command_id=request.command_id, wait=wait, timeout=20.0)
            except OperationFailed:
                request.told = "failed"
                return None
            except AGAIN:
                request.retries += 1
                time.sleep(0.1)
            except ShareActorsError:
                request.told = "refused"
                return None
            else:
                request.told = "done" if wait else "accepted"
                if isinstance(answer, ShareHandle):
                    request.share_id = answer.id
                return answer
        return None


class Killer:
    """`kill -9` of the system's processes, at times and in numbers left to chance."""

    def __init__(self, site: Site, seed: int) -> None:
        self._site, self._chance = site, random.Random(seed)
        self.kills: Counter[str] = Counter()

    def strike(self) -> None:
        """Kill some, whichever it is now."""
        actors, manager, catalog = self._pids()
        kind, pids = self._chance.choice(
            [
                *[("share actor", actors[:1])] * 4,
                *[("all share actors", actors)] * 2,
                *[("manager", manager)] * 2,
                ("catalog", catalog),
                ("everything", [*actors, *manager, *catalog]),
            ]
        )
        killed = [pid for pid in pids if _is_ours(pid)]
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
        self._chance.shuffle(actors)
        others = (
            [status[part]["pid"]] if "pid" in status[part] else []
            for part in ("manager", "catalog")
        )
        manager, catalog = others
        return actors, manager, catalog


def _is_ours(pid: int) -> bool:
    """Whether *pid* is a Ray worker still: what a killed process told of itself may be out of date."""
    with suppress(psutil.Error):
        return any("ray::" in part for part in psutil.Process(pid).cmdline())
    return False
