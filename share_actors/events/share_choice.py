"""Which shares a watch is about: those that a list with the same filters shows. Pure."""

from __future__ import annotations

from typing import NamedTuple

from share_actors.policy import Caller
from share_actors.values import Share
from share_actors.wire import sent_as_order

GONE = ("deleted", "unmanaged")
"""The statuses of shares that have left the system."""


@sent_as_order
class ShareChoice(NamedTuple):
    """Filters of shares; None chooses any. *share_ids* chooses these, wherever the caller sees them."""

    share_ids: frozenset[str] | None = None
    name: str | None = None
    status: str | None = None
    project_id: str | None = None
    backend: str | None = None
    is_public: bool | None = None

    def concerns(self, share: Share, caller: Caller) -> bool:
        """Whether *share*, which the caller may read, is within the watch, whatever its status or name.

        As in lists, public shares of other projects are included only by request.
        """
        if self.share_ids is not None:
            return share.id in self.share_ids
        if self.project_id not in (None, share.project_id):
            return False
        own = caller.is_system_admin or share.project_id == caller.project_id
        return own or bool(self.is_public or self.project_id)

    def may_concern(self, share_id: str) -> bool:
        """Whether the share with this id may be within the watch."""
        return self.share_ids is None or share_id in self.share_ids

    def accepts(self, share: Share) -> bool:
        """Whether a list with these filters shows *share* as it is now."""
        wanted = (self.name, self.status, self.backend, self.is_public)
        found = (share.name, share.status, share.backend, share.is_public)
        if any(value not in (None, has) for value, has in zip(wanted, found, strict=True)):
            return False
        return self.status is not None or share.status not in GONE
