"""The shares whose work has failed or goes on, each with its explanation, the worst first."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple

from share_actors.audit.explanation import Explanation
from share_actors.audit.trail import Tried
from share_actors.cli.console.parts import Part, part
from share_actors.cli.console.source import Source
from share_actors.values import Page, ShareServer

AT_REST = ("available", "deleted", "unmanaged", "absent")
"""The statuses of shares that nobody waits for; every other one is an error or work in progress."""
RULES_AT_WORK = ("error", "applying", "denying", "queued")
SNAPSHOTS_AT_WORK = (
    *("error", "manage_error", "unmanage_error"),
    *("creating", "deleting", "restoring", "manage_starting", "unmanage_starting"),
)
SERVERS_AT_WORK = ("error", "deleting", "creating")
PER_LIST, SHOWN, AT_ONCE = 20, 40, 8
"""How many of each list are looked at, how many shares are explained, and how many of these at a time."""

Urgency = Literal["failed", "overdue", "retried", "in line", "under way", "at rest"]
ORDER: tuple[Urgency, ...] = ("failed", "overdue", "retried", "in line", "under way", "at rest")


class Stuck(NamedTuple):
    """One share, and how much it needs somebody."""

    urgency: Urgency
    explanation: Explanation

    @property
    def attempt(self) -> Tried | None:
        """The last attempt at its pending work."""
        tried = self.explanation.attempts
        return tried[-1] if tried and self.explanation.owed else None

    @property
    def reason(self) -> str:
        """What the backend said last, or the state in words."""
        failed = self.explanation.failed
        said = self.attempt.said if self.attempt is not None else None
        return last_line((failed[0].reason if failed else None) or said or self.explanation.summary)


class Work(NamedTuple):
    """Shares that need somebody or are at work; *more*: how many were not looked at.

    *unexplained*: the ids of those without an explanation, and why.
    """

    shares: list[Stuck]
    more: int
    unexplained: list[tuple[str, str]]


def urgency(explanation: Explanation, now: datetime) -> Urgency:
    """How much a share needs somebody at the time *now*."""
    if explanation.failed:
        return "failed"
    if explanation.waiting_for_thread is not None:
        return "in line"
    if not explanation.owed:
        return "at rest"
    last = explanation.attempts[-1] if explanation.attempts else None
    if last is None or last.result in ("succeeded", "failed"):
        return "under way"
    if last.result == "under way":
        return "overdue" if now > last.deadline else "under way"
    return "retried"


def last_line(text: str) -> str:
    """The last line of *text*: the error of a traceback."""
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


async def work(source: Source, counts: dict[str, int], now: datetime) -> Work:
    """The shares that are not at rest, by *counts* and by their rules and snapshots."""
    statuses = [status for status, number in counts.items() if number and status not in AT_REST]
    ids, in_all = await _ids(source, statuses)
    explained = await _explained(source, ids[:SHOWN])
    found = [Stuck(urgency(e, now), e) for _, e in explained if isinstance(e, Explanation)]
    failed = [(share_id, e.problem or "") for share_id, e in explained if isinstance(e, Part)]
    listed = sum(counts[status] for status in statuses)
    return Work(
        sorted((s for s in found if s.urgency != "at rest"), key=_rank),
        max(listed, in_all) - len(ids[:SHOWN]),
        failed,
    )


def _rank(stuck: Stuck) -> tuple[int, datetime]:
    owed = stuck.explanation.owed
    since = owed[0].asked_at if owed else stuck.explanation.since
    return ORDER.index(stuck.urgency), since


async def _ids(source: Source, statuses: Iterable[str]) -> tuple[list[str], int]:
    """The ids of shares at work, those with errors first, and how many were found."""
    shares, rules, snapshots = await asyncio.gather(
        asyncio.gather(
            *(source.shares({"status": s, "limit": PER_LIST}) for s in sorted(statuses, key=_last))
        ),
        asyncio.gather(*(source.rules({"state": s, "limit": PER_LIST}) for s in RULES_AT_WORK)),
        asyncio.gather(
            *(source.snapshots({"status": s, "limit": PER_LIST}) for s in SNAPSHOTS_AT_WORK)
        ),
    )
    ids = [share.id for page in shares for share in page.items]
    ids += [rule.share_id for page in rules for rule in page.items]
    ids += [snapshot.share_id for page in snapshots for snapshot in page.items]
    found = list(dict.fromkeys(ids))
    return found, len(found)


def _last(status: str) -> bool:
    return "error" not in status


async def _explained(
    source: Source, ids: Iterable[str]
) -> list[tuple[str, Explanation | Part[Explanation]]]:
    """The explanation of each share, or the part that says why there is none."""
    room = asyncio.Semaphore(AT_ONCE)

    async def asked(share_id: str) -> Explanation:
        async with room:
            return await source.explain(share_id)

    async def one(share_id: str) -> tuple[str, Explanation | Part[Explanation]]:
        answer = await part(asked(share_id))
        return share_id, answer if answer.value is None else answer.value

    return await asyncio.gather(*(one(share_id) for share_id in ids))


async def servers_at_work(source: Source) -> list[ShareServer]:
    """The share servers in error, and those that are being created or deleted."""
    pages: list[Page[ShareServer]] = await asyncio.gather(
        *(source.servers({"status": status, "limit": PER_LIST}) for status in SERVERS_AT_WORK)
    )
    return [server for page in pages for server in page.items]
