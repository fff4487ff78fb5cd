"""Requests of commands: to one share or several, with an id by which each can be repeated safely."""

# ruff: noqa: PLC0415 - events are imported when a request is repeated
from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from share_actors.cli.output import format_time
from share_actors.cli.rendering import share_document
from share_actors.cli.session import Session
from share_actors.cli.targets import Outcome, Told, attempt, report
from share_actors.errors import Ambiguous, NotFound, ShareActorsError

if TYPE_CHECKING:
    from share_actors.client import ShareHandle
    from share_actors.client.keywords import RequestOptions
    from share_actors.events.envelope import Recorded

CommandIdOption = Annotated[
    str | None,
    typer.Option(
        "--command-id",
        metavar="ID",
        help="An id of your choice. A request that is repeated with it is done once, and answered the same.",
    ),
]
SharesArgument = Annotated[
    list[str], typer.Argument(metavar="SHARE...", help="Ids or names of shares.")
]


class Sending(NamedTuple):
    """How the requests of a command are sent: *done* says what became of a share."""

    done: str
    timeout: float | None
    """For how many seconds the outcome is waited for; None: not at all."""
    command_id: str | None = None
    status: str | None = None
    """The status that the JSON document of a snapshot has then."""

    def options(self, target: str | None = None) -> RequestOptions:
        """The options of a request; with several targets each has an id of its own."""
        command_id = self.command_id
        if command_id is not None and target is not None:
            command_id = f"{command_id}:{target}"
        return {"wait": False, "command_id": command_id}

    @property
    def until(self) -> float | None:
        """When waiting ends that begins now, as of `time.monotonic`; None: it is not waited."""
        return None if self.timeout is None else time.monotonic() + self.timeout

    @property
    def outcome(self) -> str:
        """What is told of a share, once the outcome was waited for if it is."""
        return (
            "request recorded; not waiting for the outcome" if self.timeout is None else self.done
        )


def remaining_s(until: float | None) -> float | None:
    """The seconds until *until*."""
    return None if until is None else max(0.0, until - time.monotonic())


Request = Callable[["ShareHandle", "RequestOptions"], object]


def request_each(
    session: Session, shares: list[str], request: Request, sending: Sending
) -> ShareHandle | None:
    """Send *request* to each of *shares*: returns the only one, whose outcome the caller prints.

    The outcomes of several are told here, and lead to one exit code.
    """
    targets = list(dict.fromkeys(shares))
    if len(targets) == 1:
        handle = meant_share(session, targets[0], sending.command_id)
        request(handle, sending.options())
        return handle
    until = sending.until
    sent = {share: attempt(_send(session, share, request, sending)) for share in targets}
    outcomes = {share: _outcome(session, handle, sending, until) for share, handle in sent.items()}
    report(session, outcomes, f"Not {sending.done.partition(';')[0]}")
    return None


def _send(
    session: Session, share: str, request: Request, sending: Sending
) -> Callable[[], ShareHandle]:
    def send() -> ShareHandle:
        options = sending.options(share)
        handle = meant_share(session, share, options["command_id"])
        request(handle, options)
        return handle

    return send


def _outcome(
    session: Session,
    sent: ShareHandle | ShareActorsError,
    sending: Sending,
    until: float | None,
) -> Outcome:
    """What became of the request to one of several shares, by *until* (as of `time.monotonic`)."""
    if isinstance(sent, ShareActorsError):
        return sent

    def wait() -> Told:
        receipt = session.wait_for_outcome(sent, remaining_s(until))
        document = {"share": share_document(sent.seen, receipt)}
        return Told(outcome_text(sent, sending), document)

    return attempt(wait)


def outcome_text(share: ShareHandle, sending: Sending) -> str:
    """What became of a request to *share*, in a line for people."""
    if sending.timeout is None:
        return f"Request for share [bold]{share.id}[/] recorded; not waiting for the outcome."
    if sending.done == "deleted" and share.status == "soft_deleted":
        return _kept(share)
    return f"Share [bold]{share.id}[/] {sending.done}."


def _kept(share: ShareHandle) -> str:
    """What became of a share that is softly deleted."""
    until = share.seen.scheduled_to_be_deleted_at
    when = "" if until is None else f" at {format_time(until)}"
    return (
        f"Share [bold]{share.id}[/] will be deleted{when}."
        f" `share-actors share restore {share.id}` keeps it."
    )


# -- requests that are repeated ------------------------------------------------------------------
def meant_share(session: Session, share: str, command_id: str | None) -> ShareHandle:
    """The share with this id or name; of a request that was sent already, the one that it was about.

    That one may have been renamed or deleted since, and its name may be another share's now.
    """
    for handle, history in sent_before(session, command_id):
        if share == handle.id or share in set(_names(history)):
            return handle
    return session.system.share(share)


def sent_before(
    session: Session, command_id: str | None
) -> Iterator[tuple[ShareHandle, list[Recorded]]]:
    """The shares that were sent a request with this id before, each with its history."""
    if command_id is None:
        return
    try:
        ids = [session.system.receipt(command_id).share_id]
    except NotFound:
        return
    except Ambiguous as error:
        ids = error.details["ids"]
    for share_id in ids:
        if ":" not in share_id:  # the address of another entity
            handle = session.system.share(share_id)
            yield handle, handle.history()


def _names(history: list[Recorded]) -> Iterator[str | None]:
    """All names that a share has had."""
    from share_actors.events.share.properties import ShareChanged

    for recorded in history:
        event = recorded.event
        named = event if isinstance(event, ShareChanged) else getattr(event, "spec", None)
        if named is not None:
            yield named.name


def part_in(history: list[Recorded], command_id: str | None, field: str) -> str | None:
    """The id in *field* of the first event of the request."""
    for recorded in history:
        if recorded.envelope.command_id == command_id and hasattr(recorded.event, field):
            return str(getattr(recorded.event, field))
    return None
