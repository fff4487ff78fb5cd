"""The events of a backend as English sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from share_actors.events.backend import (
    BackendChanged,
    BackendDown,
    BackendEvent,
    BackendHealthy,
    BackendInfoChanged,
    BackendMoved,
    BackendMoveEnded,
    BackendPinned,
    BackendRenamed,
    BackendSharesEnsured,
    BackendUnhealthy,
    BackendUp,
)
from share_actors.events.phrases import listed
from share_actors.values import Capabilities, gib_text


def sentence(event: BackendEvent, who: str) -> str:
    """Describe *event*; *who* requested it, unless it is the system's own report."""
    match event:
        case BackendUp(backend=name, capabilities=capabilities, wrong=wrong):
            return f"backend {name} is up: {_pools(capabilities)}{_ignored(wrong)}"
        case BackendChanged(capabilities=capabilities, wrong=wrong):
            return f"its capabilities changed: {_pools(capabilities)}{_ignored(wrong)}"
        case BackendDown(backend=name, reason=reason):
            return f"backend {name} is down: {reason}"
        case BackendUnhealthy(problems=problems):
            return f"it is unhealthy: {'; '.join(problems)}"
        case BackendHealthy():
            return "it is healthy again"
        case BackendRenamed(backend=name, new=new):
            return f"{who} renamed backend {name} to {new}"
        case BackendInfoChanged():
            return "its settings changed; its shares will be re-exported with them"
        case BackendSharesEnsured(shares=shares):
            return f"{shares} of its shares are exported with its current settings"
        case BackendMoved(backend=name, configured=configured, node=node, reason=reason):
            why = "" if reason is None else f": {reason}"
            now = f"pinned to {node} now, while the configuration says {configured}"
            return f"{who} moved backend {name}; it is {now}{why}"
        case BackendMoveEnded(configured=configured):
            return f"the configuration says {configured or 'no node'}: it is where that says again"
        case BackendPinned(backend=name, configured=configured):
            return f"the configuration pins backend {name} to {configured or 'no node'} now"
        case _:
            assert_never(event)


def _pools(capabilities: Capabilities) -> str:
    pools = [
        f"{pool.name} {gib_text(pool.free_capacity_gib)} of {gib_text(pool.total_capacity_gib)} GiB free"
        for pool in capabilities.pools
    ]
    return listed(pools) if pools else "no pool"


def _ignored(wrong: Mapping[str, str]) -> str:
    if not wrong:
        return ""
    values = listed(f"{field} {problem}" for field, problem in wrong.items())
    return f"; ignored invalid values: {values}"
