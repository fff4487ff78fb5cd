"""`share-actors server ...`: share servers, which come with the shares that need them."""

from __future__ import annotations

from typing import Annotated, get_args

import typer

from share_actors.cli.command import choices, command
from share_actors.cli.options import NoWait, Timeout, listed, pages
from share_actors.cli.rendering import entity_document, show_fields, show_history
from share_actors.cli.session import Session
from share_actors.cli.usage_errors import Commands
from share_actors.values import ServerStatus, ShareServer

app = typer.Typer(
    cls=Commands, no_args_is_help=True,
    help="Share servers: they come with the shares that need one, and go when unused.",
)  # fmt: skip
Server = Annotated[str, typer.Argument(metavar="SERVER_ID", help="See `server list`.")]
COLUMNS = ("ID", "HOST", "NETWORK", "ADDRESSES", "SHARES", "STATUS", "UNUSED SINCE")


@command(app, "list", examples=["server list", "server list --network blue"])
def list_servers(
    session: Session,
    network: Annotated[str | None, typer.Option(help="Only those on this share network.")] = None,
    status: Annotated[
        str | None,
        typer.Option(help="Also `deleted`.", autocompletion=choices(*get_args(ServerStatus))),
    ] = None,
    limit: Annotated[int, typer.Option(help="So many at a time, at most 1000.")] = 100,
    marker: Annotated[str | None, typer.Option(help="Go on after the page before.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All pages.")] = False,
) -> None:
    """List share servers, the oldest first."""
    parent = network and session.system.networks.get(network).id
    filters = {"parent": parent, "status": status}
    found, marker = pages(session.system.servers.list, limit, marker, everything, **filters)
    if session.json:
        told = [entity_document(server) for server in found]
        session.output.document({"servers": told, "next_marker": marker})
        return
    rows = [
        (s.id, s.host, s.share_network_id, ", ".join(s.network_allocations), len(s.shares), s.status,
         s.unused_since)
        for s in found
    ]  # fmt: skip
    listed(session, "share server", COLUMNS, rows, marker)


@command(app, "show", examples=["server show SERVER_ID"])
def show(session: Session, server: Server) -> None:
    """Show a share server: its addresses, its shares, and what its driver told of it."""
    _show(session, session.system.servers.get(server))


@command(app, "delete", examples=["server delete SERVER_ID"])
def delete(
    session: Session, server: Server, no_wait: NoWait = False, timeout: Timeout = 300.0
) -> None:
    """Tear a share server down. Refused while it has shares."""
    _show(session, session.system.servers.delete(server, wait=not no_wait, timeout=timeout))


@command(app, "delete-free", examples=["server delete-free"])
def delete_free(session: Session) -> None:
    """Tear down the share servers that nobody has used for long; it also happens by itself."""
    gone = session.system.servers.delete_free()
    if session.json:
        session.output.document({"servers": gone})
    else:
        session.output.say(f"{len(gone)} share servers go." if gone else "None is unused for long.")


@command(app, "retry", examples=["server retry SERVER_ID"])
def retry(
    session: Session, server: Server, no_wait: NoWait = False, timeout: Timeout = 300.0
) -> None:
    """Try again to tear down a share server that is in error."""
    _show(session, session.system.servers.retry(server, wait=not no_wait, timeout=timeout))


@command(app, "history", examples=["server history SERVER_ID"])
def history(session: Session, server: Server) -> None:
    """Tell all that ever happened to a share server, also one that is gone."""
    show_history(session, session.system.servers.history(server))


def _show(session: Session, server: ShareServer) -> None:
    if session.json:
        session.output.document(entity_document(server))
    else:
        show_fields(session, server)
