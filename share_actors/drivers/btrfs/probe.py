"""What exists of a share of the driver `btrfs`."""

from __future__ import annotations

from typing import Any

from share_actors.drivers.base import ProbeResult
from share_actors.drivers.btrfs.exports import Clients
from share_actors.drivers.btrfs.records import CLIENTS, PROTOCOL, REVERT
from share_actors.drivers.btrfs.snapshots import BtrfsSnapshots, snapshot_name
from share_actors.drivers.filesystem.mounts import is_mounted
from share_actors.values import RequestContext, Share


class BtrfsProbe(BtrfsSnapshots):
    """The probe of `BtrfsDriver`."""

    def probe_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> ProbeResult:
        """Report what exists of *share*; `access` is what the NFS server applies, not what is on file."""
        with self._share_lock("probe share", share.id, changes=False):
            exists = self._pool.exists("shares", share.id)
            problems = self._share_problems(share.id) if exists else ()
            return ProbeResult(
                state=self._state(share.id, problems),
                export_locations=self._exporter.locations(share.id) if exists else (),
                size=self._pool.size_gib(share.id) if exists else None,
                access=rules_of(self._exporter.served(share.id), self._access_type(share.id)),
                access_on_file=rules_of(
                    self._exporter.recorded(share.id), self._access_type(share.id)
                ),
                used=self._used(share.id) if exists else None,
                problems=problems,
                snapshots=self._snapshots_of(share),
                snapshot_access=self._snapshot_access(share),
            )

    def _snapshot_access(self, share: Share) -> dict[str, frozenset[tuple[str, str, str]]]:
        """The rules in force of the snapshots that the server exports."""
        kind = self._access_type(share.id)
        names = {snapshot.id: snapshot_name(snapshot) for snapshot in share.snapshots}
        served = {
            i: self._exporter.served(name) for i, name in names.items() if self._may_be_served(name)
        }
        return {i: rules_of(clients, kind) for i, clients in served.items() if clients is not None}

    def _state(self, share_id: str, problems: tuple[str, ...]) -> Any:
        if self._pool.exists("shares", share_id):
            return "partial" if problems else "whole"
        return "partial" if self._has_leftovers(share_id) else "absent"

    def _has_leftovers(self, share_id: str) -> bool:
        """Whether anything is left of a share whose subvolume does not exist."""
        return (
            self._pool.exists("making", share_id)
            or self._pool.exists("before", share_id)
            or is_mounted(self._place(share_id))
            or self._exporter.knows(share_id)
            or any(self._records.has_any(share_id, kind) for kind in (CLIENTS, REVERT, PROTOCOL))
        )

    def _share_problems(self, share_id: str) -> tuple[str, ...]:
        found: list[str] = []
        if not self._is_in_place(share_id):
            found.append(f"its subvolume is not mounted at {self._place(share_id)}")
        if self._exporter.recorded(share_id) is None:
            found.append("it has no export on file")
        if self._exporter.served(share_id) is None:
            found.append(f"the {self._protocol(share_id)} server does not export it")
        revert = self._records.read(share_id, REVERT)
        if revert and not revert.get("done"):
            found.append("a revert was interrupted: repeat it")
        return tuple(found)

    def _used(self, share_id: str) -> int:
        self._pool.sync()
        return self._pool.used(share_id)

    def _snapshots_of(self, share: Share) -> dict[str, str | None]:
        names = {snapshot.id: snapshot_name(snapshot) for snapshot in share.snapshots}
        return {
            id_: str(self._pool.location("snapshots", name))
            for id_, name in names.items()
            if self._pool.exists("snapshots", name)
        }


def rules_of(clients: Clients | None, access_type: str) -> frozenset[tuple[str, str, str]]:
    """The clients as `ProbeResult.access` reports them."""
    return frozenset((access_type, client, level) for client, level in (clients or {}).items())
