"""`share-actors share ...`: shares, from creation to history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from share_actors.cli import batch
from share_actors.cli.batch import BatchIdOption, FromOption
from share_actors.cli.command import choices, command
from share_actors.cli.commands.batch_kinds import CREATIONS, DELETIONS
from share_actors.cli.commands.share_options import (
    BackendOption,
    DifferentHostOption,
    FromSnapshotOption,
    IdOption,
    MetadataOption,
    NetworkOption,
    NewProtocolOption,
    NewSizeOption,
    PublicOption,
    SameHostOption,
    SizeOption,
    TypeOption,
    ZoneOption,
)
from share_actors.cli.options import (
    AllOption,
    DescriptionOption,
    LimitOption,
    MarkerOption,
    NameFilter,
    NameOption,
    NoWaitOption,
    OptionalShareArgument,
    ProtocolOption,
    ShareArgument,
    TimeoutOption,
    fetch_pages,
    outcome_timeout,
    parse_number,
    parse_pairs,
    print_list,
    set_fields,
)
from share_actors.cli.rendering import (
    HISTORY_COLUMNS,
    event_document,
    history_rows,
    print_explanation,
    print_share,
    print_usage,
    share_document,
)
from share_actors.cli.session import Session
from share_actors.cli.usage_errors import CommandGroup
from share_actors.errors import Ambiguous, NotFound
from share_actors.values import Share, ShareStatus

if TYPE_CHECKING:
    from share_actors.client import ShareHandle
    from share_actors.values import ShareClient

CLIENT_COLUMNS = (
    *("ADDRESS", "USER", "PROTOCOL", "READ", "WRITTEN", "OPERATIONS"),
    *("SINCE", "ACTIVE AT"),
)

app = typer.Typer(
    cls=CommandGroup, no_args_is_help=True, help="Manage shares. Sizes are whole GiB."
)
COLUMNS = ("ID", "NAME", "GIB", "PROTOCOL", "STATUS", "BACKEND", "PROJECT", "CREATED")

_StatusFilter = Annotated[
    str | None,
    typer.Option(
        "--status",
        help="List only those with this status, which may be `deleted`.",
        autocompletion=choices(*get_args(ShareStatus)),
    ),
]


def print_outcome(session: Session, share: ShareHandle, timeout: float | None, done: str) -> None:
    """Wait up to *timeout* for the last request of *share*, then print the share."""
    receipt = session.wait_for_outcome(share, timeout)
    if session.json:
        session.output.print_json(share_document(share.seen, receipt))
        return
    if timeout is None:
        message = f"Request for share [bold]{share.id}[/] recorded; not waiting for the outcome."
    else:
        message = f"Share [bold]{share.id}[/] {done}."
    session.output.print_message(message)
    print_share(session, share.seen)


# -- create, list, show --------------------------------------------------------------------------
@command(
    app,
    "create",
    examples=[
        "share create --size 10 --name data",
        "share create --size 10 --from-snapshot SNAPSHOT_ID --metadata team=web",
        "share create --from shares.csv",
    ],
)
def create(
    session: Session,
    size: NewSizeOption = None,
    name: NameOption = None,
    protocol: NewProtocolOption = None,
    backend: BackendOption = None,
    description: DescriptionOption = None,
    metadata: MetadataOption = None,
    from_snapshot: FromSnapshotOption = None,
    share_id: IdOption = None,
    public: PublicOption = False,
    availability_zone: ZoneOption = None,
    share_type: TypeOption = None,
    network: NetworkOption = None,
    same_host: SameHostOption = None,
    different_host: DifferentHostOption = None,
    file: FromOption = None,
    batch_id: BatchIdOption = None,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
) -> None:
    """Create a share on a pool that the scheduler chooses, or one for each line of a file.

    The request is recorded before the backend starts, so the share is created even if every
    process is killed meanwhile.
    """
    batch.check_options(
        session,
        file,
        batch_id,
        **{"--size": size, "--name": name, "--protocol": protocol, "--backend": backend},
        **{"--description": description, "--metadata": metadata, "--id": share_id},
        **{"--from-snapshot": from_snapshot, "--public": public, "--type": share_type},
        **{"--availability-zone": availability_zone, "--network": network},
        **{"--same-host": same_host, "--different-host": different_host},
    )
    if file is not None:
        batch.run(session, file, CREATIONS, batch_id, outcome_timeout(no_wait, timeout))
        return
    size = batch.required(session, "--size", size)
    pairs = parse_pairs(metadata, "metadata")
    network_id = None if network is None else session.system.networks.get(network).id
    same, different = tuple(same_host or ()), tuple(different_host or ())
    share = session.system.create_share(
        size=_size(size),
        wait=False,
        **set_fields(name=name, description=description, metadata=pairs, protocol=protocol),
        **set_fields(share_id=share_id, snapshot_id=from_snapshot, is_public=public),
        **set_fields(backend=backend, availability_zone=availability_zone, share_type=share_type),
        **set_fields(share_network_id=network_id, same_host=same, different_host=different),
    )
    print_outcome(session, share, outcome_timeout(no_wait, timeout), "created")


def _size(text: str) -> Any:
    """*text* as a number, or unchanged for the share to refuse."""
    return parse_number(text)


@command(app, "list", examples=["share list --status error", "share list --all --json"])
def list_shares(
    session: Session,
    name: NameFilter = None,
    status: _StatusFilter = None,
    project: Annotated[str | None, typer.Option(help="List only those of this project.")] = None,
    backend: Annotated[str | None, typer.Option(help="List only those on this backend.")] = None,
    limit: LimitOption = 100,
    marker: MarkerOption = None,
    all_pages: AllOption = False,
) -> None:
    """List shares, oldest first. Deleted shares appear only with --status deleted."""
    filters = {"name": name, "status": status, "project_id": project, "backend": backend}
    handles, marker = fetch_pages(session.system.shares, limit, marker, all_pages, **filters)
    shares = [handle.seen for handle in handles]
    if session.json:
        documents = [share_document(share) for share in shares]
        session.output.print_json({"shares": documents, "next_marker": marker})
    else:
        print_list(session, "share", COLUMNS, [_row(share) for share in shares], marker)


def _row(share: Share) -> tuple[object, ...]:
    place = (share.backend, share.project_id, share.created_at)
    return (share.id, share.name, share.size, share.share_proto, share.status, *place)


@command(app, "show", examples=["share show data", "share show data --json"])
def show_share(session: Session, share: ShareArgument) -> None:
    """Show a share with its export locations, access rules and snapshots."""
    seen = session.system.share(share).seen
    if session.json:
        session.output.print_json(share_document(seen))
    else:
        print_share(session, seen)


@command(app, "usage", examples=["share usage data", "share usage data --json"])
def usage(session: Session, share: ShareArgument) -> None:
    """Show how much of a share is used, as its backend measures it now."""
    handle = session.system.share(share)
    print_usage(session, {handle.id: handle.usage()})


@command(app, "clients", examples=["share clients data", "share clients data --json"])
def clients(session: Session, share: ShareArgument) -> None:
    """Show who is connected to a share now, as far as its server knows.

    NFS-Ganesha counts by address: its numbers are of all the shares that the client uses there.
    """
    handle = session.system.share(share)
    connected = handle.clients()
    if session.json:
        documents = [client.model_dump(mode="json") for client in connected]
        session.output.print_json({"share": handle.id, "clients": documents})
        return
    session.output.print_table(CLIENT_COLUMNS, [_client_row(client) for client in connected])


def _client_row(client: ShareClient) -> tuple[object, ...]:
    counted = (client.bytes_read, client.bytes_written, client.operations)
    times = (client.since, client.last_active)
    return (client.address, client.user, client.protocol, *counted, *times)


# -- change, delete, retry -----------------------------------------------------------------------
@command(app, "extend", examples=["share extend data --size 20"])
def extend(
    session: Session,
    share: ShareArgument,
    size: SizeOption,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
) -> None:
    """Extend a share to a larger size."""
    handle = session.system.share(share)
    handle.extend(_size(size), wait=False)
    print_outcome(session, handle, outcome_timeout(no_wait, timeout), "extended")


@command(app, "shrink", examples=["share shrink data --size 5"])
def shrink(
    session: Session,
    share: ShareArgument,
    size: SizeOption,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
) -> None:
    """Shrink a share to a smaller size. Refused, without losing data, if more is in use."""
    handle = session.system.share(share)
    handle.shrink(_size(size), wait=False)
    print_outcome(session, handle, outcome_timeout(no_wait, timeout), "shrunk")


@command(
    app,
    "delete",
    examples=[
        "share delete data",
        "share delete data --cascade",
        "share delete --from old-shares.csv",
    ],
)
def delete(
    session: Session,
    share: OptionalShareArgument = None,
    cascade: Annotated[bool, typer.Option("--cascade", help="Also delete its snapshots.")] = False,
    file: FromOption = None,
    batch_id: BatchIdOption = None,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
) -> None:
    """Delete a share and its contents, or those that a file names.

    Accepted in any state; the history is kept.
    """
    batch.check_options(session, file, batch_id, **{"SHARE": share, "--cascade": cascade})
    if file is not None:
        batch.run(session, file, DELETIONS, batch_id, outcome_timeout(no_wait, timeout))
        return
    handle = session.system.share(batch.required(session, "SHARE", share))
    handle.delete(cascade, wait=False)
    print_outcome(session, handle, outcome_timeout(no_wait, timeout), "deleted")


@command(app, "retry", examples=["share retry data"])
def retry(
    session: Session,
    share: ShareArgument,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
) -> None:
    """Retry everything that failed on a share, its access rules and its snapshots."""
    handle = session.system.share(share)
    handle.retry(wait=False)
    print_outcome(session, handle, outcome_timeout(no_wait, timeout), "retried")


@command(app, "reapply", examples=["share reapply data"])
def reapply(
    session: Session,
    share: ShareArgument,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
) -> None:
    """Apply the access rules and exports of a share to its backend again, as they are recorded.

    For a backend that was changed by hand or restored: `backend audit` names the shares that differ.
    """
    handle = session.system.share(share)
    handle.reapply(wait=False)
    print_outcome(session, handle, outcome_timeout(no_wait, timeout), "applied again")


# -- manage, unmanage ----------------------------------------------------------------------------
@command(
    app,
    "manage",
    examples=[
        "share manage --option path=old/projects --backend local --name projects --dry-run",
        "share manage --option path=old/projects --backend local --name projects",
    ],
)
def manage(
    session: Session,
    option: Annotated[
        list[str],
        typer.Option(metavar="KEY=VALUE", help="Driver option that locates it; repeatable."),
    ],
    backend: Annotated[
        str | None, typer.Option(help="Backend that has it. Default: the default backend.")
    ] = None,
    name: NameOption = None,
    protocol: ProtocolOption = "NFS",
    share_type: Annotated[
        str | None,
        typer.Option("--type", metavar="TYPE", help="Share type, which the backend must meet."),
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(help="Share server that has it, on a backend that handles share servers."),
    ] = None,
    share_id: IdOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be managed and change nothing.")
    ] = False,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
) -> None:
    """Manage existing data on a backend as a share.

    A failure leaves the share in manage_error with the reason; `share retry` or `share unmanage`
    ends that state.
    """
    options = parse_pairs(option, "option")
    fields = set_fields(
        backend=backend,
        name=name,
        protocol=protocol,
        share_type=share_type,
        share_server_id=server,
    )
    if dry_run:
        _print_preview(session, session.system.preview_manage(options, **fields))
        return
    share = session.system.manage_share(
        options, wait=False, **fields, **set_fields(share_id=share_id)
    )
    print_outcome(session, share, outcome_timeout(no_wait, timeout), "managed")


def _print_preview(session: Session, preview: Mapping[str, Any]) -> None:
    if session.json:
        session.output.print_json(preview)
    else:
        session.output.print_message("Dry run: this would be managed; nothing was changed.")
        session.output.print_fields({**preview, "size": f"{preview.get('size')} GiB"})


@command(app, "unmanage", examples=["share unmanage projects"])
def unmanage(
    session: Session,
    share: ShareArgument,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
) -> None:
    """Stop managing a share and leave its data in place. The history is kept."""
    handle = session.system.share(share)
    handle.unmanage(wait=False)
    done = "unmanaged; data left in place"
    print_outcome(session, handle, outcome_timeout(no_wait, timeout), done)


# -- history, explain ----------------------------------------------------------------------------
@command(app, "history", examples=["share history data", "share history data --json"])
def history(session: Session, share: ShareArgument) -> None:
    """Show all events of a share, also of a deleted one: what happened, when, and at whose request."""
    events = _existing_or_deleted(session, share).history()
    if session.json:
        share_id = events[0].stream.removeprefix("share-")
        documents = [event_document(event) for event in events]
        session.output.print_json({"share_id": share_id, "events": documents})
    else:
        session.output.print_table(HISTORY_COLUMNS, history_rows(events))


@command(app, "explain", examples=["share explain data", "share explain data --json"])
def explain(session: Session, share: ShareArgument) -> None:
    """Explain the state of a share: its pending work, its attempts, and what to do next."""
    explanation = _existing_or_deleted(session, share).explain()
    if session.json:
        session.output.print_json(explanation.model_dump(mode="json"))
    else:
        print_explanation(session, explanation)


def _existing_or_deleted(session: Session, share: str) -> ShareHandle:
    """The share with this id or name, or else the only one that had the name and has left the system."""
    try:
        return session.system.share(share)
    except NotFound as not_found:
        deleted: list[ShareHandle] = []
        for status in ("deleted", "unmanaged"):
            deleted += session.system.shares(name=share, status=status, limit=20).items
        if len(deleted) > 1:
            ids = [handle.id for handle in deleted]
            raise Ambiguous(
                f"several deleted or unmanaged shares were named {share!r}:"
                f" use one of the ids {', '.join(ids)}",
                field="share",
                value=share,
                ids=ids,
            ) from not_found
        if not deleted:
            raise
        return deleted[0]
