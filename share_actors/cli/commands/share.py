"""`share-actors share ...`: shares, from their creation to their history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, get_args

import typer

from share_actors.cli.command import choices, command
from share_actors.cli.options import Name, NoWait, Timeout, listed, number, pages, pairs, patience
from share_actors.cli.rendering import document, lines, recorded_document, show, tell
from share_actors.cli.session import Session
from share_actors.cli.usage_errors import Commands
from share_actors.errors import Ambiguous, NotFound
from share_actors.values import Protocol, ShareStatus

if TYPE_CHECKING:
    from share_actors.client import ShareHandle

app = typer.Typer(cls=Commands, no_args_is_help=True, help="Shares. Sizes are whole GiB.")

Size = Annotated[str, typer.Option("--size", metavar="GIB", help="In whole GiB.")]


def _done(session: Session, share: ShareHandle, timeout: float | None, did: str) -> None:
    """Wait, then tell how the share is."""
    receipt = session.finish(share, timeout)
    if session.json:
        session.output.document(document(share.seen, receipt))
        return
    said = "asked for; it goes on" if timeout is None else did
    session.output.note(f"Share [bold]{share.id}[/] {said}.")
    show(session, share.seen)


# -- commands ------------------------------------------------------------------------------------
@command(
    app, "create",
    examples=[
        "share create --size 10 --name data",
        "share create --size 10 --from-snapshot SNAPSHOT_ID --metadata team=web",
    ],
)  # fmt: skip
def create(
    session: Session,
    size: Size,
    name: Annotated[str | None, typer.Option(help="Need not be unique.")] = None,
    protocol: Annotated[
        str, typer.Option(help="What clients speak.", autocompletion=choices(*get_args(Protocol)))
    ] = "NFS",
    backend: Annotated[
        str | None, typer.Option(help="Only there; else on any, or the default backend.")
    ] = None,
    description: Annotated[str | None, typer.Option(help="For people.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="May be given several times.")
    ] = None,
    from_snapshot: Annotated[
        str | None, typer.Option(metavar="SNAPSHOT_ID", help="With this snapshot's contents.")
    ] = None,
    share_id: Annotated[str | None, typer.Option("--id", help="Else one is made up.")] = None,
    public: Annotated[bool, typer.Option("--public", help="Other projects may see it.")] = False,
    availability_zone: Annotated[str | None, typer.Option(help="Where it shall be.")] = None,
    share_type: Annotated[
        str | None,
        typer.Option("--type", metavar="TYPE", help="What its backend must be able to do."),
    ] = None,
    network: Annotated[
        str | None, typer.Option(metavar="NETWORK", help="On a share server of this share network.")
    ] = None,
    same_host: Annotated[
        list[str] | None, typer.Option(metavar="SHARE_ID", help="Where that share is; several.")
    ] = None,
    different_host: Annotated[
        list[str] | None, typer.Option(metavar="SHARE_ID", help="Not where that share is; several.")
    ] = None,
    no_wait: NoWait = False,
    timeout: Timeout = 300.0,
) -> None:
    """Create a share of --size GiB, on the pool that the scheduler chooses.

    It is recorded first and then made by the backend, so that it is made even if all is killed meanwhile.
    """
    chosen = {
        "name": name, "description": description, "backend": backend, "share_id": share_id,
        "snapshot_id": from_snapshot, "availability_zone": availability_zone,
        "metadata": pairs(metadata or []), "is_public": public, "share_type": share_type,
        "share_network_id": network and session.system.networks.get(network).id,
        "same_host": tuple(same_host or ()), "different_host": tuple(different_host or ()),
    }  # fmt: skip
    given = {key: value for key, value in chosen.items() if value}
    share = session.system.create_share(
        size=number(size), protocol=protocol, wait=False, **given  # type: ignore[arg-type]
    )  # fmt: skip
    _done(session, share, patience(no_wait, timeout), "created")


@command(app, "list", examples=["share list --status error", "share list --all --json"])
def list_shares(
    session: Session,
    name: Annotated[str | None, typer.Option(help="Only those of this name.")] = None,
    status: Annotated[
        str | None,
        typer.Option(help="Also `deleted`.", autocompletion=choices(*get_args(ShareStatus))),
    ] = None,
    project: Annotated[str | None, typer.Option(help="Only those of this project.")] = None,
    backend: Annotated[str | None, typer.Option(help="Only those on this backend.")] = None,
    limit: Annotated[int, typer.Option(help="So many at a time, at most 1000.")] = 100,
    marker: Annotated[str | None, typer.Option(help="Go on after the page before.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All pages.")] = False,
) -> None:
    """List shares, the oldest first. Deleted ones only with --status deleted."""
    filters = {"name": name, "status": status, "project_id": project, "backend": backend}
    found, marker = pages(session.system.shares, limit, marker, everything, **filters)
    shares = [handle.seen for handle in found]
    if session.json:
        told = {"shares": [document(share) for share in shares], "next_marker": marker}
        session.output.document(told)
        return
    columns = ("ID", "NAME", "GIB", "PROTOCOL", "STATUS", "BACKEND", "PROJECT", "CREATED")
    rows = [
        (s.id, s.name, s.size, s.share_proto, s.status, s.backend, s.project_id, s.created_at)
        for s in shares
    ]
    listed(session, "share", columns, rows, marker)


@command(app, "show", examples=["share show data", "share show data --json"])
def show_share(session: Session, share: Name) -> None:
    """Show one share: its state, export locations, access rules and snapshots."""
    found = session.system.share(share).seen
    if session.json:
        session.output.document(document(found))
    else:
        show(session, found)


@command(app, "extend", examples=["share extend data --size 20"])
def extend(
    session: Session, share: Name, size: Size, no_wait: NoWait = False, timeout: Timeout = 300.0
) -> None:
    """Let a share hold --size GiB, which is more than now."""
    found = session.system.share(share)
    found.extend(number(size), wait=False)  # type: ignore[arg-type]
    _done(session, found, patience(no_wait, timeout), "extended")


@command(app, "shrink", examples=["share shrink data --size 5"])
def shrink(
    session: Session, share: Name, size: Size, no_wait: NoWait = False, timeout: Timeout = 300.0
) -> None:
    """Let a share hold only --size GiB. Refused, with nothing lost, if more is used."""
    found = session.system.share(share)
    found.shrink(number(size), wait=False)  # type: ignore[arg-type]
    _done(session, found, patience(no_wait, timeout), "shrunk")


@command(app, "delete", examples=["share delete data", "share delete data --cascade"])
def delete(
    session: Session,
    share: Name,
    cascade: Annotated[bool, typer.Option("--cascade", help="With its snapshots.")] = False,
    no_wait: NoWait = False,
    timeout: Timeout = 300.0,
) -> None:
    """Delete a share and all in it. Accepted in any state; its history stays."""
    found = session.system.share(share)
    found.delete(cascade, wait=False)
    _done(session, found, patience(no_wait, timeout), "deleted")


@command(app, "retry", examples=["share retry data"])
def retry(session: Session, share: Name, no_wait: NoWait = False, timeout: Timeout = 300.0) -> None:
    """Try again what failed on a share, its access rules and its snapshots."""
    found = session.system.share(share)
    found.retry(wait=False)
    _done(session, found, patience(no_wait, timeout), "mended")


# -- what exists already -------------------------------------------------------------------------
@command(
    app, "manage",
    examples=[
        "share manage --option path=old/projects --backend local --name projects --dry-run",
        "share manage --option path=old/projects --backend local --name projects",
    ],
)  # fmt: skip
def manage(
    session: Session,
    option: Annotated[
        list[str], typer.Option(metavar="KEY=VALUE", help="What it is found by, for the driver; several.")
    ],
    backend: Annotated[str | None, typer.Option(help="Else the default backend.")] = None,
    name: Annotated[str | None, typer.Option(help="Need not be unique.")] = None,
    protocol: Annotated[
        str, typer.Option(help="What clients speak.", autocompletion=choices(*get_args(Protocol)))
    ] = "NFS",
    share_type: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="What its backend must be.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would be adopted.")
    ] = False,
    no_wait: NoWait = False,
    timeout: Timeout = 300.0,
) -> None:  # fmt: skip
    """Take what exists on a backend under management, as a share.

    A failed attempt leaves the share in manage_error, with the reason: `share retry`, or `share unmanage`.
    """
    options = pairs(option)
    asked = {"backend": backend, "name": name, "protocol": protocol, "share_type": share_type}
    given = {key: value for key, value in asked.items() if value}
    if dry_run:
        told = session.system.preview_manage(options, **given)
        if session.json:
            session.output.document(told)
        else:
            session.output.note("This would be adopted; nothing was changed.")
            session.output.fields({**told, "size": f"{told.get('size')} GiB"})
        return
    share = session.system.manage_share(options, wait=False, **given)
    _done(session, share, patience(no_wait, timeout), "managed")


@command(app, "unmanage", examples=["share unmanage projects"])
def unmanage(
    session: Session, share: Name, no_wait: NoWait = False, timeout: Timeout = 300.0
) -> None:
    """Forget a share, and leave what is on its backend as it is. Its history stays."""
    found = session.system.share(share)
    found.unmanage(wait=False)
    _done(session, found, patience(no_wait, timeout), "let go, untouched")


# -- history -------------------------------------------------------------------------------------
@command(app, "history", examples=["share history data", "share history data --json"])
def history(session: Session, share: Name) -> None:
    """Tell all that ever happened to a share, also a deleted one: what, when, and who asked for it."""
    recorded = _alive_or_deleted(session, share).history()
    if session.json:
        told = [recorded_document(item) for item in recorded]
        session.output.document(
            {"share_id": recorded[0].stream.removeprefix("share-"), "events": told}
        )
        return
    session.output.table(("WHEN", "WHAT"), lines(recorded))


@command(app, "explain", examples=["share explain data", "share explain data --json"])
def explain(session: Session, share: Name) -> None:
    """Tell why a share is as it is: what is owed, what was tried, and what to do about it."""
    told = _alive_or_deleted(session, share).explain()
    if session.json:
        session.output.document(told.model_dump(mode="json"))
    else:
        tell(session, told)


def _alive_or_deleted(session: Session, share: str) -> ShareHandle:
    """A name is that of a living share, or else of the only deleted one that bore it."""
    try:
        return session.system.share(share)
    except NotFound as none:
        page = session.system.shares(name=share, status="deleted", limit=20)
        deleted: tuple[ShareHandle, ...] = page.items
        if len(deleted) > 1:
            ids = [handle.id for handle in deleted]
            raise Ambiguous(
                f"deleted shares were named {share!r}: use one of the ids {', '.join(ids)}",
                field="share", value=share, ids=ids,
            ) from none  # fmt: skip
        if not deleted:
            raise
        return deleted[0]
