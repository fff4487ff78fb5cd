"""`share-actors network ...`: share networks, which provide the addresses of share servers."""

from __future__ import annotations

from typing import Annotated, Any, get_args

import typer

from share_actors.cli.command import choices, command
from share_actors.cli.options import (
    AllOption,
    DescriptionOption,
    LimitOption,
    MarkerOption,
    NameFilter,
    NameOption,
    NetworkArgument,
    WaitOption,
    fetch_pages,
    parse_number,
    print_page,
)
from share_actors.cli.output import Column, Table
from share_actors.cli.rendering import (
    entity_document,
    print_entity,
    print_entity_explanation,
    print_history,
)
from share_actors.cli.requesting import CommandIdOption
from share_actors.cli.session import Session
from share_actors.cli.tables import HISTORY, NETWORKS
from share_actors.values import NetworkType, SecurityServiceType, ShareNetwork

SERVICES = Table(
    "security service",
    (
        Column("SECURITY SERVICE", "id", "id", 0),
        Column("TYPE", "type", "word", 1),
        Column("SERVER", "server", "word", 2),
        Column("DOMAIN", "domain", "word", 3),
        Column("USER", "user", "word", 3),
    ),
    group="security-service",
)
SERVERS_OF_NETWORK = Table(
    "share server",
    (
        Column("SHARE SERVER", "id", "id", 0),
        Column("BACKEND", "backend", "word", 2),
        Column("ADDRESSES", "addresses", "word", 1),
        Column("ACCEPTS SHARES", "open", "word", 4),
        Column("SHARES", "shares", "text", 3),
    ),
)
_OWN_TABLES = ("allocations", "servers", "shares", "security_services")
_NetworkTypeOption = Annotated[
    str,
    typer.Option(
        "--type",
        help="Type of the network's segment.",
        autocompletion=choices(*get_args(NetworkType)),
    ),
]
_SegmentOption = Annotated[
    str | None,
    typer.Option(
        metavar="ID", help="Id of the segment: vlan 1-4094, vxlan 1-16777215, gre 1-4294967295."
    ),
]
_ServiceTypeOption = Annotated[
    str,
    typer.Option(
        "--type",
        help="Type of the service.",
        autocompletion=choices(*get_args(SecurityServiceType)),
    ),
]


@command(
    "network create",
    table=NETWORKS,
    examples=[
        "network create --cidr 10.0.0.0/24 --gateway 10.0.0.1 --name blue",
        "network create --cidr 10.1.0.0/24 --type vlan --segment 7",
    ],
)
def create(
    session: Session,
    cidr: Annotated[str, typer.Option(help="Address range, such as 10.0.0.0/24.")],
    name: NameOption = None,
    gateway: Annotated[
        str | None, typer.Option(help="Address of the gateway, which no server gets.")
    ] = None,
    kind: _NetworkTypeOption = "none",
    segment: _SegmentOption = None,
    description: DescriptionOption = None,
    command_id: CommandIdOption = None,
) -> None:
    """Create a share network. Its share servers are created for the shares that need them."""
    fields: dict[str, Any] = {"gateway": gateway, "description": description, "network_type": kind}
    fields["segmentation_id"] = None if segment is None else parse_number(segment)
    networks = session.system.networks
    created = networks.create(cidr=cidr, name=name, command_id=command_id, **fields)
    _print_network(session, created)


@command("network list", table=NETWORKS, examples=["network list"])
def list_networks(
    session: Session,
    name: NameFilter = None,
    limit: LimitOption = 100,
    marker: MarkerOption = None,
    all_pages: AllOption = False,
    wait: WaitOption = 0.0,
) -> None:
    """List share networks, oldest first."""
    networks, end = fetch_pages(
        session.system.networks.list, limit, marker, all_pages, name=name, wait=wait
    )
    print_page(session, NETWORKS, networks, _list_document, end)


def _list_document(networks: list[ShareNetwork]) -> dict[str, Any]:
    return {"networks": [entity_document(network) for network in networks]}


@command("network show", table=NETWORKS, examples=["network show blue"])
def show(session: Session, network: NetworkArgument) -> None:
    """Show a share network: its servers with their addresses and shares, and its security services."""
    _print_network(session, session.system.networks.get(network))


