"""What is wrong with a system, as its status says: each problem with its reason and what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from share_actors.client.results import (
    BackendStatus,
    CatalogStatus,
    HostStatus,
    ManagerStatus,
    NodeStatus,
    SystemStatus,
)

Severity = Literal["bad", "warn"]


class Problem(NamedTuple):
    """One problem: *what* has it, *why*, and the command or the sentence that leads out of it."""

    severity: Severity
    what: str
    why: str
    step: str = ""
    command: str = ""


def problems_of(status: SystemStatus) -> list[Problem]:
    """The problems in *status*, the worst first."""
    manager, catalog = status["manager"], status["catalog"]
    found = [*_of_manager(manager), *_of_catalog(catalog)]
    return sorted(found, key=lambda problem: problem.severity != "bad")


def _of_manager(manager: ManagerStatus) -> Iterator[Problem]:
    if "error" in manager:
        step = "It is restarted automatically; what was recorded goes on then."
        yield Problem("bad", "The manager does not answer", manager["error"], step)
    for name, backend in manager.get("backends", {}).items():
        yield from _of_backend(name, backend)
    for node in manager.get("nodes", []):
        yield from _of_node(node)
    for actor in manager.get("actors", []):
        yield from _of_actor(actor)
    for share_id, reason in manager.get("broken", {}).items():
        yield Problem(
            "bad",
            f"Share {share_id} has pending work and cannot be activated",
            reason,
            "It is retried automatically.",
            f"share-actors share history {share_id}",
        )
    yield from _of_lines(manager)
    if error := manager.get("metrics", {}).get("error"):
        yield Problem("warn", "Metrics are not served", error)


def _of_backend(name: str, backend: BackendStatus) -> Iterator[Problem]:
    history = f"share-actors backend history {name}"
    if backend["status"] == "down":
        step = "It gets no new shares, and is checked again every period."
        yield Problem("bad", f"Backend {name} is down", backend["reason"] or "", step, history)
    elif problems := backend.get("problems"):
        step = "What serves it is started again, and checked every period."
        yield Problem("warn", f"Backend {name} is unhealthy", "; ".join(problems), step, history)
    if wrong := backend.get("wrong"):
        reasons = "; ".join(f"{field}: {reason}" for field, reason in wrong.items())
        step = "These values are not used: the driver has to be corrected."
        yield Problem("warn", f"Backend {name} reports invalid values", reasons, step)
    if backend.get("node") != backend.get("configured_node"):
        now, said = backend.get("node"), backend.get("configured_node")
        yield Problem(
            "warn",
            f"Backend {name} was moved",
            f"It is pinned to {now}, and the configuration says {said}.",
            f"Set backends.{name}.node to {now}.",
        )


def _of_node(node: NodeStatus) -> Iterator[Problem]:
    name, pinned = node["name"], node["backends"]
    place = f"{name} ({node['address']})"
    waiting = f"Backends pinned to it: {', '.join(pinned)}." if pinned else "No backend needs it."
    if node["forgotten"]:
        if node["alive"]:
            step, command = "It is back, and not used.", f"share-actors node accept {name}"
            yield Problem("warn", f"Node {place} was forgotten", waiting, step, command)
        elif pinned:
            step, command = (
                "Serve them from another node.",
                "share-actors backend move BACKEND --node RESOURCE",
            )
            yield Problem("bad", f"Node {place} was forgotten", waiting, step, command)
    elif not node["alive"]:
        silent = f"For {node['silent_s'] or 0:.0f} s. {waiting}"
        step = "What is on it goes on once it is back. If it will not come back:"
        command = f"share-actors node forget {name} --reason WHY"
        severity: Severity = "bad" if pinned else "warn"
        yield Problem(severity, f"Node {place} is silent", silent, step, command)
    elif node["drained"]:
        why, command = node["drained"]["reason"] or waiting, f"share-actors node undrain {name}"
        yield Problem("warn", f"Node {place} is drained", why, "It gets no actors.", command)


def _of_actor(actor: HostStatus) -> Iterator[Problem]:
    name = actor["actor"]
    if not actor["alive"]:
        step = "It is restarted, or its entities move to another one."
        yield Problem("warn", f"Actor {name} does not answer", f"{actor['shares']} shares", step)
    if hung := actor.get("hung"):
        step = "The actor is restarted if they become too many."
        why = f"{hung} driver calls are past their deadline and have not returned."
        yield Problem("warn", f"Actor {name} has hung driver calls", why, step)
    if "outdated" in actor:
        step = "Shares go to newer actors if there are any."
        command = "share-actors upgrade show"
        yield Problem("bad", f"Actor {name} is outdated", actor["outdated"], step, command)


def _of_lines(manager: ManagerStatus) -> Iterator[Problem]:
    lines: dict[str, int] = {}
    for actor in manager.get("actors", []):
        for name, calls in actor.get("waiting_for_thread", {}).items():
            lines[name] = lines.get(name, 0) + calls
    for name, calls in lines.items():
        yield Problem(
            "warn",
            f"Backend {name} has all its driver threads in use",
            f"{calls} driver calls wait for one.",
            f"Other backends have threads of their own. To allow more: `threads` of {name}.",
        )


def _of_catalog(catalog: CatalogStatus) -> Iterator[Problem]:
    if "error" in catalog:
        step = "Lists and searches are unavailable until it is back; it is restarted automatically."
        yield Problem("bad", "The catalog does not answer", catalog["error"], step)
    if catalog.get("seconds_left") is not None:
        why = f"{catalog['applied']} of {catalog['events']} events are applied."
        step = f"Lists are incomplete for about {catalog['seconds_left']:.0f} s."
        yield Problem("warn", "The catalog catches up with the log", why, step)
    for parked in catalog.get("parked", []):
        stream = parked["stream"]
        yield Problem(
            "bad",
            f"The catalog cannot follow {stream} from event {parked['version']} on",
            parked["error"],
            "After fixing the cause:",
            f"share-actors catalog unpark {stream}",
        )
