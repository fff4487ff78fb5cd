"""The catalog: a projection of the log for lists and look-ups."""

from __future__ import annotations

from share_actors.events.catalog.parameters import MAX_LIMIT
from share_actors.events.catalog.queries import Catalog, ShareRule

__all__ = [
    "Catalog",
    "MAX_LIMIT",
    "ShareRule",
]
