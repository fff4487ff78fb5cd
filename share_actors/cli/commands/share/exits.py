"""`share-actors share forget`: a share whose backend is gone leaves the system."""

from __future__ import annotations

from share_actors.cli.command import command
from share_actors.cli.options import ReasonOption, ShareArgument, TimeoutOption
from share_actors.cli.rendering import print_share, share_document
from share_actors.cli.session import Session
from share_actors.cli.tables import SHARES


@command(
    "share forget", table=SHARES, examples=['share forget data --reason "its disk array burned"']
)
def forget_share(
    session: Session, share: ShareArgument, reason: ReasonOption, timeout: TimeoutOption = 300.0
) -> None:
    """Forget a share, its access rules and its snapshots, in any state. No driver is called.

    For a share whose backend is gone for good. Its data on the backend are not changed, and
    `share explain` shows how to manage it again.
    """
    handle = session.system.share(share)
    handle.forget(reason, timeout=timeout)
    session.output.print_message(f"Share [bold]{handle.id}[/] forgotten; no driver was called.")
    session.output.print_items(
        SHARES,
        [handle.seen],
        lambda shares: share_document(shares[0]),
        show=lambda: print_share(session, handle.seen),
    )
