"""`share-actors quota ...`: what projects may use, and do use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from share_actors.cli.command import command
from share_actors.cli.options import (
    AllOption,
    LimitOption,
    MarkerOption,
    WaitOption,
    fetch_pages,
    print_page,
    set_fields,
)
from share_actors.cli.output import Column, Table
from share_actors.cli.rendering import entity_document, print_history
from share_actors.cli.session import Session
from share_actors.cli.tables import HISTORY
from share_actors.errors import InvalidRequest
from share_actors.values import QUOTA_NAMES, UNLIMITED, Quota, QuotaUsage


def _shown(row: Mapping[str, Any]) -> object:
    return "unlimited" if row["limit"] == UNLIMITED else row["limit"]


USAGE = Table(
    "quota",
    (
        Column("QUOTA", "quota", "id", 0),
        Column("USED", "used", "size", 1),
        Column("RESERVED", "reserved", "size", 2),
        Column("LIMIT", "limit", "size", 1, shown=_shown),
    ),
    identity="quota",
)
LIMITS = Table(
    "quota",
    (
        Column("PROJECT", "project_id", "word", 0),
        Column("USER", "user_id", "word", 2),
        Column("TYPE", "share_type", "word", 2),
        Column("QUOTA", "quota", "word", 1),
        Column("LIMIT", "limit", "size", 1, shown=_shown),
    ),
    identity=None,
)
_ALL_PROJECTS = "(default)"
ProjectOption = Annotated[
    str | None,
    typer.Option("--project", metavar="PROJECT", help="Project. Default: that of your requests."),
]
UserOption = Annotated[
    str | None,
    typer.Option("--user", metavar="USER", help="Only what this user may use in the project."),
]
TypeOption = Annotated[
    str | None,
    typer.Option("--type", metavar="TYPE", help="Only what shares of this type may use there."),
]
DefaultOption = Annotated[
    bool, typer.Option("--default", help="The limits of all projects without their own.")
]


def _limit(name: str, help_text: str) -> Any:
    return typer.Option(f"--{name}", metavar="N", help=f"{help_text}; -1: unlimited.")


@command(
    "quota show",
    table=USAGE,
    examples=["quota show", "quota show --project web", "quota show --project web --type gold"],
)
def show(
    session: Session,
    project: ProjectOption = None,
    user: UserOption = None,
    share_type: TypeOption = None,
) -> None:
    """Show what a project may use, uses, and has reserved for requests in flight. Sizes are in GiB."""
    usage = session.system.quotas.usage(project, user_id=user, share_type=share_type)
    _print_usage(session, usage)


@command("quota list", table=LIMITS, examples=["quota list", "quota list --all"])
def list_quotas(
    session: Session,
    limit: LimitOption = 100,
    marker: MarkerOption = None,
    all_pages: AllOption = False,
    wait: WaitOption = 0.0,
) -> None:
    """List the limits that were set, by project; `quota show` has what is used of them."""
    quotas, end = fetch_pages(session.system.quotas.list, limit, marker, all_pages, wait=wait)
    rows = [row for quota in quotas for row in _rows(quota)]
    documents = [entity_document(quota) for quota in quotas]
    print_page(session, LIMITS, rows, lambda _: {"quotas": documents}, end)


@command(
    "quota set",
    examples=[
        "quota set --project web --shares 100 --gigabytes 5000",
        "quota set --project web --user alice --shares 10",
        "quota set --default --per-share-gigabytes 1000",
    ],
)
def set_quota(
    session: Session,
    project: ProjectOption = None,
    user: UserOption = None,
    share_type: TypeOption = None,
    default: DefaultOption = False,
    shares: Annotated[int | None, _limit("shares", "How many shares")] = None,
    gigabytes: Annotated[int | None, _limit("gigabytes", "GiB of all shares together")] = None,
    snapshots: Annotated[int | None, _limit("snapshots", "How many snapshots")] = None,
    snapshot_gigabytes: Annotated[
        int | None, _limit("snapshot-gigabytes", "GiB of all snapshots together")
    ] = None,
    share_networks: Annotated[
        int | None, _limit("share-networks", "How many share networks")
    ] = None,
    per_share_gigabytes: Annotated[
        int | None, _limit("per-share-gigabytes", "GiB of each share")
    ] = None,
) -> None:
    """Set limits, and leave the others as they are. What is there stays, also if it is more than a limit."""
    given = (shares, gigabytes, snapshots, snapshot_gigabytes, share_networks, per_share_gigabytes)
    limits = set_fields(**dict(zip(QUOTA_NAMES, given, strict=True)))
    if default:
        _check_default(project, user, share_type)
        _print_quota(session, session.system.quotas.set_default(limits))
        return
    quotas = session.system.quotas
    quotas.set(limits, project, user_id=user, share_type=share_type)
    usage = quotas.usage(project, user_id=user, share_type=share_type)
    _print_usage(session, usage)
    _print_exceeded(session, usage)


@command(
    "quota unset",
    examples=["quota unset shares --project web", "quota unset --project web --user alice"],
)
def unset(
    session: Session,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[QUOTA]...", help="Which limits. Default: all that were set."),
    ] = None,
    project: ProjectOption = None,
    user: UserOption = None,
    share_type: TypeOption = None,
    default: DefaultOption = False,
) -> None:
    """Remove limits that were set: the default ones hold again, or else those of the configuration."""
    chosen = [name.replace("-", "_") for name in names or ()]
    if default:
        _check_default(project, user, share_type)
        _print_quota(session, session.system.quotas.unset_default(chosen))
        return
    quotas = session.system.quotas
    quotas.unset(chosen, project, user_id=user, share_type=share_type)
    _print_usage(session, quotas.usage(project, user_id=user, share_type=share_type))


@command("quota history", table=HISTORY, examples=["quota history --project web"])
def history(session: Session, project: ProjectOption = None) -> None:
    """Show who changed the limits of a project, when, and to what."""
    chosen = session.system.context.project_id if project is None else project
    print_history(session, session.system.quotas.history(chosen))


def _check_default(*scope: str | None) -> None:
    if given := [each for each in scope if each is not None]:
        text = f"default: is for all projects, and goes without --project, --user and --type: {given[0]!r}"
        raise InvalidRequest(text, field="default", value=given[0])


def _print_usage(session: Session, usage: QuotaUsage) -> None:
    quotas = {name: quota._asdict() for name, quota in usage.quotas.items()}
    session.output.print_items(
        USAGE,
        [{"quota": name, **quota} for name, quota in quotas.items()],
        lambda rows: {
            **entity_document(usage),
            "quotas": {row["quota"]: quotas[row["quota"]] for row in rows},
        },
    )


def _print_exceeded(session: Session, usage: QuotaUsage) -> None:
    for name in usage.exceeded:
        quota = usage.quotas[name]
        session.output.print_message(
            f"{name}: {quota.used + quota.reserved} are used, which is more than {quota.limit}. What is there"
            " stays, and nothing more is accepted."
        )


def _print_quota(session: Session, quota: Quota) -> None:
    rows = _rows(quota)
    if rows or session.json:
        session.output.print_items(LIMITS, rows, lambda _: entity_document(quota))
    else:
        session.output.print_message("No limits are set: those of the configuration hold.")


def _rows(quota: Quota) -> list[dict[str, Any]]:
    """The limits of *quota*, as rows of `LIMITS`."""
    project = quota.project_id if quota.id != "default" else _ALL_PROJECTS
    return [
        {
            "project_id": project,
            "user_id": each.user_id,
            "share_type": each.share_type,
            "quota": name,
            "limit": limit,
        }
        for each in quota.limits
        for name, limit in each.limits.items()
    ]
