"""The capacity of every backend and pool: as reported last, and over time as the log has it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from share_actors.audit.capacity import CapacityPoint, capacity_history, pool_histories
from share_actors.cli.console.charts import Chart, chart
from share_actors.cli.console.parts import Part, part
from share_actors.cli.console.source import Source
from share_actors.events.envelope import Recorded
from share_actors.values import BackendReport, BackendState, Pool, gib

RANGES: Mapping[str, timedelta | None] = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
    "all": None,
}
"""The times that a page may show, by name."""
POINTS = 400
"""How many points of a backend or pool are drawn at most: the latest ones."""


class PoolRow(NamedTuple):
    """A pool as reported last, in GiB (None: unknown or without a limit), and over time."""

    name: str
    total: float | None
    free: float | None
    allocated: float
    provisioned: float
    reserved_percentage: float
    used_percent: float | None
    chart: Chart | None


class BackendRow(NamedTuple):
    """A backend: its last report, if any came, and its history."""

    name: str
    status: str
    reason: str | None
    reported_at: datetime | None
    driver: str | None
    pools: list[PoolRow]
    chart: Chart | None
    points: Sequence[CapacityPoint]
    history_problem: str | None


class Capacity(NamedTuple):
    """All backends; *reports_problem*: why nothing of the present is known."""

    backends: list[BackendRow]
    reports: Part[dict[str, BackendReport]]


async def capacity(source: Source, since: datetime | None, now: datetime) -> Capacity:
    """The capacity of every backend from *since* (None: the first report) until *now*."""
    recorded, reports = await asyncio.gather(source.backends(), part(source.reports()))
    known = {state.id: state for state in recorded.items if state.status != "renamed"}
    names = sorted({*known, *(reports.value or {})})
    histories = await asyncio.gather(*(part(source.backend_history(name)) for name in names))
    rows = [
        backend_row(name, known.get(name), (reports.value or {}).get(name), history, since, now)
        for name, history in zip(names, histories, strict=True)
    ]
    return Capacity(rows, reports)


def backend_row(
    name: str,
    state: BackendState | None,
    report: BackendReport | None,
    history: Part[Sequence[Recorded]],
    since: datetime | None,
    now: datetime,
) -> BackendRow:
    """One backend; its last *report* counts before its recorded *state*, whose capacities are rounder."""
    events = history.value or ()
    capabilities = report.capabilities if report is not None else None
    if capabilities is None and state is not None:
        capabilities = state.capabilities
    points = capacity_history(events, since, now, POINTS)
    by_pool = pool_histories(events, since, now, POINTS)
    down = report is not None and report.capabilities is None
    return BackendRow(
        name=name,
        status="down" if down else (state.status if state is not None else "up"),
        reason=report.reason if report is not None else None if state is None else state.reason,
        reported_at=report.at if report is not None else None,
        driver=capabilities.driver_name if capabilities is not None else None,
        pools=[
            pool_row(pool, chart(by_pool.get(pool.name, ()), since, now))
            for pool in (capabilities.pools if capabilities is not None else ())
        ],
        chart=chart(points, since, now),
        points=points,
        history_problem=history.problem,
    )


def pool_row(pool: Pool, drawn: Chart | None) -> PoolRow:
    """One pool."""
    total, free = _number(gib(pool.total_capacity_gib)), _number(gib(pool.free_capacity_gib))
    percent = None if not total or free is None else max(0.0, min(100.0, 100 * (1 - free / total)))
    return PoolRow(
        name=pool.name,
        total=total,
        free=free,
        allocated=pool.allocated_capacity_gib,
        provisioned=pool.provisioned_capacity_gib,
        reserved_percentage=pool.reserved_percentage,
        used_percent=percent,
        chart=drawn,
    )


def _number(capacity_gib: float) -> float | None:
    return None if capacity_gib == float("inf") else capacity_gib
