"""A share, one module for each part of its behaviour. The package itself is the decider."""

from __future__ import annotations

from share_actors.events.share.decider import (
    KIND,
    STATE_VERSION,
    ShareState,
    decide,
    evolve,
    initial,
    joins,
    not_before,
    owned,
    part,
    pending,
    sentence,
    under_way,
    view,
)

__all__ = [
    "KIND",
    "STATE_VERSION",
    "ShareState",
    "decide",
    "evolve",
    "initial",
    "joins",
    "not_before",
    "owned",
    "part",
    "pending",
    "sentence",
    "under_way",
    "view",
]
