"""The outcome of a request about one share, printed for people or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from share_actors.cli.rendering import print_share, share_document
from share_actors.cli.session import Session
from share_actors.cli.tables import SHARES

if TYPE_CHECKING:
    from share_actors.client import ShareHandle


def print_outcome(session: Session, share: ShareHandle, timeout: float | None, done: str) -> None:
    """Wait up to *timeout* for the last request of *share*, then print the share."""
    receipt = session.wait_for_outcome(share, timeout)
    if timeout is None:
        message = f"Request for share [bold]{share.id}[/] recorded; not waiting for the outcome."
    else:
        message = f"Share [bold]{share.id}[/] {done}."
    session.output.print_message(message)
    session.output.print_items(
        SHARES,
        [share.seen],
        lambda shares: share_document(shares[0], receipt),
        show=lambda: print_share(session, share.seen),
    )
