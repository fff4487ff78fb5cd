"""Explanations of share servers and share networks, from their streams alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Literal

from share_actors.audit import exits
from share_actors.audit.exits import Exit
from share_actors.audit.trail import Owed, Trail, Tried, gone_advice, summary, waiting_advice
from share_actors.events import share_network, share_server
from share_actors.events.envelope import Recorded
from share_actors.values import Frozen

MAX_ATTEMPTS = 10
"""How many attempts an explanation shows."""


class EntityExplanation(Frozen):
    """The state of a share server or a share network; `since` is the time of its last change of status."""

    kind: Literal["share_server", "share_network"]
    id: str
    status: str
    since: datetime
    summary: str
    owed: tuple[Owed, ...]
    attempts: tuple[Tried, ...]
    """The last attempts, the oldest first."""
    exits: tuple[Exit, ...]
    """The requests that lead out of an error, or to its end."""
    advice: tuple[str, ...]


def explain_server(
    history: Sequence[Recorded],
    now: datetime,
    backends: Collection[str] | None = None,
    permits: Callable[[str], bool] = exits.everything,
) -> EntityExplanation:
    """Explain the state of a share server at the time *now*; the arguments are as of `explain`."""
    trail = Trail(share_server.initial, share_server.evolve, _server_status, MAX_ATTEMPTS)
    for recorded in history:
        trail.record(recorded)
    server, owed = trail.state.server, trail.owed()
    gone = backends is not None and server.backend not in backends
    ways_out, others = exits.split(exits.of_server(trail.state, gone=gone), permits)
    return EntityExplanation(
        kind="share_server",
        id=server.id,
        status=server.status,
        since=trail.since,
        summary=summary(server.status, server.status_reason, owed, trail.last_attempt),
        owed=owed,
        attempts=tuple(trail.attempts),
        exits=ways_out,
        advice=(
            *_server_advice(trail, ways_out, server.backend if gone else None, now),
            *exits.for_an_administrator(others if gone or server.status == "error" else ()),
        ),
    )


def _server_status(state: share_server.ShareServerState) -> str:
    return state.server.status


def _server_advice(
    trail: Trail, ways_out: tuple[Exit, ...], gone: str | None, now: datetime
) -> Iterator[str]:
    if gone is not None and trail.state.server.status not in ("deleted", "unmanaged"):
        yield gone_advice(gone)
    waiting = waiting_advice(trail.last_attempt, now) if trail.owed() else None
    if waiting is not None and gone is None:
        yield waiting
    if trail.state.server.status == "error" or gone is not None:
        yield from _listed(ways_out)


def explain_network(
    history: Sequence[Recorded],
    backends: Collection[str] | None = None,
    permits: Callable[[str], bool] = exits.everything,
) -> EntityExplanation:
    """Explain the state of a share network; the arguments are as of `explain`."""
    trail = Trail(share_network.initial, share_network.evolve, _network_status, MAX_ATTEMPTS)
    for recorded in history:
        trail.record(recorded)
    network = trail.state.network
    used = {slot.backend for slot in network.servers.values()}
    gone = set() if backends is None else used - set(backends)
    ways_out, others = exits.split(exits.of_network(trail.state, gone=gone), permits)
    return EntityExplanation(
        kind="share_network",
        id=network.id,
        status=network.status,
        since=trail.since,
        summary=_network_summary(trail.state),
        owed=(),
        attempts=(),
        exits=ways_out,
        advice=(
            *map(gone_advice, sorted(gone)),
            *_listed(ways_out),
            *exits.for_an_administrator(others),
        ),
    )


def _network_status(state: share_network.ShareNetworkState) -> str:
    return state.network.status


def _network_summary(state: share_network.ShareNetworkState) -> str:
    network = state.network
    use = f"shares on it: {len(network.shares)}, share servers: {len(network.servers)}"
    return f"status {network.status}; {use}"


def _listed(ways_out: tuple[Exit, ...]) -> Iterator[str]:
    return (f"Can be done: {exit_.how}." for exit_ in ways_out if exit_.verb != "wait")
