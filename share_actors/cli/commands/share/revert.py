"""`share-actors share revert`: put a share back to the content of its latest snapshot."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from share_actors.cli.command import command
from share_actors.cli.commands.share.outcome import print_outcome
from share_actors.cli.options import (
    NoWaitOption,
    ShareArgument,
    SnapshotArgument,
    TimeoutOption,
    outcome_timeout,
)
from share_actors.cli.requesting import CommandIdOption, meant_share
from share_actors.cli.session import Session
from share_actors.cli.snapshots import snapshot_of
from share_actors.cli.tables import SHARES
from share_actors.errors import Refused

YesOption = Annotated[
    bool, typer.Option("--yes", help="Do not ask for confirmation. Scripts are never asked.")
]


@command(
    "share revert",
    table=SHARES,
    examples=["share revert data before-upgrade", "share revert data SNAPSHOT_ID --yes --json"],
)
def revert(
    session: Session,
    share: ShareArgument,
    snapshot: SnapshotArgument,
    yes: YesOption = False,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Replace the content of a share by that of its latest snapshot.

    What was written since the snapshot is lost; size, access rules and export locations stay. Refused for
    an older snapshot: delete the later ones first. The outcome says whether clients must mount again.
    """
    handle = meant_share(session, share, command_id)
    snapshot_id = snapshot_of(session, handle, snapshot, command_id)
    if not yes:
        require_confirmation(f"What was written to share {handle.id} since {snapshot} is lost.")
    handle.revert_to(snapshot_id, wait=False, command_id=command_id)
    print_outcome(session, handle, outcome_timeout(no_wait, timeout), "reverted")


NOT_REVERTED = "the revert was not confirmed; the share is as before"


def require_confirmation(consequence: str, kept: str = NOT_REVERTED) -> None:
    """Ask at the terminal, if there is one; raises `Refused` with what was *kept* unless it is yes."""
    if not sys.stdin.isatty():
        return
    try:
        agreed = typer.confirm(f"{consequence} Continue?", err=True)
    except typer.Abort:  # the end of the input, or Ctrl-C
        agreed = False
    if not agreed:
        raise Refused(kept, field="yes", value=False)
