"""`share-actors share forget`: a share whose backend is gone leaves the system."""

from __future__ import annotations

from share_actors.cli.command import command
from share_actors.cli.commands.share.outcome import change_shares
from share_actors.cli.options import ReasonOption, TimeoutOption
from share_actors.cli.requesting import CommandIdOption, Sending, SharesArgument
from share_actors.cli.session import Session
from share_actors.cli.tables import SHARES


@command(
    "share forget", table=SHARES, examples=['share forget data --reason "its disk array burned"']
)
def forget_share(
    session: Session,
    shares: SharesArgument,
    reason: ReasonOption,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Forget shares, their access rules and their snapshots, in any state. No driver is called.

    For shares whose backend is gone for good. Their data on the backend are not changed, and
    `share explain` shows how to manage one again.
    """
    sending = Sending("forgotten; no driver was called", timeout, command_id)
    change_shares(session, shares, lambda h, o: h.forget(reason, **o), sending)
