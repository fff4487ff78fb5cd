"""The ledger: how much of each pool is promised. Decisions count at once, the catalog tells the rest."""

from __future__ import annotations

from collections import Counter

from share_actors.actors.ports import CatalogPort


class Reservations:
    """GiB by host (`backend#pool`): what the catalog told, and what was decided since.

    A decision counts from the moment it is made. Once its share is recorded the catalog knows of it, and
    the next look there takes its place.
    """

    def __init__(self, catalog: CatalogPort) -> None:
        self._catalog = catalog
        self._told: dict[str, float] = {}
        self._decided: dict[str, tuple[str, int]] = {}
        self._recorded: set[str] = set()
        self._sums: Counter[str] = Counter()

    def provisioned(self, host: str) -> float:
        """GiB of all shares that are on *host*, or will be."""
        return self._told.get(host, 0.0) + self._sums[host]

    def decided(self, share_id: str) -> str | None:
        """Where *share_id* was decided to go, if that is not in the catalog yet."""
        found = self._decided.get(share_id)
        return None if found is None else found[0]

    def reserve(self, share_id: str, host: str, size: int) -> None:
        """*share_id* goes to *host*."""
        self._drop(share_id)
        self._decided[share_id] = (host, size)
        self._sums[host] += size

    def recorded(self, share_id: str) -> None:
        """The decision is in the log, or was there before."""
        if share_id in self._decided:
            self._recorded.add(share_id)

    def cancel(self, share_id: str) -> None:
        """Nothing came of the decision."""
        self._drop(share_id)

    async def look(self) -> None:
        """Take what the catalog tells, which knows of all that was recorded before it is asked."""
        known = set(self._recorded)
        told = await self._catalog.ask("provisioned")
        self._told = dict(told)
        for share_id in known:
            self._drop(share_id)

    def _drop(self, share_id: str) -> None:
        host, size = self._decided.pop(share_id, ("", 0))
        if host:
            self._sums[host] -= size
        self._recorded.discard(share_id)
