"""Reserved capacity of each pool: the catalog's sums, and the decisions made since they were read."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from share_actors.actors.ports import CatalogPort

MAX_PENDING = 10_000
"""Decisions without a reply that one query can leave out; databases limit its parameters."""


class _Reservation(NamedTuple):
    """The pool that a share was placed on, and its size in GiB."""

    host: str
    size: int


class Reservations:
    """Provisioned GiB by host (`backend#pool`): from the catalog, and from decisions made since.

    A decision counts from the moment it is made. Once its share is recorded, the catalog counts it, and the
    next `refresh` drops the reservation.
    """

    def __init__(self, catalog: CatalogPort) -> None:
        self._catalog = catalog
        self._catalog_gib: dict[str, float] = {}
        self._reservations: dict[str, _Reservation] = {}
        self._recorded: set[str] = set()
        self._reserved_gib: Counter[str] = Counter()

    def provisioned(self, host: str) -> float:
        """GiB of all shares that are on *host* or reserved there."""
        return self._catalog_gib.get(host, 0.0) + self._reserved_gib[host]

    def host_of(self, share_id: str) -> str | None:
        """The host reserved for *share_id*; None without a reservation."""
        reservation = self._reservations.get(share_id)
        return None if reservation is None else reservation.host

    def reserve(self, share_id: str, host: str, size: int) -> None:
        """Reserve *size* GiB on *host* for *share_id*, instead of an earlier reservation for it."""
        self._drop(share_id)
        self._reservations[share_id] = _Reservation(host, size)
        self._reserved_gib[host] += size

    def mark_recorded(self, share_id: str) -> None:
        """Note that the share is in the log, so that the next `refresh` drops its reservation."""
        if share_id in self._reservations:
            self._recorded.add(share_id)

    def cancel(self, share_id: str) -> None:
        """Free the reserved capacity: the share was not created."""
        self._drop(share_id)

    async def refresh(self) -> None:
        """Read the catalog's sums, which include every share recorded before the call.

        A share that is recorded while its reply is on the way counts as a decision, and only as one.
        """
        recorded = set(self._recorded)
        pending = [share_id for share_id in self._reservations if share_id not in recorded]
        sums = await self._catalog.ask("provisioned", without=pending[:MAX_PENDING])
        self._catalog_gib = dict(sums)
        for share_id in recorded:
            self._drop(share_id)

    def _drop(self, share_id: str) -> None:
        reservation = self._reservations.pop(share_id, None)
        if reservation is not None:
            self._reserved_gib[reservation.host] -= reservation.size
        self._recorded.discard(share_id)
