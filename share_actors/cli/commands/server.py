"""`share-actors server ...`: share servers, which are created for the shares that need them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from share_actors.cli.command import choices, command
from share_actors.cli.options import (
    AllOption,
    LimitOption,
    MarkerOption,
    NoWaitOption,
    ReasonOption,
    ServerArgument,
    TimeoutOption,
    WaitOption,
    fetch_pages,
    print_page,
)
from share_actors.cli.output import count
from share_actors.cli.rendering import (
    entity_document,
    print_entity_explanation,
    print_history,
    print_one,
)
from share_actors.cli.requesting import CommandIdOption
from share_actors.cli.session import Session
from share_actors.cli.tables import HISTORY, SERVERS
from share_actors.values import ServerStatus, ShareServer

if TYPE_CHECKING:
    from share_actors.client.keywords import RequestOptions

_StatusFilter = Annotated[
    str | None,
    typer.Option(
        "--status",
        help="List only those with this status, which may be `deleted`.",
        autocompletion=choices(*get_args(ServerStatus)),
    ),
]


@command("server list", table=SERVERS, examples=["server list", "server list --network blue"])
def list_servers(
    session: Session,
    network: Annotated[
        str | None, typer.Option(help="List only those on this share network.")
    ] = None,
    status: _StatusFilter = None,
    limit: LimitOption = 100,
    marker: MarkerOption = None,
    all_pages: AllOption = False,
    wait: WaitOption = 0.0,
) -> None:
    """List share servers, oldest first."""
    parent = None if network is None else session.system.networks.get(network).id
    filters = {"parent": parent, "status": status}
    servers, end = fetch_pages(
        session.system.servers.list, limit, marker, all_pages, wait=wait, **filters
    )
    print_page(session, SERVERS, servers, _list_document, end)


def _list_document(servers: list[ShareServer]) -> dict[str, Any]:
    return {"servers": [entity_document(server) for server in servers]}


@command("server show", table=SERVERS, examples=["server show SERVER_ID"])
def show(session: Session, server: ServerArgument) -> None:
    """Show a share server: its addresses, its shares, and the details from its driver."""
    _print_server(session, session.system.servers.get(server))


@command("server delete", table=SERVERS, examples=["server delete SERVER_ID"])
def delete(
    session: Session,
    server: ServerArgument,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Delete a share server. Refused while it has shares."""
    servers = session.system.servers
    options: RequestOptions = {"wait": not no_wait, "timeout": timeout, "command_id": command_id}
    _print_server(session, servers.delete(server, **options))


@command("server delete-free", examples=["server delete-free"])
def delete_free(session: Session) -> None:
    """Delete share servers that have been unused for long, as the system does periodically."""
    server_ids = session.system.servers.delete_free()
    if session.json:
        session.output.print_json({"servers": server_ids})
    elif server_ids:
        session.output.print(f"Deleting {count(len(server_ids), 'share server')}.")
    else:
        session.output.print("No share server has been unused for long.")


@command("server retry", table=SERVERS, examples=["server retry SERVER_ID"])
def retry(
    session: Session,
    server: ServerArgument,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Retry the failed deletion of a share server."""
    servers = session.system.servers
    options: RequestOptions = {"wait": not no_wait, "timeout": timeout, "command_id": command_id}
    _print_server(session, servers.retry(server, **options))


@command("server history", table=HISTORY, examples=["server history SERVER_ID"])
def history(session: Session, server: ServerArgument) -> None:
    """Show all events of a share server, also of a deleted one."""
    print_history(session, session.system.servers.history(server))


def _print_server(session: Session, server: ShareServer) -> None:
    print_one(session, SERVERS, server)


@command(
    "server forget", table=SERVERS, examples=['server forget SERVER_ID --reason "its node is gone"']
)
def forget_server(
    session: Session,
    server: ServerArgument,
    reason: ReasonOption,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Forget a share server without shares. No driver is called, and its addresses are free again."""
    servers = session.system.servers
    forgotten = servers.forget(server, reason, timeout=timeout, command_id=command_id)
    print_one(session, SERVERS, forgotten)


@command("server explain", examples=["server explain SERVER_ID"])
def explain_server(session: Session, server: ServerArgument) -> None:
    """Explain the state of a share server: its pending work, its attempts, and what to do next."""
    print_entity_explanation(session, session.system.servers.explain(server))
