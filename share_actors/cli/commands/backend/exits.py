"""`share-actors backend forget` and `backend rename`: backends that are gone, or have another name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from share_actors.cli.command import command
from share_actors.cli.options import BackendArgument, ReasonOption
from share_actors.cli.output import count, escape
from share_actors.cli.session import Session


@command("backend forget", examples=['backend forget old --reason "its disk array burned"'])
def forget_backend(session: Session, backend: BackendArgument, reason: ReasonOption) -> None:
    """Forget all shares and share servers of a backend that is not configured any more."""
    _print_handled(session, session.system.backends.forget(backend, reason), "forgotten")


@command("backend rename", examples=["backend rename old new"])
def rename_backend(
    session: Session,
    old: Annotated[str, typer.Argument(metavar="OLD", help="Name that it had until now.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Name in the configuration now.")],
) -> None:
    """Record that a backend has another name now; its shares, share servers and networks follow.

    Rename it in the configuration first, and run `backend reload`. Refused unless NEW is the same storage as
    OLD. Work in progress continues, and work that failed because OLD was not configured is tried again.
    """
    _print_handled(session, session.system.backends.rename(old, new), f"on backend {new} now")


def _print_handled(session: Session, handled: Mapping[str, Any], outcome: str) -> None:
    if session.json:
        session.output.print_json(handled)
        return
    kinds = (("share", "shares"), ("share server", "servers"), ("share network", "networks"))
    counts = [count(len(handled[key]), noun) for noun, key in kinds if handled[key]]
    session.output.print(f"{', '.join(counts) or 'Nothing'} {escape(outcome)}.")
    for entity_id, reason in handled["failed"].items():
        session.output.print_message(f"{entity_id} is not: {escape(reason)}")
