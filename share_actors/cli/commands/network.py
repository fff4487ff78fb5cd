"""`share-actors network ...`: share networks, whose addresses share servers get."""

from __future__ import annotations

from typing import Annotated, Any, get_args

import typer

from share_actors.cli.command import choices, command
from share_actors.cli.options import listed, number, pages
from share_actors.cli.rendering import entity_document, show_fields, show_history
from share_actors.cli.session import Session
from share_actors.cli.usage_errors import Commands
from share_actors.values import NetworkType, SecurityServiceType, ShareNetwork

app = typer.Typer(
    cls=Commands, no_args_is_help=True,
    help="Share networks: where share servers get their addresses.",
)  # fmt: skip
Network = Annotated[str, typer.Argument(metavar="NETWORK", help="The network's id or name.")]
COLUMNS = ("ID", "NAME", "CIDR", "TYPE", "SEGMENT", "SERVERS", "SHARES", "STATUS")


@command(
    app, "create",
    examples=[
        "network create --cidr 10.0.0.0/24 --gateway 10.0.0.1 --name blue",
        "network create --cidr 10.1.0.0/24 --type vlan --segment 7",
    ],
)  # fmt: skip
def create(
    session: Session,
    cidr: Annotated[str, typer.Option(help="Its addresses, such as 10.0.0.0/24.")],
    name: Annotated[str | None, typer.Option(help="Need not be unique.")] = None,
    gateway: Annotated[str | None, typer.Option(help="An address that no server gets.")] = None,
    kind: Annotated[
        str, typer.Option("--type", help="Of its segment.", autocompletion=choices(*get_args(NetworkType)))
    ] = "none",
    segment: Annotated[
        str | None, typer.Option(metavar="ID", help="vlan 1-4094, vxlan 1-16777215, gre 1-4294967295.")
    ] = None,
    description: Annotated[str | None, typer.Option(help="For people.")] = None,
) -> None:  # fmt: skip
    """Create a share network. Its servers come and go with the shares that are made on it."""
    given: dict[str, Any] = {"gateway": gateway, "description": description, "network_type": kind}
    given["segmentation_id"] = None if segment is None else number(segment)
    made = session.system.networks.create(cidr=cidr, name=name, **given)
    _show(session, made)


@command(app, "list", examples=["network list"])
def list_networks(
    session: Session,
    name: Annotated[str | None, typer.Option(help="Only those of this name.")] = None,
    limit: Annotated[int, typer.Option(help="So many at a time, at most 1000.")] = 100,
    marker: Annotated[str | None, typer.Option(help="Go on after the page before.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All pages.")] = False,
) -> None:
    """List share networks, the oldest first."""
    found, marker = pages(session.system.networks.list, limit, marker, everything, name=name)
    if session.json:
        told = [entity_document(network) for network in found]
        session.output.document({"networks": told, "next_marker": marker})
        return
    rows = [
        (n.id, n.name, n.cidr, n.network_type, n.segmentation_id, len(n.servers), len(n.shares), n.status)
        for n in found
    ]  # fmt: skip
    listed(session, "share network", COLUMNS, rows, marker)


@command(app, "show", examples=["network show blue"])
def show(session: Session, network: Network) -> None:
    """Show a share network: who has which addresses, and which share is on which server."""
    _show(session, session.system.networks.get(network))


@command(app, "delete", examples=["network delete blue"])
def delete(session: Session, network: Network) -> None:
    """Delete a share network that no share and no share server is on."""
    found = session.system.networks.get(network)
    session.system.networks.delete(found.id)
    _did(session, found.id, "deleted")


@command(app, "history", examples=["network history blue"])
def history(session: Session, network: Network) -> None:
    """Tell all that ever happened to a share network."""
    show_history(session, session.system.networks.history(network))


@command(
    app, "add-service",
    examples=["network add-service blue --type ldap --server 10.0.0.9 --service-user admin"],
)  # fmt: skip
def add_service(
    session: Session,
    network: Network,
    kind: Annotated[
        str,
        typer.Option(
            "--type", help="What it is.", autocompletion=choices(*get_args(SecurityServiceType))
        ),
    ],
    server: Annotated[str | None, typer.Option(help="Where it is.")] = None,
    domain: Annotated[str | None, typer.Option(help="Its domain.")] = None,
    dns_ip: Annotated[str | None, typer.Option("--dns-ip", help="Who knows its names.")] = None,
    user: Annotated[str | None, typer.Option("--service-user", help="Who may join it.")] = None,
    password_file: Annotated[
        typer.FileText | None,
        typer.Option("--password-file", help="Its password; - for stdin. It is sealed at once."),
    ] = None,
) -> None:  # fmt: skip
    """Have the network's servers authenticate against a service, from their set-up on."""
    given = {"server": server, "domain": domain, "dns_ip": dns_ip, "user": user}
    if password_file is not None:
        given["password"] = password_file.read().rstrip("\n")
    made = session.system.networks.add_security_service(network, type=kind, **given)
    if session.json:
        session.output.document(entity_document(made))
    else:
        session.output.say(f"Security service [bold]{made.id}[/] ({made.type}) added.")


@command(app, "remove-service", examples=["network remove-service blue SERVICE_ID"])
def remove_service(
    session: Session,
    network: Network,
    service: Annotated[str, typer.Argument(metavar="SERVICE_ID", help="See `network show`.")],
) -> None:
    """Have a security service forgotten, while no share server stands."""
    session.system.networks.remove_security_service(network, service)
    _did(session, service, "removed")


def _did(session: Session, what: str, done: str) -> None:
    if session.json:
        session.output.document({"id": what, "status": done})
    else:
        session.output.note(f"[bold]{what}[/] {done}.")


def _show(session: Session, network: ShareNetwork) -> None:
    if session.json:
        session.output.document(entity_document(network))
        return
    apart = ("allocations", "servers", "shares", "security_services")
    show_fields(session, network, apart)
    services = [(s.id, s.type, s.server, s.domain, s.user) for s in network.security_services]
    if services:
        session.output.say("")
        session.output.table(("SECURITY SERVICE", "TYPE", "SERVER", "DOMAIN", "USER"), services)
    if network.servers:
        session.output.say("")
        on = {
            i: [s for s, server in network.shares.items() if server == i] for i in network.servers
        }
        rows = [
            (
                i,
                seat.backend,
                ", ".join(network.allocations.get(i, ())),
                seat.open,
                ", ".join(on[i]),
            )
            for i, seat in network.servers.items()
        ]
        session.output.table(("SHARE SERVER", "BACKEND", "ADDRESSES", "TAKES MORE", "SHARES"), rows)
