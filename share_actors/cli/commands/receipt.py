"""`share-actors receipt`: the outcome of a request, by its command id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from share_actors.cli.command import command
from share_actors.cli.output import format_time
from share_actors.cli.session import Session

if TYPE_CHECKING:
    from share_actors.client.receipt import Receipt

_CommandIdArgument = Annotated[
    str,
    typer.Argument(help="Id of the request: `command_id` in the `receipt` of --json output."),
]
_ShareOption = Annotated[
    str | None,
    typer.Option("--share", metavar="SHARE", help="Look only at the requests of this share."),
]


@command("receipt", examples=["receipt 3f8e2c...", "receipt 3f8e2c... --json"])
def receipt(session: Session, command_id: _CommandIdArgument, share: _ShareOption = None) -> None:
    """Show the outcome of a request: accepted, in progress, done, or failed with the reason."""
    share_id = None if share is None else session.system.share(share).id
    request = session.system.receipt(command_id, share_id)
    if session.json:
        session.output.print_json(_document(request))
    else:
        session.output.print_fields(_fields(request))


def _fields(request: Receipt) -> dict[str, object]:
    attempt = request.attempt
    fields = {"command": request.command_id, "share": request.share_id, "status": _status(request)}
    if request.trace_id is not None:
        fields["trace"] = request.trace_id
    if attempt is not None:
        fields["attempt"] = f"{attempt.n}, since {format_time(attempt.began)}"
        fields["result"] = attempt.result
        if attempt.said:
            fields["backend message"] = attempt.said
        if attempt.next_at:
            fields["next attempt"] = format_time(attempt.next_at)
    return {**fields}


def _status(request: Receipt) -> str:
    if request.status == "failed":
        return f"failed: {request.reason}"
    if request.status == "accepted":
        return "in progress" if request.attempt else "accepted: recorded and waiting"
    return request.status


def _document(request: Receipt) -> dict[str, Any]:
    attempt = request.attempt
    return {
        "command_id": request.command_id,
        "share_id": request.share_id,
        "status": request.status,
        "reason": request.reason,
        "attempt": None if attempt is None else attempt.model_dump(mode="json"),
        "trace_id": request.trace_id,
    }
