"""`share-actors snapshot ...`: a share's contents at one moment."""

from __future__ import annotations

from typing import Annotated, get_args

import typer

from share_actors.cli.command import choices, command
from share_actors.cli.options import Name, NoWait, Timeout, listed, pages, patience
from share_actors.cli.session import Session
from share_actors.cli.usage_errors import Commands
from share_actors.values import Snapshot, SnapshotStatus

app = typer.Typer(
    cls=Commands, no_args_is_help=True, help="Snapshots: a share's contents at one moment."
)
COLUMNS = ("ID", "NAME", "SHARE", "GIB", "STATUS", "REASON", "CREATED")


@command(app, "create", examples=["snapshot create data --name before-upgrade"])
def create(
    session: Session,
    share: Name,
    name: Annotated[str | None, typer.Option(help="Need not be unique.")] = None,
    no_wait: NoWait = False,
    timeout: Timeout = 300.0,
) -> None:
    """Take a snapshot. `share create --from-snapshot` makes a new share of it."""
    found = session.system.share(share)
    taken = found.create_snapshot(name, wait=False)
    receipt = session.finish(found, patience(no_wait, timeout))
    taken = next((s for s in found.snapshots if s.id == taken.id), taken)
    if session.json:
        session.output.document({**taken.model_dump(mode="json"), "receipt": receipt})
    else:
        session.output.table(COLUMNS, [row(taken)])


@command(app, "list", examples=["snapshot list", "snapshot list --share data"])
def list_snapshots(
    session: Session,
    share: Annotated[str | None, typer.Option(help="Only those of this share.")] = None,
    name: Annotated[str | None, typer.Option(help="Only those of this name.")] = None,
    status: Annotated[
        str | None,
        typer.Option(
            help="Only those of this status.", autocompletion=choices(*get_args(SnapshotStatus))
        ),
    ] = None,
    limit: Annotated[int, typer.Option(help="So many at a time, at most 1000.")] = 100,
    marker: Annotated[str | None, typer.Option(help="Go on after the page before.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All pages.")] = False,
) -> None:
    """List snapshots, the oldest first."""
    filters = {"share_id": share and session.system.share(share).id, "name": name, "status": status}
    found, marker = pages(session.system.snapshots, limit, marker, everything, **filters)
    if session.json:
        told = [snapshot.model_dump(mode="json") for snapshot in found]
        session.output.document({"snapshots": told, "next_marker": marker})
    else:
        listed(session, "snapshot", COLUMNS, [row(snapshot) for snapshot in found], marker)


@command(app, "delete", examples=["snapshot delete SNAPSHOT_ID"])
def delete(
    session: Session,
    snapshot: Annotated[str, typer.Argument(metavar="SNAPSHOT_ID", help="See `snapshot list`.")],
    no_wait: NoWait = False,
    timeout: Timeout = 300.0,
) -> None:
    """Delete a snapshot; shares made from it stay."""
    share = session.system.share(session.system.snapshot(snapshot).share_id)
    share.delete_snapshot(snapshot, wait=False)
    receipt = session.finish(share, patience(no_wait, timeout))
    if session.json:
        session.output.document({"id": snapshot, "share_id": share.id, "receipt": receipt})
    else:
        done = "will be deleted" if no_wait else "deleted"
        session.output.note(f"Snapshot [bold]{snapshot}[/] {done}.")


@command(app, "manage", examples=["snapshot manage data --location old/data-monday --name monday"])
def manage(
    session: Session,
    share: Name,
    location: Annotated[str, typer.Option(help="Where it is on the backend.")],
    name: Annotated[str | None, typer.Option(help="Need not be unique.")] = None,
) -> None:
    """Take what exists on the backend under management, as a snapshot of a share."""
    found = session.system.share(share)
    taken = found.manage_snapshot(location, name)
    if session.json:
        session.output.document(taken.model_dump(mode="json"))
    else:
        session.output.table(COLUMNS, [row(taken)])


@command(app, "unmanage", examples=["snapshot unmanage SNAPSHOT_ID"])
def unmanage(
    session: Session,
    snapshot: Annotated[str, typer.Argument(metavar="SNAPSHOT_ID", help="See `snapshot list`.")],
) -> None:
    """Forget a snapshot, and leave it on the backend as it is."""
    share = session.system.share(session.system.snapshot(snapshot).share_id)
    share.unmanage_snapshot(snapshot)
    if session.json:
        session.output.document({"id": snapshot, "share_id": share.id, "status": "unmanaged"})
    else:
        session.output.note(f"Snapshot [bold]{snapshot}[/] let go, untouched.")


def row(snapshot: Snapshot) -> tuple[object, ...]:
    return (
        snapshot.id, snapshot.name, snapshot.share_id, snapshot.size, snapshot.status,
        snapshot.reason, snapshot.created_at,
    )  # fmt: skip
