"""What each page shows: the answers of the source, each part with its own time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, get_args

from share_actors.audit.explanation import Explanation
from share_actors.cli.console.parts import Part, part
from share_actors.cli.console.problems import Problem, problems_of
from share_actors.cli.console.rows import Placed, Row, Timeline, placements, row, timeline
from share_actors.cli.console.source import Source
from share_actors.cli.console.stuck import Work, servers_at_work, work
from share_actors.client.keywords import ShareFilters
from share_actors.client.results import SystemStatus
from share_actors.errors import InvalidRequest, NotFound
from share_actors.values import BackendReport, Page, Share, ShareServer, ShareStatus
from share_actors.values.checks.ids import is_id

WORK_LIMIT_S = 6.0
"""How long a page waits for the work in progress: it asks for explanations after it has the lists."""
PAGE_SIZE = 50
RECENT, RECENT_PLACEMENTS = 100, 2000
"""How many of the last events are shown, and among how many of them placements are looked for."""
STATUSES = tuple(status for status in get_args(ShareStatus) if status != "absent")


# -- what is stuck -------------------------------------------------------------------------------
class Overview(NamedTuple):
    """What needs somebody now."""

    status: Part[SystemStatus]
    problems: list[Problem]
    counts: Part[dict[str, int]]
    work: Part[Work]
    servers: Part[list[ShareServer]]
    reports: Part[dict[str, BackendReport]]
    at: datetime


async def overview(source: Source, now: datetime) -> Overview:
    """What is wrong, what is at work and why, and what there is."""
    counting = asyncio.create_task(part(source.count_shares({})))
    status, counts, at_work, servers, reports = await asyncio.gather(
        part(source.status()),
        counting,
        part(_work(source, counting, now), WORK_LIMIT_S),
        part(servers_at_work(source)),
        part(source.reports()),
    )
    problems = [] if status.value is None else problems_of(status.value)
    return Overview(status, problems, counts, at_work, servers, reports, now)


async def _work(
    source: Source, counting: asyncio.Task[Part[dict[str, int]]], now: datetime
) -> Work:
    counts = await asyncio.shield(counting)
    return await work(source, counts.value or {}, now)


# -- shares --------------------------------------------------------------------------------------
class Search(NamedTuple):
    """A page of the list of shares; *counts* by status, of all that match the other filters."""

    filters: Mapping[str, str]
    page: Part[Page[Share]]
    counts: Part[dict[str, int]]
    in_all: int


async def search(source: Source, filters: Mapping[str, str], marker: str | None) -> Search:
    """The shares that match *filters*: `q` (a name or an id), `status`, `project` and `backend`."""
    counted: ShareFilters = {}
    if name := filters.get("q"):
        counted["name"] = name
    if project := filters.get("project"):
        counted["project_id"] = project
    if backend := filters.get("backend"):
        counted["backend"] = backend
    listed: ShareFilters = {**counted, "limit": PAGE_SIZE}
    if status := filters.get("status"):
        listed["status"] = status
    if marker:
        listed["marker"] = marker
    page, counts = await asyncio.gather(
        part(_listed(source, listed)), part(source.count_shares(counted))
    )
    numbers = counts.value or {}
    in_all = numbers.get(status, 0) if status else sum(numbers.values())
    return Search(filters, page, counts, in_all)


async def _listed(source: Source, filters: ShareFilters) -> Page[Share]:
    """The shares of a name or with an id that are searched for, or a page of all."""
    name, others = filters.get("name"), filters.keys() - {"name", "limit"}
    if name is None or others or not is_id(name):
        return await source.shares(filters)
    found: Page[Share] | None = None
    try:
        found = await source.shares(filters)
        if found.items:
            return found
        return Page((await source.share(name),), None)
    except (NotFound, InvalidRequest):
        return found or Page((), None)


class ShareView(NamedTuple):
    """One share: what it is, why it is as it is, and what happened."""

    share: Part[Share]
    explanation: Part[Explanation]
    timeline: Part[Timeline]


async def share_view(
    source: Source, share_id: str, before: int | None, command: str | None
) -> ShareView:
    """The page of a share; raises `NotFound`."""

    async def history() -> Timeline:
        return timeline(await source.history(share_id), before, command)

    missing: list[NotFound] = []

    async def share() -> Share:
        try:
            return await source.share(share_id)
        except NotFound as error:
            missing.append(error)
            raise

    view = ShareView(
        *await asyncio.gather(part(share()), part(source.explain(share_id)), part(history()))
    )
    if missing:
        raise missing[0]
    return view


# -- events --------------------------------------------------------------------------------------
class Recent(NamedTuple):
    """The last events, the newest first, and the position of the newest."""

    rows: list[Row]
    position: int


async def recent(source: Source) -> Part[Recent]:
    """The last events of the log."""

    async def asked() -> Recent:
        events = await source.recent(RECENT)
        last = events[-1].position if events else 0
        return Recent([row(recorded) for recorded in reversed(events)], last)

    return await part(asked())


async def recent_placements(source: Source) -> Part[Sequence[Placed]]:
    """The placements among the last events of the log."""

    async def asked() -> Sequence[Placed]:
        return placements(await source.recent(RECENT_PLACEMENTS))

    return await part(asked())
