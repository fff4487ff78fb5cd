"""What left for good, remembered for a while: what still asks in its name is late."""

from __future__ import annotations

KEPT = 1000
"""How many are remembered: what is late is late by seconds, and a memory of all would grow for ever."""

Tombstones = dict[str, None]
"""Ids, in the order in which they left."""


def add_tombstone(known: Tombstones, one: str) -> Tombstones:
    """*known* with *one* besides; the oldest are forgotten."""
    if one in known:
        return known
    fewer = list(known)[-(KEPT - 1) :]
    return dict.fromkeys([*fewer, one])
