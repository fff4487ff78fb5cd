"""Archives: events of entities that were deleted long ago, moved from the log to a file that proves them."""

from __future__ import annotations

from share_actors.audit.archives.run import Archived, archive
from share_actors.audit.archives.selection import Selection, select

__all__ = ["Archived", "Selection", "archive", "select"]
