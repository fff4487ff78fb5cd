"""What backends last told of themselves, and who waits to hear of it. In memory: it is told anew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from share_actors.config import BackendSettings, SchedulerSettings
from share_actors.scheduling.filters import PoolState
from share_actors.values import BackendReport, utc_now

PERIODS = 3
"""A backend that told nothing for so many periods has fallen silent."""


class StatsUpdate(NamedTuple):
    """What was published, and the number to ask for what follows."""

    number: int
    items: tuple[BackendReport, ...]


class BackendReports:
    """The last publication of each backend."""

    def __init__(self, settings: SchedulerSettings) -> None:
        self._settings = settings
        self._last: dict[str, tuple[int, float, BackendReport]] = {}
        self.number = 0
        """Of the last publication."""
        self._came = asyncio.Event()

    def publish(self, published: BackendReport) -> None:
        """Keep it, and wake who waits."""
        self.number += 1
        self._last[published.backend] = (self.number, time.monotonic(), published)
        self._came.set()
        self._came = asyncio.Event()

    def forget(self, backend: str) -> None:
        self._last.pop(backend, None)

    def last(self, backend: str) -> BackendReport | None:
        found = self._last.get(backend)
        return None if found is None else found[2]

    def protocols(self, backend: str) -> tuple[str, ...]:
        """What clients may speak with its shares."""
        last = self.last(backend)
        return (
            () if last is None or last.capabilities is None else last.capabilities.storage_protocols
        )

    def all(self) -> dict[str, BackendReport]:
        """The last of each, by backend."""
        return {name: published for name, (_, _, published) in sorted(self._last.items())}

    async def news(self, after: int, timeout_s: float) -> StatsUpdate:
        """What was published after number *after*; waits for something, but not longer than *timeout_s*."""
        if self.number <= after:
            waiting = asyncio.ensure_future(self._came.wait())
            await asyncio.wait({waiting}, timeout=timeout_s)
            waiting.cancel()
        items = sorted(item for item in self._last.values() if item[0] > after)
        return StatsUpdate(self.number, tuple(published for _, _, published in items))

    async def heard(self, backends: Iterable[str], timeout_s: float) -> None:
        """Return once each of *backends* has told something, or after *timeout_s*."""
        until = time.monotonic() + timeout_s
        missing = set(backends) - self._last.keys()
        while missing and (left := until - time.monotonic()) > 0:
            await self.news(self.number, left)
            missing -= self._last.keys()

    def silent(self, backend: str, settings: BackendSettings) -> str | None:
        """Why *backend* counts as silent: its last word is too old."""
        found = self._last.get(backend)
        if found is None:
            return None
        patience = PERIODS * self._settings.stats_period_s + settings.stats_timeout_s
        quiet = time.monotonic() - found[1]
        return f"it has told nothing for {quiet:.0f} s" if quiet > patience else None

    def hosts(self, backends: Mapping[str, BackendSettings]) -> list[PoolState]:
        """The state of every pool; the caller fills in `provisioned` and `unmeasured`."""
        hosts: list[PoolState] = []
        for name, settings in backends.items():
            found = self.last(name)
            if found is None or found.capabilities is None:
                continue
            down = found.reason or self.silent(name, settings)
            hosts += (
                PoolState(backend=name, capabilities=found.capabilities, pool=pool, down=down)
                for pool in found.capabilities.pools
            )
        return hosts


def silence(backend: str, reason: str, before: BackendReport | None) -> BackendReport:
    """That *backend* told nothing; what it told *before* is kept, to know its pools by."""
    said = None if before is None else before.capabilities
    return BackendReport(backend=backend, at=utc_now(), capabilities=said, reason=reason)
