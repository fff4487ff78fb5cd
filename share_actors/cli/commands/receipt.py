"""`share-actors receipt`: what came of a request, by its command id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from share_actors.cli.command import command
from share_actors.cli.output import when
from share_actors.cli.session import Session

if TYPE_CHECKING:
    from share_actors.client.requests import Receipt

CommandId = Annotated[
    str,
    typer.Argument(help="As --json tells it in `receipt`, and `share explain` for what is owed."),
]
OfShare = Annotated[
    str | None, typer.Option("--share", metavar="SHARE", help="Whose request it was, if ids clash.")
]


def register(app: typer.Typer) -> None:
    """Add the command to the whole."""
    command(app, "receipt", examples=["receipt 3f8e2c...", "receipt 3f8e2c... --json"])(receipt)


def receipt(session: Session, command_id: CommandId, share: OfShare = None) -> None:
    """Tell what came of a request: accepted, in progress, done, or failed and why."""
    share_id = None if share is None else session.system.share(share).id
    found = session.system.receipt(command_id, share_id)
    if session.json:
        session.output.document(_document(found))
        return
    attempt = found.attempt
    fields = {"command": found.command_id, "share": found.share_id, "status": _status(found)}
    if attempt is not None:
        fields |= {"attempt": f"{attempt.n}, since {when(attempt.began)}", "result": attempt.result}
        fields |= {"the backend said": attempt.said} if attempt.said else {}
        fields |= {"next attempt": when(attempt.next_at)} if attempt.next_at else {}
    session.output.fields(fields)


def _status(found: Receipt) -> str:
    if found.status == "failed":
        return f"failed: {found.reason}"
    if found.status == "accepted":
        return "in progress" if found.attempt else "accepted: recorded, and waits its turn"
    return found.status


def _document(found: Receipt) -> dict[str, Any]:
    attempt = found.attempt
    return {
        "command_id": found.command_id, "share_id": found.share_id, "status": found.status,
        "reason": found.reason,
        "attempt": None if attempt is None else attempt.model_dump(mode="json"),
    }  # fmt: skip
