"""The outcome of a request about one share, printed for people or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from share_actors.cli.rendering import print_share, share_document
from share_actors.cli.requesting import Request, Sending, outcome_text, request_each
from share_actors.cli.session import Session
from share_actors.cli.tables import SHARES

if TYPE_CHECKING:
    from share_actors.client import ShareHandle


def change_shares(session: Session, shares: list[str], request: Request, sending: Sending) -> None:
    """Send *request* to each of *shares*, and print what became of it."""
    handle = request_each(session, shares, request, sending)
    if handle is not None:
        print_outcome(session, handle, sending.timeout, sending.done)


def print_outcome(session: Session, share: ShareHandle, timeout: float | None, done: str) -> None:
    """Wait up to *timeout* for the last request of *share*, then print the share."""
    receipt = session.wait_for_outcome(share, timeout)
    session.output.print_message(outcome_text(share, Sending(done, timeout)))
    session.output.print_items(
        SHARES,
        [share.seen],
        lambda shares: share_document(shares[0], receipt),
        show=lambda: print_share(session, share.seen),
    )
