"""What a client has seen of a share: whole, or renewed by answers that tell of one rule or snapshot."""

from __future__ import annotations

from typing import TypeVar

from share_actors.values import AccessRule, Share, Snapshot

Part = TypeVar("Part", AccessRule, Snapshot)


class ShareView:
    """A share as last seen. Parts are put in their place when they come, and the whole when asked for."""

    def __init__(self, share: Share) -> None:
        self._told = share
        self._rules = {rule.id: rule for rule in share.access_rules}
        self._snapshots = {snapshot.id: snapshot for snapshot in share.snapshots}
        self._whole: Share | None = share

    @property
    def share(self) -> Share:
        if self._whole is None:
            rules, snapshots = tuple(self._rules.values()), tuple(self._snapshots.values())
            self._whole = self._told.replace(access_rules=rules, snapshots=snapshots)
        return self._whole

    def renew(self, told: Share, about: str | None) -> None:
        """Take in *told*, which has only the rule or snapshot *about*, or not even that: it is gone."""
        _put(self._rules, told.access_rules, about)
        _put(self._snapshots, told.snapshots, about)
        self._told, self._whole = told, None


def _put(held: dict[str, Part], told: tuple[Part, ...], about: str | None) -> None:
    new = {part.id: part for part in told}
    if about is not None and about not in new:
        held.pop(about, None)
    held.update(new)
