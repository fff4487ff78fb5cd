"""`share-actors snapshot ...`: snapshots of shares."""

from __future__ import annotations

from typing import Annotated, Any, get_args

import typer

from share_actors.cli.command import choices, command
from share_actors.cli.commands.share.access import print_denied, print_rules
from share_actors.cli.options import (
    AllOption,
    LimitOption,
    MarkerOption,
    NameFilter,
    NameOption,
    NoWaitOption,
    ReasonOption,
    ShareArgument,
    SnapshotArgument,
    TimeoutOption,
    WaitOption,
    fetch_pages,
    outcome_timeout,
    print_page,
)
from share_actors.cli.rendering import print_snapshot, snapshot_document
from share_actors.cli.requesting import CommandIdOption, Sending, meant_share
from share_actors.cli.session import Session
from share_actors.cli.snapshots import (
    DeniedClientOption,
    DeniedRuleArgument,
    DeniedTypeOption,
    RuleName,
    SnapshotsArgument,
    change_snapshots,
    denied_rule,
    meant_snapshot,
)
from share_actors.cli.tables import RULES, SNAPSHOTS
from share_actors.values import AccessType, Snapshot, SnapshotStatus

_StatusFilter = Annotated[
    str | None,
    typer.Option(
        "--status",
        help="List only those with this status.",
        autocompletion=choices(*get_args(SnapshotStatus)),
    ),
]


