"""A share as a handle last saw it: complete, or updated from replies about one access rule or snapshot."""

from __future__ import annotations

from typing import TypeVar

from share_actors.values import AccessRule, Share, Snapshot

PartT = TypeVar("PartT", AccessRule, Snapshot)


class ShareView:
    """A share as last seen. Its rules and snapshots are merged when `share` is read."""

    def __init__(self, share: Share) -> None:
        self._latest = share
        self._rules = {rule.id: rule for rule in share.access_rules}
        self._snapshots = {snapshot.id: snapshot for snapshot in share.snapshots}
        self._merged: Share | None = share

    @property
    def share(self) -> Share:
        """The share with all the rules and snapshots that were seen."""
        if self._merged is None:
            rules, snapshots = tuple(self._rules.values()), tuple(self._snapshots.values())
            self._merged = self._latest.replace(access_rules=rules, snapshots=snapshots)
        return self._merged

    def update(self, share: Share, part_id: str | None) -> None:
        """Merge *share*, whose only rule or snapshot is the one of *part_id*; without it, that is gone."""
        _merge(self._rules, share.access_rules, part_id)
        _merge(self._snapshots, share.snapshots, part_id)
        self._latest, self._merged = share, None


def _merge(parts: dict[str, PartT], latest: tuple[PartT, ...], part_id: str | None) -> None:
    updated = {part.id: part for part in latest}
    if part_id is not None and part_id not in updated:
        parts.pop(part_id, None)
    parts.update(updated)
