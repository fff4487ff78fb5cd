"""Commands for backends that are gone or renamed, in their groups: `share forget`, `backend rename`, ..."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from share_actors.cli.command import command
from share_actors.cli.commands import backend as backend_commands
from share_actors.cli.commands import network as network_commands
from share_actors.cli.commands import server as server_commands
from share_actors.cli.commands import share as share_commands
from share_actors.cli.commands import snapshot as snapshot_commands
from share_actors.cli.options import (
    BackendArgument,
    NetworkArgument,
    ServerArgument,
    ShareArgument,
    SnapshotArgument,
    TimeoutOption,
)
from share_actors.cli.output import count
from share_actors.cli.rendering import (
    entity_document,
    print_entity,
    print_entity_explanation,
    print_share,
    share_document,
)
from share_actors.cli.session import Session

if TYPE_CHECKING:
    from share_actors.audit.entity_explanation import EntityExplanation

ReasonOption = Annotated[
    str, typer.Option("--reason", help="Why it is given up; recorded with who asked.")
]


# -- forgetting ----------------------------------------------------------------------------------
@command(
    share_commands.app, "forget", examples=['share forget data --reason "its disk array burned"']
)
def forget_share(
    session: Session, share: ShareArgument, reason: ReasonOption, timeout: TimeoutOption = 300.0
) -> None:
    """Forget a share, its access rules and its snapshots, in any state. No driver is called.

    For a share whose backend is gone for good. What the backend has of it is left as it is, and
    `share explain` shows how to manage it again.
    """
    handle = session.system.share(share)
    handle.forget(reason, timeout=timeout)
    if session.json:
        session.output.print_json(share_document(handle.seen))
    else:
        session.output.print_message(f"Share [bold]{handle.id}[/] forgotten; no driver was called.")
        print_share(session, handle.seen)


@command(
    snapshot_commands.app,
    "forget",
    examples=['snapshot forget SNAPSHOT_ID --reason "deleted on the filer"'],
)
def forget_snapshot(session: Session, snapshot: SnapshotArgument, reason: ReasonOption) -> None:
    """Forget a snapshot, in any state. No driver is called."""
    share = session.system.share(session.system.snapshot(snapshot).share_id)
    share.forget_snapshot(snapshot, reason)
    if session.json:
        session.output.print_json({"id": snapshot, "share_id": share.id, "status": "unmanaged"})
    else:
        session.output.print_message(f"Snapshot [bold]{snapshot}[/] forgotten.")


@command(
    server_commands.app, "forget", examples=['server forget SERVER_ID --reason "its node is gone"']
)
def forget_server(
    session: Session, server: ServerArgument, reason: ReasonOption, timeout: TimeoutOption = 300.0
) -> None:
    """Forget a share server without shares. No driver is called, and its addresses are free again."""
    forgotten = session.system.servers.forget(server, reason, timeout=timeout)
    if session.json:
        session.output.print_json(entity_document(forgotten))
    else:
        print_entity(session, forgotten)


@command(
    backend_commands.app, "forget", examples=['backend forget old --reason "its disk array burned"']
)
def forget_backend(session: Session, backend: BackendArgument, reason: ReasonOption) -> None:
    """Forget all shares and share servers of a backend that is not configured any more."""
    _print_handled(session, session.system.backends.forget(backend, reason), "forgotten")


# -- renaming ------------------------------------------------------------------------------------
@command(backend_commands.app, "rename", examples=["backend rename old new"])
def rename_backend(
    session: Session,
    old: Annotated[str, typer.Argument(metavar="OLD", help="Name that it had until now.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Name in the configuration now.")],
) -> None:
    """Record that a backend has another name now; its shares, share servers and networks follow.

    Rename it in the configuration first, and run `backend reload`. Refused unless NEW is the storage that
    OLD was. Work in progress goes on, and what failed for lack of OLD is tried again.
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


# -- explanations --------------------------------------------------------------------------------
@command(server_commands.app, "explain", examples=["server explain SERVER_ID"])
def explain_server(session: Session, server: ServerArgument) -> None:
    """Explain the state of a share server: its pending work, its attempts, and what to do next."""
    _print_explanation(session, session.system.servers.explain(server))


@command(network_commands.app, "explain", examples=["network explain blue"])
def explain_network(session: Session, network: NetworkArgument) -> None:
    """Explain what is on a share network, and what has to go before it can be deleted."""
    _print_explanation(session, session.system.networks.explain(network))


def _print_explanation(session: Session, explanation: EntityExplanation) -> None:
    if session.json:
        session.output.print_json(explanation.model_dump(mode="json"))
    else:
        print_entity_explanation(session, explanation)
