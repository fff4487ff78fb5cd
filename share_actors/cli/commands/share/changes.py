"""`share-actors share extend`, `shrink`, `delete`, `retry` and `reapply`."""

from __future__ import annotations

from typing import Annotated

import typer

from share_actors.cli import batch
from share_actors.cli.batch import BatchIdOption, FromOption
from share_actors.cli.command import command
from share_actors.cli.commands.share.batch_kinds import DELETIONS
from share_actors.cli.commands.share.options import SizeOption, share_size
from share_actors.cli.commands.share.outcome import print_outcome
from share_actors.cli.commands.share.protection import AfterOption, NowOption, grace
from share_actors.cli.options import (
    NoWaitOption,
    OptionalShareArgument,
    ShareArgument,
    TimeoutOption,
    outcome_timeout,
)
from share_actors.cli.session import Session
from share_actors.cli.tables import SHARES


@command("share extend", table=SHARES, examples=["share extend data --size 20"])
def extend(
    session: Session,
    share: ShareArgument,
    size: SizeOption,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
) -> None:
    """Extend a share to a larger size."""
    handle = session.system.share(share)
    handle.extend(share_size(size), wait=False)
    print_outcome(session, handle, outcome_timeout(no_wait, timeout), "extended")


@command("share shrink", table=SHARES, examples=["share shrink data --size 5"])
def shrink(
    session: Session,
    share: ShareArgument,
    size: SizeOption,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
) -> None:
    """Shrink a share to a smaller size. Refused, without losing data, if more is in use."""
    handle = session.system.share(share)
    handle.shrink(share_size(size), wait=False)
    print_outcome(session, handle, outcome_timeout(no_wait, timeout), "shrunk")


@command(
    "share delete",
    table=SHARES,
    examples=[
        "share delete data",
        "share delete data --cascade",
        "share delete data --after 7d",
        "share delete --from old-shares.csv",
    ],
)
def delete(
    session: Session,
    share: OptionalShareArgument = None,
    cascade: Annotated[bool, typer.Option("--cascade", help="Also delete its snapshots.")] = False,
    after: AfterOption = None,
    now: NowOption = False,
    file: FromOption = None,
    batch_id: BatchIdOption = None,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
) -> None:
    """Delete a share and its contents, or those that a file names.

    Accepted in any state, unless the share is locked; the history is kept. With --after, or if the share
    type has a grace period, the share is kept for that time and can be restored.
    """
    chosen = {"--cascade": cascade, "--after": after, "--now": now}
    batch.check_options(session, file, batch_id, **{"SHARE": share, **chosen})
    if file is not None:
        batch.run(session, file, DELETIONS, batch_id, outcome_timeout(no_wait, timeout))
        return
    handle = session.system.share(batch.required(session, "SHARE", share))
    handle.delete(cascade, after=grace(after), now=now, wait=False)
    print_outcome(session, handle, outcome_timeout(no_wait, timeout), "deleted")


@command("share retry", table=SHARES, examples=["share retry data"])
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


@command("share reapply", table=SHARES, examples=["share reapply data"])
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
