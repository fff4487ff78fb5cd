"""Shares by their id or name, also those that have left the system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from share_actors.cli.session import Session
from share_actors.errors import Ambiguous, NotFound

if TYPE_CHECKING:
    from share_actors.client import ShareHandle


def existing_or_deleted(session: Session, share: str) -> ShareHandle:
    """The share with this id or name, or else the only one that had the name and has left the system."""
    try:
        return session.system.share(share)
    except NotFound as not_found:
        deleted: list[ShareHandle] = []
        for status in ("deleted", "unmanaged"):
            deleted += session.system.shares(name=share, status=status, limit=20).items
        if len(deleted) > 1:
            ids = [handle.id for handle in deleted]
            raise Ambiguous(
                f"several deleted or unmanaged shares were named {share!r}:"
                f" use one of the ids {', '.join(ids)}",
                field="share",
                value=share,
                ids=ids,
            ) from not_found
        if not deleted:
            raise
        return deleted[0]
