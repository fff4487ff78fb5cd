"""Ids of shares and servers that are gone, kept for a while to reject late requests for them."""

from __future__ import annotations

MAX_KEPT = 1000
"""Late requests come within seconds, so the latest ids are enough; keeping all would grow without bound."""

Tombstones = dict[str, None]
"""Ids, the oldest first."""


def add_tombstone(tombstones: Tombstones, gone_id: str) -> Tombstones:
    """Return *tombstones* with *gone_id*, without the oldest ids beyond `MAX_KEPT`."""
    if gone_id in tombstones:
        return tombstones
    latest = list(tombstones)[-(MAX_KEPT - 1) :]
    return dict.fromkeys([*latest, gone_id])
