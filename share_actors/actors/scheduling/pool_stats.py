"""The latest report of each backend, and waiting for new ones. In memory only: backends report again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from share_actors.config import BackendSettings, SchedulerSettings
from share_actors.scheduling.pools import PoolState
from share_actors.values import BackendReport, utc_now
from share_actors.wire import sent_as_report

MAX_MISSED_PERIODS = 3
"""A backend without a report for this many periods is silent."""


@sent_as_report
class StatsUpdate(NamedTuple):
    """Published reports, and the number after which to ask for later ones."""

    number: int
    items: tuple[BackendReport, ...]


class _Entry(NamedTuple):
    """A report, its number, and the monotonic time in seconds when it was published."""

    number: int
    published_at: float
    report: BackendReport


class BackendReports:
    """The latest report of each backend; `number` is that of the last one published."""

    def __init__(self, settings: SchedulerSettings) -> None:
        self._settings = settings
        self._entries: dict[str, _Entry] = {}
        self._expected_since: dict[str, float] = {}
        self.number = 0
        self._published = asyncio.Event()

    def expect(self, backends: Iterable[str]) -> None:
        """Expect reports of exactly *backends*: of new ones from now on."""
        now = time.monotonic()
        self._expected_since = {name: self._expected_since.get(name, now) for name in backends}

    def publish(self, report: BackendReport) -> None:
        """Store *report* as its backend's latest, and wake the waiters."""
        self.number += 1
        self._entries[report.backend] = _Entry(self.number, time.monotonic(), report)
        self._published.set()
        self._published = asyncio.Event()

    def forget(self, backend: str) -> None:
        """Remove the report of *backend*, which is not configured any more."""
        self._entries.pop(backend, None)
        self._expected_since.pop(backend, None)

    def latest(self, backend: str) -> BackendReport | None:
        """The latest report of *backend*; None before the first."""
        entry = self._entries.get(backend)
        return None if entry is None else entry.report

    def protocols(self, backend: str) -> tuple[str, ...]:
        """The storage protocols that *backend* supports, as far as it reported."""
        report = self.latest(backend)
        if report is None or report.capabilities is None:
            return ()
        return report.capabilities.storage_protocols

    def all(self) -> dict[str, BackendReport]:
        """The latest report of each backend, by name."""
        return {name: entry.report for name, entry in sorted(self._entries.items())}

    async def wait_for_update(self, after: int, timeout_s: float) -> StatsUpdate:
        """The reports published after number *after*; waits at most *timeout_s* for the first of them."""
        if self.number <= after:
            waiting = asyncio.ensure_future(self._published.wait())
            await asyncio.wait({waiting}, timeout=timeout_s)
            waiting.cancel()
        entries = sorted(entry for entry in self._entries.values() if entry.number > after)
        return StatsUpdate(self.number, tuple(entry.report for entry in entries))

    async def wait_for_backends(self, backends: Iterable[str], timeout_s: float) -> None:
        """Return once each of *backends* has reported, or after *timeout_s*."""
        until = time.monotonic() + timeout_s
        missing = set(backends) - self._entries.keys()
        while missing and (remaining_s := until - time.monotonic()) > 0:
            await self.wait_for_update(self.number, remaining_s)
            missing -= self._entries.keys()

    def unreported(self, backends: Iterable[str]) -> dict[str, float]:
        """Those of *backends* that are expected and have never reported; for how many seconds."""
        now, names = time.monotonic(), set(backends)
        expected = self._expected_since.items()
        return {
            name: now - since
            for name, since in expected
            if name in names and name not in self._entries
        }

    def silence_reason(self, backend: str, settings: BackendSettings) -> str | None:
        """Why *backend* is silent: its latest report is too old. None if it is not, or before the first."""
        entry = self._entries.get(backend)
        if entry is None:
            return None
        limit_s = MAX_MISSED_PERIODS * self._settings.stats_period_s + settings.stats_timeout_s
        age_s = time.monotonic() - entry.published_at
        return f"no report for {age_s:.0f} s" if age_s > limit_s else None

    def failure_reason(self, backend: str, settings: BackendSettings) -> str | None:
        """Why *backend* is down: its latest report failed or is too old. None if up, or before the first."""
        report = self.latest(backend)
        if report is not None and report.reason:
            return report.reason
        return self.silence_reason(backend, settings)

    def pool_states(self, backends: Mapping[str, BackendSettings]) -> list[PoolState]:
        """The pools of *backends*; `PoolRooms` fills in what shares take of them."""
        pools: list[PoolState] = []
        for name, settings in backends.items():
            report = self.latest(name)
            if report is None or report.capabilities is None:
                continue
            down = self.failure_reason(name, settings)
            pools += (
                PoolState(backend=name, capabilities=report.capabilities, pool=pool, down=down)
                for pool in report.capabilities.pools
            )
        return pools


def silent_report(backend: str, reason: str, previous: BackendReport | None) -> BackendReport:
    """A report that *backend* is down; keeps the capabilities of *previous*, so that its pools stay known."""
    capabilities = None if previous is None else previous.capabilities
    began = None if previous is None else previous.began
    return BackendReport(
        backend=backend, at=utc_now(), capabilities=capabilities, reason=reason, began=began
    )
