"""`share-actors share extend`, `shrink`, `delete`, `retry` and `reapply`."""

from __future__ import annotations

from typing import Annotated

import typer

from share_actors.cli import batch
from share_actors.cli.batch import BatchIdOption, FromOption
from share_actors.cli.command import command
from share_actors.cli.commands.share.batch_kinds import DELETIONS
from share_actors.cli.commands.share.options import SizeOption, share_size
from share_actors.cli.commands.share.outcome import change_shares
from share_actors.cli.commands.share.protection import AfterOption, NowOption, grace
from share_actors.cli.options import (
    NoWaitOption,
    TimeoutOption,
    outcome_timeout,
)
from share_actors.cli.requesting import CommandIdOption, Sending, SharesArgument
from share_actors.cli.session import Session
from share_actors.cli.tables import SHARES

OptionalSharesArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="SHARE...", help="Ids or names of shares; required without --from."),
]


@command("share extend", table=SHARES, examples=["share extend data --size 20"])
def extend(
    session: Session,
    shares: SharesArgument,
    size: SizeOption,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Extend shares to a larger size."""
    sending = Sending("extended", outcome_timeout(no_wait, timeout), command_id)
    change_shares(session, shares, lambda h, o: h.extend(share_size(size), **o), sending)


@command("share shrink", table=SHARES, examples=["share shrink data --size 5"])
def shrink(
    session: Session,
    shares: SharesArgument,
    size: SizeOption,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Shrink shares to a smaller size. Refused, without losing data, if more is in use."""
    sending = Sending("shrunk", outcome_timeout(no_wait, timeout), command_id)
    change_shares(session, shares, lambda h, o: h.shrink(share_size(size), **o), sending)


@command(
    "share delete",
    table=SHARES,
    examples=[
        "share delete data",
        "share delete data logs --command-id nightly-7",
        "share delete data --cascade",
        "share delete data --after 7d",
        "share delete --from old-shares.csv",
    ],
)
def delete(
    session: Session,
    shares: OptionalSharesArgument = None,
    cascade: Annotated[bool, typer.Option("--cascade", help="Also delete its snapshots.")] = False,
    after: AfterOption = None,
    now: NowOption = False,
    file: FromOption = None,
    batch_id: BatchIdOption = None,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Delete shares and their contents, or those that a file names.

    Accepted in any state, unless the share is locked; the history is kept. With --after, or if the share
    type has a grace period, the share is kept for that time and can be restored.
    """
    given = {
        **{"--cascade": cascade, "--after": after, "--now": now},
        "--command-id": command_id,
    }
    batch.check_options(session, file, batch_id, **{"SHARE": shares, **given})
    if file is not None:
        batch.run(session, file, DELETIONS, batch_id, outcome_timeout(no_wait, timeout))
        return
    if not shares:
        batch.required(session, "SHARE", None)
    kept = grace(after)
    sending = Sending("deleted", outcome_timeout(no_wait, timeout), command_id)
    change_shares(
        session,
        shares or [],
        lambda h, o: h.delete(cascade, after=kept, now=now, **o),
        sending,
    )


@command("share retry", table=SHARES, examples=["share retry data"])
def retry(
    session: Session,
    shares: SharesArgument,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Retry everything that failed on shares, their access rules and their snapshots."""
    sending = Sending("retried", outcome_timeout(no_wait, timeout), command_id)
    change_shares(session, shares, lambda h, o: h.retry(**o), sending)


@command("share reapply", table=SHARES, examples=["share reapply data"])
def reapply(
    session: Session,
    shares: SharesArgument,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Apply the access rules and exports of shares to their backends again, as they are recorded.

    For a backend that was changed by hand or restored: `backend audit` names the shares that differ.
    """
    sending = Sending("applied again", outcome_timeout(no_wait, timeout), command_id)
    change_shares(session, shares, lambda h, o: h.reapply(**o), sending)
