"""`share-actors snapshot-policy ...`: snapshots that the system takes, and deletes, by schedules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

import typer
from pydantic import ValidationError

from share_actors.actors.messaging.messages import invalid_request
from share_actors.cli.command import command
from share_actors.cli.options import PAGE_SIZE, WaitOption, fetch_pages, print_page
from share_actors.cli.output.columns import WIDE, Column, Table
from share_actors.cli.rendering import entity_document, print_entity, print_history
from share_actors.cli.requesting import CommandIdOption
from share_actors.cli.session import Session
from share_actors.cli.tables import HISTORY
from share_actors.errors import InvalidRequest
from share_actors.values import PolicyRun, SnapshotPolicy, SnapshotSchedule
from share_actors.values.checks.durations import DURATION, parse_duration
from share_actors.values.snapshot_policy import DAY_S, HOUR_S, WEEK_S


def _last_run(policy: SnapshotPolicy) -> datetime | None:
    return max((run.at for run in policy.runs), default=None)


def _failures(run: PolicyRun) -> str | None:
    return "; ".join(f"{i}: {reason}" for i, reason in run.failed.items()) or None


POLICIES = Table(
    "snapshot policy",
    group="snapshot-policy",
    columns=(
        Column("ID", "id", "id", 0),
        Column("NAME", "name", "word", 1),
        Column("SCHEDULES", "schedules", "text", 2, lambda p: "; ".join(map(str, p.schedules))),
        Column("SHARES", "shares", "size", 3, lambda policy: len(policy.shares)),
        Column("LAST RUN", "last_run", "time", 3, _last_run),
        Column("MISSED", "missed", "size", 4),
        Column("PROJECT", "project_id", "word", WIDE),
    ),
)
RUNS = Table(
    "run",
    (
        Column("EVERY", "every_s", "word", 0, lambda run: f"{run.every_s}s"),
        Column("LAST RUN", "at", "time", 1),
        Column("REQUESTED", "requested", "size", 2),
        Column("MISSED", "missed", "size", 3),
        Column("FAILED", "failed", "text", 4, _failures),
    ),
    identity="every_s",
)
_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)

PolicyArgument = Annotated[str, typer.Argument(metavar="POLICY", help="Id or name of the policy.")]
SharesArgument = Annotated[
    list[str], typer.Argument(metavar="SHARE...", help="Ids or names of the shares.")
]
_HourlyOption = Annotated[
    int | None, typer.Option("--hourly", metavar="KEEP", help="Every hour; keep this many.")
]
_DailyOption = Annotated[
    int | None, typer.Option("--daily", metavar="KEEP", help="Every day; keep this many.")
]
_WeeklyOption = Annotated[
    int | None, typer.Option("--weekly", metavar="KEEP", help="Every Monday; keep this many.")
]
_EveryOption = Annotated[
    list[str] | None,
    typer.Option(
        "--every", metavar="PERIOD=KEEP", help="Another period, such as 15m=8; repeatable."
    ),
]
_AtOption = Annotated[
    str | None,
    typer.Option("--at", metavar="HH:MM", help="The time in UTC of --daily and --weekly."),
]


@command(
    "snapshot-policy create",
    table=POLICIES,
    examples=[
        "snapshot-policy create usual --hourly 24 --daily 7 --weekly 4",
        "snapshot-policy create nightly --daily 14 --at 02:30",
        "snapshot-policy create often --every 15m=8",
    ],
)
def create(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the new policy.")],
    hourly: _HourlyOption = None,
    daily: _DailyOption = None,
    weekly: _WeeklyOption = None,
    every: _EveryOption = None,
    at: _AtOption = None,
    command_id: CommandIdOption = None,
) -> None:
    """Create a policy: when snapshots are taken, and how many of them are kept. Times are in UTC.

    `snapshot-policy attach` names the shares.
    """
    chosen = schedules(hourly, daily, weekly, every, at)
    policies = session.system.snapshot_policies
    _print_policy(session, policies.create(name, chosen, command_id=command_id))


@command(
    "snapshot-policy change",
    table=POLICIES,
    examples=["snapshot-policy change nightly --daily 30 --at 02:30"],
)
def change(
    session: Session,
    policy: PolicyArgument,
    hourly: _HourlyOption = None,
    daily: _DailyOption = None,
    weekly: _WeeklyOption = None,
    every: _EveryOption = None,
    at: _AtOption = None,
    command_id: CommandIdOption = None,
) -> None:
    """Replace all schedules of a policy. Snapshots of a period that is left out stay for good."""
    chosen = schedules(hourly, daily, weekly, every, at)
    policies = session.system.snapshot_policies
    _print_policy(session, policies.change(policy, chosen, command_id=command_id))


@command("snapshot-policy list", table=POLICIES, examples=["snapshot-policy list"])
def list_policies(session: Session, wait: WaitOption = 0.0) -> None:
    """List snapshot policies: their schedules, their shares, and the times that were missed."""
    policies, end = fetch_pages(
        session.system.snapshot_policies.list, PAGE_SIZE, None, True, wait=wait, status="active"
    )
    print_page(session, POLICIES, policies, _list_document, end)


def _list_document(policies: Sequence[SnapshotPolicy]) -> dict[str, object]:
    return {"snapshot_policies": [entity_document(policy) for policy in policies]}


@command("snapshot-policy show", table=POLICIES, examples=["snapshot-policy show nightly"])
def show(session: Session, policy: PolicyArgument) -> None:
    """Show a policy, the last run of each schedule, and the shares that got no snapshot, with the reasons."""
    _print_policy(session, session.system.snapshot_policies.get(policy))


@command(
    "snapshot-policy attach", table=POLICIES, examples=["snapshot-policy attach nightly home data"]
)
def attach(
    session: Session,
    policy: PolicyArgument,
    shares: SharesArgument,
    command_id: CommandIdOption = None,
) -> None:
    """Take snapshots of these shares as well, from the next time on."""
    ids = _ids(session, shares)
    policies = session.system.snapshot_policies
    _print_policy(session, policies.attach(policy, ids, command_id=command_id))


@command("snapshot-policy detach", table=POLICIES, examples=["snapshot-policy detach nightly data"])
def detach(
    session: Session,
    policy: PolicyArgument,
    shares: SharesArgument,
    command_id: CommandIdOption = None,
) -> None:
    """Take no more snapshots of these shares. The present ones stay until they are deleted."""
    ids = _ids(session, shares)
    policies = session.system.snapshot_policies
    _print_policy(session, policies.detach(policy, ids, command_id=command_id))


@command("snapshot-policy delete", table=POLICIES, examples=["snapshot-policy delete nightly"])
def delete(session: Session, policy: PolicyArgument, command_id: CommandIdOption = None) -> None:
    """Delete a policy. Its snapshots stay until they are deleted."""
    session.system.snapshot_policies.delete(policy, command_id=command_id)
    if session.json:
        session.output.print_json({"id": policy, "status": "deleted"})
    else:
        session.output.print_message(f"Snapshot policy [bold]{policy}[/] deleted.")


@command("snapshot-policy history", table=HISTORY, examples=["snapshot-policy history nightly"])
def history(session: Session, policy: PolicyArgument) -> None:
    """Show all events of a policy: who changed it, and each of its runs."""
    print_history(session, session.system.snapshot_policies.history(policy))


# -- schedules -----------------------------------------------------------------------------------
def schedules(
    hourly: int | None,
    daily: int | None,
    weekly: int | None,
    every: list[str] | None,
    at: str | None,
) -> list[SnapshotSchedule]:
    """The schedules that the options mean; raises `InvalidRequest`."""
    at_s = _time_of_day(at)
    named = ((HOUR_S, hourly, 0), (DAY_S, daily, at_s), (WEEK_S, weekly, at_s))
    chosen = [
        _schedule(every_s, keep, offset) for every_s, keep, offset in named if keep is not None
    ]
    chosen += [_period(text) for text in every or ()]
    if not chosen:
        text = "no schedule is given: add --hourly, --daily, --weekly or --every"
        raise InvalidRequest(text, field="schedules")
    return chosen


def _period(text: str) -> SnapshotSchedule:
    period, _, keep = text.partition("=")
    every = parse_duration(period)
    if every is None or every <= timedelta(0) or not (keep.isascii() and keep.isdigit()):
        raise InvalidRequest(
            f"every: {text!r} is not PERIOD=KEEP, with a period that is {DURATION}",
            field="every",
            value=text,
        )
    return _schedule(int(every.total_seconds()), int(keep), 0)


def _schedule(every_s: int, keep: int, at_s: int) -> SnapshotSchedule:
    try:
        return SnapshotSchedule(every_s=every_s, keep=keep, at_s=at_s)
    except ValidationError as error:
        raise invalid_request(error) from None


def _time_of_day(text: str | None) -> int:
    """The seconds after midnight that *text* means."""
    if text is None:
        return 0
    found = _TIME_OF_DAY.fullmatch(text.strip())
    if found is None:
        raise InvalidRequest(f"at: {text!r} is not HH:MM", field="at", value=text)
    return int(found[1]) * 3600 + int(found[2]) * 60


# -- output --------------------------------------------------------------------------------------
def _ids(session: Session, shares: list[str]) -> list[str]:
    return [session.system.share(share).id for share in shares]


def _print_policy(session: Session, policy: SnapshotPolicy) -> None:
    session.output.print_items(
        POLICIES,
        [policy],
        lambda policies: entity_document(policies[0]),
        show=lambda: _show(session, policy),
    )


def _show(session: Session, policy: SnapshotPolicy) -> None:
    described = tuple(map(str, policy.schedules))
    print_entity(session, policy, omit=("schedules", "since", "runs"), schedules=described)
    session.output.print_section(RUNS, policy.runs)
