"""`share-actors status`: the state of the running system."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from share_actors.cli.command import command
from share_actors.cli.output import Output, count, escape
from share_actors.cli.session import Session

ACTOR_COLUMNS = ("ACTOR", "PID", "ALIVE", "SHARES", "WAITING", "HUNG CALLS")


@command("status", examples=["status", "status --json"])
def status(session: Session) -> None:
    """Show the state of the system: its actors, backends and shares, and any problems."""
    document = session.system.status() | _location(session)
    if session.json:
        session.output.print_json(document)
    else:
        print_status(session.output, document)


def _location(session: Session) -> dict[str, Any]:
    """Where the system and its log are, as part of the status document."""
    config, log = session.system.config, session.system.config.log
    sqlite = log.kind == "sqlite"
    where = str(config.log_path) if sqlite else f"{log.host}:{log.port}/{log.database}"
    address = session.running_system().address
    return {"address": address, "log": {"kind": log.kind, "where": where}}


def print_status(output: Output, status: Mapping[str, Any]) -> None:
    """Print *status*, the document of `status --json`: a summary, the actors, then each problem."""
    manager, catalog = status["manager"], status["catalog"]
    output.print_fields(_summary(status))
    output.print_section(ACTOR_COLUMNS, [_actor_row(actor) for actor in manager.get("actors", [])])
    for actor in manager.get("actors", []):
        if "outdated" in actor:
            _print_outdated_actor(output, actor)
    for node in manager.get("nodes", []):
        _print_node(output, node)
    for name, backend in manager.get("backends", {}).items():
        if backend.get("node") != backend.get("configured_node"):
            _print_moved_backend(output, name, backend)
        if backend["status"] == "down":
            _print_down_backend(output, name, backend["reason"])
        elif backend.get("problems"):
            _print_unhealthy_backend(output, name, backend["problems"])
    for name, calls in _waiting_for_thread(manager).items():
        _print_line(output, name, calls)
    for share_id, reason in manager.get("broken", {}).items():
        _print_broken_share(output, share_id, reason)
    for parked in catalog.get("parked", []):
        _print_parked_stream(output, parked)


# -- summary -------------------------------------------------------------------------------------
def _summary(status: Mapping[str, Any]) -> dict[str, str]:
    manager, catalog, log = status["manager"], status["catalog"], status["log"]
    backends = manager.get("backends", {}).items()
    shares = catalog.get("shares", {}).items()
    events = count(catalog["events"], "event") if "events" in catalog else "? events"
    return {
        "System": f"{status['namespace']} at {status['address']}",
        "Log": f"{log['kind']}, {log['where']}, {events}",
        "Version": _versions(manager),
        "Manager": _manager(manager),
        "Catalog": _catalog(catalog),
        "Backends": ", ".join(f"{name} ({b['driver']}, {b['status']})" for name, b in backends),
        **_metrics(manager),
        "Shares": ", ".join(f"{number} {status}" for status, number in shares) or "none",
    }


def _versions(manager: Mapping[str, Any]) -> str:
    """The version of the program, or which processes run which if they differ."""
    running: dict[str, list[str]] = {}
    for name, process in (
        ("manager", manager),
        *((a["actor"], a) for a in manager.get("actors", [])),
    ):
        if "version" in process:
            running.setdefault(process["version"], []).append(name)
    if len(running) > 1:
        return "; ".join(f"{version} ({', '.join(names)})" for version, names in running.items())
    return next(iter(running), "unknown")


def _manager(manager: Mapping[str, Any]) -> str:
    if "error" in manager:
        return f"does not answer: {manager['error']}"
    waiting = count(manager["waiting"], "command")
    return f"process {manager['pid']}, up {manager['up_s']:.0f} s, {waiting} waiting"


def _metrics(manager: Mapping[str, Any]) -> dict[str, str]:
    """Where metrics are served, or why they are not; nothing if they are not configured."""
    metrics = manager.get("metrics", {})
    shown = f"not served: {metrics['error']}" if metrics.get("error") else metrics.get("url")
    return {"Metrics": shown} if shown else {}


def _catalog(catalog: Mapping[str, Any]) -> str:
    if "error" in catalog:
        return f"does not answer: {catalog['error']}"
    parked = len(catalog["parked"])
    summary = f"process {catalog['pid']}, {_how_far(catalog)}"
    return f"{summary}, {count(parked, 'stream')} parked" if parked else summary


def _how_far(catalog: Mapping[str, Any]) -> str:
    behind = f"{count(catalog['behind'], 'event')} behind the log"
    if catalog.get("seconds_left") is None:
        return behind
    done = f"{catalog['applied']} of {count(catalog['events'], 'event')} are applied"
    rate = f"{catalog['events_per_s']:.0f} a second"
    return f"{behind}: {done}, {rate}, about {catalog['seconds_left']:.0f} s left"


def _actor_row(actor: Mapping[str, Any]) -> tuple[object, ...]:
    load = (actor["shares"], actor.get("waiting"), actor.get("hung"))
    return (actor["actor"], actor.get("pid"), actor["alive"], *load)


def _waiting_for_thread(manager: Mapping[str, Any]) -> Counter[str]:
    """Driver calls that wait for a thread in all actors, by backend."""
    lines: Counter[str] = Counter()
    for actor in manager.get("actors", []):
        lines.update(actor.get("waiting_for_thread", {}))
    return lines


# -- problems ------------------------------------------------------------------------------------
def _print_node(output: Output, node: Mapping[str, Any]) -> None:
    """Print what is not as usual about a node."""
    if node.get("forgotten"):
        if node["alive"] or node["backends"]:
            _print_forgotten_node(output, node)
    elif not node["alive"]:
        _print_silent_node(output, node)
    elif node.get("drained"):
        output.print(f"\n[bold yellow]Drained:[/] node {escape(node['name'])}; it gets no actors")
        output.print(
            f"  To use it again: [bold]share-actors node undrain {escape(node['name'])}[/]"
        )


def _print_forgotten_node(output: Output, node: Mapping[str, Any]) -> None:
    name = escape(node["name"])
    output.print(f"\n[bold red]Forgotten:[/] node {name} ({escape(node['address'])})")
    if node["backends"]:
        output.print(f"  Backends pinned to it: {escape(', '.join(node['backends']))}")
        move = "share-actors backend move BACKEND --node RESOURCE"
        output.print(f"  To serve them from another node: [bold]{move}[/]")
    if node["alive"]:
        accept = f"[bold]share-actors node accept {name}[/]"
        output.print(f"  It is back, and not used. To use it again: {accept}")


def _print_moved_backend(output: Output, name: str, backend: Mapping[str, Any]) -> None:
    said, now = escape(str(backend["configured_node"])), escape(str(backend["node"]))
    output.print(f"\n[bold yellow]Moved:[/] backend {escape(name)} is pinned to {now}")
    output.print(f"  The configuration says {said}: set backends.{escape(name)}.node to {now}")


def _print_silent_node(output: Output, node: Mapping[str, Any]) -> None:
    name = f"{node['name']} ({node['address']}), for {node['silent_s']:.0f} s"
    output.print(f"\n[bold red]Silent:[/] node {escape(name)}")
    if node["backends"]:
        output.print(f"  Backends pinned to it: {escape(', '.join(node['backends']))}")
        start = f"ray start --address=HEAD --resources={_as_json(node['resources'])}"
        output.print(f"  Their shares go on once it is back: [bold]{escape(start)}[/] there")
        forget = f"share-actors node forget {escape(node['name'])} --reason WHY"
        output.print(f"  If it will not come back: [bold]{forget}[/]")
    else:
        output.print("  Its shares go on on other nodes")


def _print_outdated_actor(output: Output, actor: Mapping[str, Any]) -> None:
    name = f"{actor['actor']}, share_actors {actor['version']}"
    output.print(
        f"\n[bold red]Outdated:[/] {escape(name)}; shares go to newer ones if there are any"
    )
    output.print(f"  {escape(str(actor['outdated']))}")
    output.print("  Upgrade its node; see [bold]share-actors upgrade show[/]")


def _as_json(resources: Sequence[str]) -> str:
    return "'" + json.dumps(dict.fromkeys(resources, 1)) + "'"


def _print_down_backend(output: Output, name: str, reason: str) -> None:
    history = f"share-actors backend history {name}"
    output.print(f"\n[bold red]Down:[/] backend {name}; it gets no new shares")
    output.print(f"  {escape(str(reason))}")
    output.print(f"  It is checked again every period; see [bold]{history}[/]")


def _print_line(output: Output, name: str, calls: int) -> None:
    waiting = count(calls, "call")
    output.print(f"\n[bold yellow]Waiting for a driver thread:[/] {waiting} of backend {name}")
    output.print(f"  Other backends have threads of their own. To allow more: `threads` of {name}.")


def _print_unhealthy_backend(output: Output, name: str, problems: Sequence[str]) -> None:
    history = f"share-actors backend history {name}"
    output.print(f"\n[bold red]Unhealthy:[/] backend {name}; it is started again")
    for problem in problems:
        output.print(f"  {escape(problem)}")
    output.print(f"  It is checked again every period; see [bold]{history}[/]")


def _print_broken_share(output: Output, share_id: str, reason: str) -> None:
    history = f"share-actors share history {share_id}"
    output.print(f"\n[bold red]Pending work, cannot be activated:[/] share {share_id}")
    output.print(f"  {escape(str(reason))}")
    output.print(f"  It is retried automatically. To see its events: [bold]{history}[/]")


def _print_parked_stream(output: Output, parked: Mapping[str, Any]) -> None:
    unpark = f"share-actors catalog unpark {parked['stream']}"
    output.print(
        f"\n[bold red]Parked:[/] stream {parked['stream']} from event {parked['version']} on"
    )
    output.print(f"  {escape(str(parked['error']))}")
    output.print(f"  After fixing the cause: [bold]{unpark}[/]")
