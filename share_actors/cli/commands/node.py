"""`share-actors node ...`: the nodes of the Ray cluster, and what is on each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from share_actors.cli.command import command
from share_actors.cli.output import Column, Table, format_time
from share_actors.cli.session import Session
from share_actors.client.results import HostStatus, ManagerStatus, NodeStatus
from share_actors.errors import NotFound, Unavailable

ID_LENGTH = 12
"""Characters of an id in a table: enough to tell nodes apart, and accepted by `node show`."""


def _status(node: NodeStatus) -> str:
    silent_s = node["silent_s"]
    status = "alive" if silent_s is None else f"silent for {silent_s:.0f} s"
    marks = [mark for mark in ("drained", "forgotten") if node.get(mark)]
    return ", ".join([status, *marks])


NODES = Table(
    "node",
    (
        Column("ID", "id", "id", 0, shown=lambda node: node["id"][:ID_LENGTH]),
        Column("NAME", "name", "word", 1),
        Column("ADDRESS", "address", "word", 2),
        Column("STATUS", "status", "word", 1, _status),
        Column("RESOURCES", "resources", "text", 5),
        Column("BACKENDS", "backends", "text", 3),
        Column("SHARES", "shares", "size", 4),
    ),
)
NodeArgument = Annotated[
    str, typer.Argument(metavar="NODE", help="The name of a node, or the beginning of its id.")
]


@command("node list", table=NODES, examples=["node list", "node list --json"])
def list_nodes(session: Session) -> None:
    """List the nodes of the Ray cluster, also those that were lost."""
    manager = _manager_status(session)
    rows = [_row(node, _actors_on(node, manager["actors"])) for node in manager["nodes"]]
    session.output.print_items(NODES, rows, lambda found: {"nodes": _documents(found)})


def _row(node: NodeStatus, actors: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A node as a row of `NODES`: with the number of shares on it."""
    return {**node, "shares": sum(actor["shares"] for actor in actors)}


def _documents(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "shares"} for row in rows]


@command("node show", table=NODES, examples=["node show worker-2"])
def show(session: Session, node: NodeArgument) -> None:
    """Show a node: since when it is silent, and its share actors and backends."""
    manager = _manager_status(session)
    found = _named(node, manager["nodes"])
    actors = _actors_on(found, manager["actors"])
    backends = {name: manager["backends"][name] for name in found["backends"]}
    session.output.print_items(
        NODES,
        [_row(found, actors)],
        lambda _: {**found, "actors": actors, "backends": backends},
        show=lambda: _print_node(session, found, actors, backends),
    )


def _print_node(
    session: Session,
    found: NodeStatus,
    actors: Sequence[HostStatus],
    backends: Mapping[str, Any],
) -> None:
    session.output.print_fields(
        {
            "Id": found["id"],
            "Name": found["name"],
            "Address": found["address"],
            "Status": _status(found),
            **_marks(found),
            "Resources": ", ".join(found["resources"]) or "none that backends are pinned to",
        }
    )
    session.output.print_section(
        ("ACTOR", "ALIVE", "SHARES"), [(a["actor"], a["alive"], a["shares"]) for a in actors]
    )
    session.output.print_section(
        ("PINNED BACKEND", "STATUS", "REASON"),
        [(name, backend["status"], backend["reason"]) for name, backend in backends.items()],
    )


def _manager_status(session: Session) -> ManagerStatus:
    status = session.system.status()["manager"]
    if "error" in status:
        raise Unavailable(f"the manager does not answer: {status['error']}")
    if "nodes" not in status:
        raise Unavailable("the system runs an earlier version, which does not tell its nodes")
    return status


def _named(name: str, nodes: Sequence[NodeStatus]) -> NodeStatus:
    """The one node called *name*, or whose id begins so; raises `NotFound`."""
    found = [node for node in nodes if node["name"] == name]
    found = found or [node for node in nodes if name and node["id"].startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(node["id"][:ID_LENGTH] for node in found)
        raise NotFound(
            f"{len(found)} nodes are called {name}: give one of the ids {ids}",
            field="node",
            value=name,
        )
    raise NotFound(f"no node is called {name}: see `node list`", field="node", value=name)


def _actors_on(node: NodeStatus, actors: Sequence[HostStatus]) -> list[HostStatus]:
    return [actor for actor in actors if actor["actor"] in node["actors"]]


def _marks(node: NodeStatus) -> dict[str, str]:
    """Since when a node is drained or forgotten, and why."""
    found = {"Drained": node.get("drained"), "Forgotten": node.get("forgotten")}
    return {
        name: f"{format_time(datetime.fromisoformat(mark['at']))}: {mark['reason'] or 'no reason given'}"
        for name, mark in found.items()
        if mark is not None
    }