@command("network delete", table=NETWORKS, examples=["network delete blue"])
def delete(session: Session, network: NetworkArgument, command_id: CommandIdOption = None) -> None:
    """Delete a share network. Refused while it has shares or share servers."""
    network_id = session.system.networks.delete(network, command_id=command_id).id
    if session.json:
        session.output.print_json({"id": network_id, "status": "deleted"})
    else:
        session.output.print_message(f"Share network [bold]{network_id}[/] deleted.")


@command("network history", table=HISTORY, examples=["network history blue"])
def history(session: Session, network: NetworkArgument) -> None:
    """Show all events of a share network."""
    print_history(session, session.system.networks.history(network))


# -- security services ---------------------------------------------------------------------------
@command(
    "network add-service",
    table=SERVICES,
    examples=["network add-service blue --type ldap --server 10.0.0.9 --service-user admin"],
)
def add_service(
    session: Session,
    network: NetworkArgument,
    kind: _ServiceTypeOption,
    server: Annotated[str | None, typer.Option(help="Address of the service.")] = None,
    domain: Annotated[str | None, typer.Option(help="Domain of the service.")] = None,
    dns_ip: Annotated[
        str | None, typer.Option("--dns-ip", help="Address of the domain's DNS server.")
    ] = None,
    user: Annotated[
        str | None, typer.Option("--service-user", help="User that joins the service.")
    ] = None,
    password_file: Annotated[
        typer.FileText | None,
        typer.Option(
            "--password-file", help="File with the user's password, or - for stdin. It is sealed."
        ),
    ] = None,
    command_id: CommandIdOption = None,
) -> None:
    """Add a security service, which new share servers of the network use for authentication."""
    fields = {"server": server, "domain": domain, "dns_ip": dns_ip, "user": user}
    if password_file is not None:
        fields["password"] = password_file.read().rstrip("\n")
    service = session.system.networks.add_security_service(
        network, type=kind, command_id=command_id, **fields
    )
    if session.json:
        session.output.print_json(entity_document(service))
    else:
        session.output.print(f"Security service [bold]{service.id}[/] ({service.type}) added.")


@command(
    "network remove-service", table=SERVICES, examples=["network remove-service blue SERVICE_ID"]
)
def remove_service(
    session: Session,
    network: NetworkArgument,
    service: Annotated[
        str, typer.Argument(metavar="SERVICE_ID", help="Id of the service; see `network show`.")
    ],
    command_id: CommandIdOption = None,
) -> None:
    """Remove a security service. Refused while the network has share servers."""
    session.system.networks.remove_security_service(network, service, command_id=command_id)
    if session.json:
        session.output.print_json({"id": service, "status": "removed"})
    else:
        session.output.print_message(f"Security service [bold]{service}[/] removed.")


# -- output --------------------------------------------------------------------------------------
def _print_network(session: Session, network: ShareNetwork) -> None:
    def show() -> None:
        print_entity(session, network, omit=_OWN_TABLES)
        session.output.print_section(SERVICES, network.security_services)
        session.output.print_section(SERVERS_OF_NETWORK, _server_rows(network))

    session.output.print_items(
        NETWORKS, [network], lambda networks: entity_document(networks[0]), show=show
    )


def _server_rows(network: ShareNetwork) -> list[dict[str, object]]:
    """The share servers of *network*, as rows of `SERVERS_OF_NETWORK`."""
    return [
        {
            "id": server_id,
            "backend": slot.backend,
            "addresses": network.allocations.get(server_id, ()),
            "open": slot.open,
            "shares": _shares(network, server_id),
        }
        for server_id, slot in network.servers.items()
    ]


def _shares(network: ShareNetwork, server_id: str) -> tuple[str, ...]:
    return tuple(share for share, server in network.shares.items() if server == server_id)


@command("network explain", examples=["network explain blue"])
def explain_network(session: Session, network: NetworkArgument) -> None:
    """Explain what is on a share network, and what has to go before it can be deleted."""
    print_entity_explanation(session, session.system.networks.explain(network))
