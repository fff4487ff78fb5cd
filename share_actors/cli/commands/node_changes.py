"""`share-actors node drain`, `undrain`, `forget` and `accept`: which nodes are used."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from share_actors.cli.command import command
from share_actors.cli.commands.node import NodeArgument
from share_actors.cli.commands.system.down import waiting_for
from share_actors.cli.options import NoWaitOption, TimeoutOption
from share_actors.cli.output import count, escape
from share_actors.cli.rendering import print_history
from share_actors.cli.session import Session
from share_actors.cli.tables import HISTORY
from share_actors.client.nodes import POLL_S, still_moving
from share_actors.client.results import NodeDrain

DRAIN_TIMEOUT_S = 300.0
DrainReason = Annotated[
    str | None, typer.Option("--reason", help="Why it is drained; recorded with your user.")
]
ForgetReason = Annotated[
    str, typer.Option("--reason", help="Why it will not come back; recorded with your user.")
]


@command(
    "node drain",
    examples=['node drain worker-2 --reason "kernel update"', "node drain worker-2 --no-wait"],
)
def drain(
    session: Session,
    node: NodeArgument,
    reason: DrainReason = None,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = DRAIN_TIMEOUT_S,
) -> None:
    """Move what runs on a node to others, and start nothing on it until `node undrain`.

    Requests are answered meanwhile. A share moves once its driver call in progress has ended: these are
    waited for, and shown. What can't move is named with the reason, such as a backend that is pinned to this
    node alone. The drain is recorded: it goes on if the manager is restarted, and the node stays drained when
    Ray is started on it again. Run it again to see how far it is; `node undrain` cancels it.
    """
    drained = _drained(session, node, reason, 0.0 if no_wait else timeout)
    if drained["moving"] and not no_wait:
        raise still_moving(drained, timeout)
    if session.json:
        session.output.print_json(drained)
        return
    name = escape(drained["name"])
    for actor in drained["moving"]:
        session.output.print(f"Moving: {escape(actor)}.")
    for what, why in drained["staying"].items():
        session.output.print(f"Stays: {escape(what)}: {escape(why)}.")
    done = "is being drained" if drained["moving"] else "is drained"
    session.output.print(
        f"Node [bold]{name}[/] {done}; `node undrain {name}` lets it be used again."
    )


def _drained(session: Session, node: str, reason: str | None, timeout_s: float) -> NodeDrain:
    """How far the drain is when it has ended, or after *timeout_s*."""
    nodes, until = session.system.nodes, time.monotonic() + timeout_s
    with session.output.spinner(f"draining {node}") as show_text:
        shown = ""
        while True:
            drained = nodes.drain(node, reason=reason, wait=False)
            if not drained["moving"] or time.monotonic() > until:
                return drained
            if (text := _progress(drained)) != shown:
                show_text(text)
                shown = text
            time.sleep(POLL_S)


def _progress(drained: NodeDrain) -> str:
    moving = f"{count(len(drained['moving']), 'actor')} on {drained['name']} left"
    return f"{moving}; {waiting_for(drained['under_way'])}" if drained["under_way"] else moving


@command("node undrain", examples=["node undrain worker-2"])
def undrain(session: Session, node: NodeArgument) -> None:
    """Use a drained node again, or cancel a drain. Actors that have left the node stay where they are."""
    _print_marked(session, session.system.nodes.undrain(node), "is in use.")


@command("node forget", examples=['node forget worker-2 --reason "its power supply burned"'])
def forget(session: Session, node: NodeArgument, reason: ForgetReason) -> None:
    """Record that a lost node will not come back. Refused while it is alive.

    Backends that are pinned to it can then be moved, if their storage is reachable from another node, or be
    forgotten. If the node comes back nevertheless, it is not used until `node accept`.
    """
    forgotten = session.system.nodes.forget(node, reason)
    _print_marked(session, forgotten, "is forgotten: it is not used if it comes back.")
    if session.json:
        return
    for backend in map(escape, forgotten["backends"]):
        session.output.print(
            f"Backend [bold]{backend}[/] is pinned to it. If its storage is reachable from another node:"
            f" `backend move {backend} --node RESOURCE`. If it is lost: remove it from the configuration,"
            f" run `backend reload`, then `backend forget {backend} --reason WHY`."
        )


@command("node accept", examples=["node accept worker-2"])
def accept(session: Session, node: NodeArgument) -> None:
    """Use a forgotten node again, which has come back."""
    _print_marked(session, session.system.nodes.accept(node), "is in use.")


def _print_marked(session: Session, marked: Mapping[str, Any], outcome: str) -> None:
    if session.json:
        session.output.print_json(marked)
    else:
        name = f"[bold]{escape(marked['name'])}[/] ({escape(marked['address'])})"
        session.output.print(f"Node {name} {outcome}")


@command("node history", table=HISTORY, examples=["node history"])
def history(session: Session) -> None:
    """Show which nodes joined, and who drained, forgot or accepted which ones, and why.

    Recorded are nodes with a resource that a backend is pinned to, and those that somebody drained or forgot.
    """
    print_history(session, session.system.nodes.history())
