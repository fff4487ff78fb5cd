"""`share-actors backend forget`, `rename` and `move`: backends that are gone, or elsewhere, or renamed."""

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


@command(
    "backend move",
    examples=[
        "backend move gold --node rack-2",
        'backend move gold --node rack-2 --reason "rack-1 burned"',
    ],
)
def move_backend(
    session: Session,
    backend: BackendArgument,
    node: Annotated[
        str,
        typer.Option(
            "--node", metavar="RESOURCE", help="Ray resource of the nodes that reach its storage."
        ),
    ],
    reason: Annotated[
        str | None, typer.Option("--reason", help="Why it is moved; recorded with your user.")
    ] = None,
) -> None:
    """Pin a backend to other nodes: its shares are served from there, with their data.

    Refused unless the backend's driver works and finds its shares on such a node, and as long as its node is
    silent and not forgotten. The move is recorded, and outlives restarts. It counts as long as the
    configuration names the node that it names now: change `node` there at the next occasion.
    """
    moved = session.system.backends.move(backend, node, reason=reason)
    if session.json:
        session.output.print_json(moved)
        return
    name, now = escape(moved["backend"]), escape(moved["node"])
    session.output.print(f"Backend [bold]{name}[/] is pinned to [bold]{now}[/] now.")
    if moved["problem"]:
        session.output.print_message(f"[yellow]Warning:[/] {escape(moved['problem'])}.")
    if moved["configured"] != moved["node"]:
        said = f"backends.{name}.node is {escape(moved['configured'])}"
        session.output.print(f"The configuration is out of date: {said}. Set it to {now}.")


def _print_handled(session: Session, handled: Mapping[str, Any], outcome: str) -> None:
    if session.json:
        session.output.print_json(handled)
        return
    kinds = (("share", "shares"), ("share server", "servers"), ("share network", "networks"))
    counts = [count(len(handled[key]), noun) for noun, key in kinds if handled[key]]
    session.output.print(f"{', '.join(counts) or 'Nothing'} {escape(outcome)}.")
    for entity_id, reason in handled["failed"].items():
        session.output.print_message(f"{entity_id} is not: {escape(reason)}")
