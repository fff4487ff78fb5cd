"""`share-actors share list`, `show`, `usage`, `clients`, `history` and `explain`: they change nothing."""

# ruff: noqa: PLC0415 - the client is imported by the commands that need more of it than its types
from __future__ import annotations

from typing import Annotated, Any, get_args

import typer

from share_actors.cli.command import choices, command
from share_actors.cli.commands.share.finding import existing_or_deleted
from share_actors.cli.commands.share.watching import WatchOption, print_changes
from share_actors.cli.options import (
    AllOption,
    LimitOption,
    MarkerOption,
    NameFilter,
    ShareArgument,
    WaitOption,
    fetch_pages,
    print_page,
)
from share_actors.cli.output import Column, Table, escape
from share_actors.cli.rendering import (
    event_documents,
    print_explanation,
    print_share,
    print_usage,
    share_document,
)
from share_actors.cli.session import Session
from share_actors.cli.tables import HISTORY, SHARES, USAGE
from share_actors.errors import InvalidRequest
from share_actors.values import Share, ShareStatus
from share_actors.values.waiting import sentence

CLIENTS = Table(
    "client",
    (
        Column("ADDRESS", "address", "id", 0),
        Column("USER", "user", "word", 1),
        Column("PROTOCOL", "protocol", "word", 3),
        Column("READ", "bytes_read", "size", 4),
        Column("WRITTEN", "bytes_written", "size", 4),
        Column("OPERATIONS", "operations", "size", 5),
        Column("SINCE", "since", "time", 3),
        Column("ACTIVE AT", "last_active", "time", 2),
    ),
    identity="address",
)

_StatusFilter = Annotated[
    str | None,
    typer.Option(
        "--status",
        help="List only those with this status, which may be `deleted`.",
        autocompletion=choices(*get_args(ShareStatus)),
    ),
]


@command(
    "share list",
    table=SHARES,
    examples=["share list --status error", "share list --all --json", "share list --watch"],
)
def list_shares(
    session: Session,
    name: NameFilter = None,
    status: _StatusFilter = None,
    project: Annotated[str | None, typer.Option(help="List only those of this project.")] = None,
    backend: Annotated[str | None, typer.Option(help="List only those on this backend.")] = None,
    limit: LimitOption = 100,
    marker: MarkerOption = None,
    all_pages: AllOption = False,
    wait: WaitOption = 0.0,
    watch: WatchOption = False,
) -> None:
    """List shares, oldest first. Deleted shares appear only with --status deleted.

    With --watch all pages, one line a share, and then a line for each change; JSON Lines with --json.
    """
    if watch:
        if marker is not None:
            text = "--marker cannot be used with --watch: all pages are shown"
            raise InvalidRequest(text, field="marker", value=marker)
        changes = session.system.watch_shares(
            name=name, status=status, project_id=project, backend=backend
        )
        print_changes(session, changes)
        return
    filters = {"name": name, "status": status, "project_id": project, "backend": backend}
    handles, end = fetch_pages(
        session.system.shares, limit, marker, all_pages, wait=wait, **filters
    )
    shares = [handle.seen for handle in handles]
    print_page(session, SHARES, shares, _list_document, end)


def _list_document(shares: list[Share]) -> dict[str, Any]:
    return {"shares": [share_document(share) for share in shares]}


@command(
    "share show",
    table=SHARES,
    examples=["share show data", "share show data --json", "share show data --watch"],
)
def show_share(session: Session, share: ShareArgument, watch: WatchOption = False) -> None:
    """Show a share with its export locations, access rules and snapshots.

    With --watch a line for each change, until the share is deleted; JSON Lines with --json.
    """
    if watch:
        print_changes(session, session.system.share(share).watch())
        return
    from share_actors.client.share.conditions import is_at_work
    from share_actors.client.share.handle import place_in_line

    handle = session.system.share(share)
    waiting = place_in_line(handle) if is_at_work(handle.seen) else None
    place = None if waiting is None else waiting.model_dump(mode="json")

    def show() -> None:
        print_share(session, handle.seen)
        if waiting is not None:
            session.output.print(f"\n[bold yellow]Now:[/] {escape(sentence(waiting))}")

    session.output.print_items(
        SHARES,
        [handle.seen],
        lambda shares: {**share_document(shares[0]), "waiting_for_thread": place},
        show=show,
    )


@command("share usage", table=USAGE, examples=["share usage data", "share usage data --json"])
def usage(session: Session, share: ShareArgument) -> None:
    """Show how much of a share is used, as its backend measures it now."""
    handle = session.system.share(share)
    print_usage(session, {handle.id: handle.usage()})


@command(
    "share clients",
    table=CLIENTS,
    examples=["share clients data", "share clients data --json"],
)
def clients(session: Session, share: ShareArgument) -> None:
    """Show who is connected to a share now, as far as its server knows.

    NFS-Ganesha counts by address: its numbers include all shares that the client uses on this server.
    """
    handle = session.system.share(share)
    connected = handle.clients()
    session.output.print_items(
        CLIENTS,
        connected,
        lambda found: {
            "share": handle.id,
            "clients": [client.model_dump(mode="json") for client in found],
        },
    )


@command(
    "share history",
    table=HISTORY,
    examples=["share history data", "share history data --json"],
)
def history(session: Session, share: ShareArgument) -> None:
    """Show all events of a share, also of a deleted one: what happened, when, and at whose request."""
    events = existing_or_deleted(session, share).history()
    share_id = events[0].stream.removeprefix("share-")
    session.output.print_items(
        HISTORY, events, lambda found: {"share_id": share_id, "events": event_documents(found)}
    )


@command("share explain", examples=["share explain data", "share explain data --json"])
def explain(session: Session, share: ShareArgument) -> None:
    """Explain the state of a share: its pending work, its attempts, and what to do next."""
    explanation = existing_or_deleted(session, share).explain()
    if session.json:
        session.output.print_json(explanation.model_dump(mode="json"))
    else:
        print_explanation(session, explanation)
