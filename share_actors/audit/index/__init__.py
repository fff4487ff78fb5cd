"""The index of a log: a file beside it with the last state of each share, to find past fleets fast."""

from __future__ import annotations

from share_actors.audit.index.build import IndexUpdate, update_index
from share_actors.audit.index.indexed import Indexed, open_index

__all__ = ["IndexUpdate", "Indexed", "open_index", "update_index"]