@command(
    "snapshot create",
    table=SNAPSHOTS,
    examples=["snapshot create data --name before-upgrade"],
)
def create(
    session: Session,
    share: ShareArgument,
    name: NameOption = None,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Take a snapshot of a share. `share create --from-snapshot` creates a share from it."""
    handle = meant_share(session, share, command_id)
    snapshot = handle.create_snapshot(name, wait=False, command_id=command_id)
    receipt = session.wait_for_outcome(handle, outcome_timeout(no_wait, timeout))
    snapshot = next((s for s in handle.snapshots if s.id == snapshot.id), snapshot)
    session.output.print_items(
        SNAPSHOTS, [snapshot], lambda found: {**_document(found[0]), "receipt": receipt}
    )


def _document(snapshot: Snapshot) -> dict[str, Any]:
    return snapshot.model_dump(mode="json")


def _list_document(snapshots: list[Snapshot]) -> dict[str, Any]:
    return {"snapshots": [_document(snapshot) for snapshot in snapshots]}


@command(
    "snapshot list",
    table=SNAPSHOTS,
    examples=["snapshot list", "snapshot list --share data"],
)
def list_snapshots(
    session: Session,
    share: Annotated[str | None, typer.Option(help="List only those of this share.")] = None,
    name: NameFilter = None,
    status: _StatusFilter = None,
    limit: LimitOption = 100,
    marker: MarkerOption = None,
    all_pages: AllOption = False,
    wait: WaitOption = 0.0,
) -> None:
    """List snapshots, oldest first."""
    share_id = share and session.system.share(share).id
    filters = {"share_id": share_id, "name": name, "status": status}
    snapshots, end = fetch_pages(
        session.system.snapshots, limit, marker, all_pages, wait=wait, **filters
    )
    print_page(session, SNAPSHOTS, snapshots, _list_document, end)


@command(
    "snapshot delete",
    table=SNAPSHOTS,
    examples=["snapshot delete before-upgrade", "snapshot delete SNAPSHOT_ID SNAPSHOT_ID"],
)
def delete(
    session: Session,
    snapshots: SnapshotsArgument,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Delete snapshots. Shares created from them stay."""
    sending = Sending("deleted", outcome_timeout(no_wait, timeout), command_id)
    change_snapshots(
        session, snapshots, lambda share, found, o: share.delete_snapshot(found, **o), sending
    )


@command(
    "snapshot manage",
    table=SNAPSHOTS,
    examples=["snapshot manage data --location old/data-monday --name monday"],
)
def manage(
    session: Session,
    share: ShareArgument,
    location: Annotated[str, typer.Option(help="Location of the snapshot on the backend.")],
    name: NameOption = None,
    snapshot_id: Annotated[
        str | None,
        typer.Option("--id", help="Id that it had before it was unmanaged or forgotten."),
    ] = None,
    command_id: CommandIdOption = None,
) -> None:
    """Manage an existing snapshot on the backend as a snapshot of a share."""
    handle = meant_share(session, share, command_id)
    snapshot = handle.manage_snapshot(
        location, name, snapshot_id=snapshot_id, command_id=command_id
    )
    session.output.print_items(SNAPSHOTS, [snapshot], lambda found: _document(found[0]))


@command("snapshot unmanage", table=SNAPSHOTS, examples=["snapshot unmanage SNAPSHOT_ID"])
def unmanage(
    session: Session,
    snapshots: SnapshotsArgument,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Stop managing snapshots and leave their data in place."""
    sending = Sending("unmanaged; data left in place", timeout, command_id, "unmanaged")
    change_snapshots(
        session, snapshots, lambda share, found, o: share.unmanage_snapshot(found, **o), sending
    )


_IpOption = Annotated[
    str,
    typer.Option("--type", help="Type of --to.", autocompletion=choices(*get_args(AccessType))),
]
_LevelOption = Annotated[
    str, typer.Option(help="Level of access: a snapshot can only be read (ro).")
]


@command("snapshot show", table=SNAPSHOTS, examples=["snapshot show SNAPSHOT_ID"])
def show(session: Session, snapshot: SnapshotArgument) -> None:
    """Show a snapshot, its access rules, and how its clients mount it."""
    found = session.system.snapshot(snapshot)
    session.output.print_items(
        SNAPSHOTS,
        [found],
        lambda snapshots: snapshot_document(snapshots[0]),
        show=lambda: print_snapshot(session, found),
    )


@command(
    "snapshot allow",
    table=RULES,
    examples=["snapshot allow SNAPSHOT_ID --type ip --to 10.0.0.0/24"],
)
def allow(
    session: Session,
    snapshot: SnapshotArgument,
    to: Annotated[
        str,
        typer.Option(help="User, IP address or CIDR, certificate's common name, or cephx id."),
    ],
    kind: _IpOption = "user",
    level: _LevelOption = "ro",
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Let a client mount a snapshot by itself and read it. Repeating an existing rule changes nothing."""
    handle, snapshot_id = meant_snapshot(session, snapshot, command_id)
    rule = handle.allow_snapshot_access(
        snapshot_id, to, type=kind, level=level, wait=False, command_id=command_id
    )
    receipt = session.wait_for_outcome(handle, outcome_timeout(no_wait, timeout))
    found = next((s for s in handle.snapshots if s.id == snapshot_id), None)
    rules = () if found is None else found.access_rules
    rule = next((r for r in rules if r.id == rule.id), rule)
    ids = {"snapshot_id": snapshot_id, "share_id": handle.id, "receipt": receipt}
    session.output.print_items(
        RULES, [rule], lambda found: {**found[0].model_dump(mode="json"), **ids}
    )


@command(
    "snapshot deny",
    table=RULES,
    examples=["snapshot deny before-upgrade --to alice", "snapshot deny SNAPSHOT_ID RULE_ID"],
)
def deny(
    session: Session,
    snapshot: SnapshotArgument,
    rule: DeniedRuleArgument = None,
    to: DeniedClientOption = None,
    kind: DeniedTypeOption = None,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Remove an access rule from a snapshot, by its client or its id."""
    name = RuleName(rule, to, kind).check()
    handle, snapshot_id = meant_snapshot(session, snapshot, command_id)
    rules = [r for s in handle.snapshots if s.id == snapshot_id for r in s.access_rules]
    rule_id = denied_rule(session, handle, rules, name, command_id)
    handle.deny_snapshot_access(snapshot_id, rule_id, wait=False, command_id=command_id)
    ids = {"id": rule_id, "snapshot_id": snapshot_id, "share_id": handle.id}
    print_denied(session, handle, ids, no_wait, timeout)


@command("snapshot rules", table=RULES, examples=["snapshot rules SNAPSHOT_ID"])
def list_rules(session: Session, snapshot: SnapshotArgument) -> None:
    """List the access rules of a snapshot, each with its state and reason."""
    print_rules(session, session.system.snapshot(snapshot).access_rules)


@command(
    "snapshot forget",
    table=SNAPSHOTS,
    examples=['snapshot forget SNAPSHOT_ID --reason "deleted on the filer"'],
)
def forget_snapshot(
    session: Session,
    snapshots: SnapshotsArgument,
    reason: ReasonOption,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Forget snapshots, in any state. No driver is called."""
    sending = Sending("forgotten", timeout, command_id, "unmanaged")
    change_snapshots(
        session,
        snapshots,
        lambda share, found, o: share.forget_snapshot(found, reason, **o),
        sending,
    )
