"""`ClientContract` on mutants of the driver `btrfs`; `test_btrfs_mutants.py` runs what must see each."""

from __future__ import annotations

from typing import Any

from share_actors.drivers.btrfs import BtrfsDriver, ioctls
from share_actors.drivers.btrfs.snapshots import snapshot_name
from share_actors.drivers.filesystem.mounts import is_mounted, mount, mount_at
from share_actors.testing import ClientContract
from share_actors.values import RequestContext, Snapshot
from tests.storage import mutants
from tests.storage.btrfs_clients import BtrfsClients, backends

__all__ = ["backends"]


class RulesOnFileOnly(mutants.RulesOnFileOnly, BtrfsDriver):
    """See `mutants`, as for the others without words of their own."""


class EmptiedListUnheard(mutants.EmptiedListUnheard, BtrfsDriver):
    """See `mutants`."""


class WidestFirst(mutants.WidestFirst, BtrfsDriver):
    """See `mutants`."""


class LimitOnlyANumber(mutants.LimitOnlyANumber, BtrfsDriver):
    """See `mutants`."""


class EmptyClones(mutants.EmptyClones, BtrfsDriver):
    """See `mutants`."""


class EveryoneLetIn(mutants.EveryoneLetIn, BtrfsDriver):
    """See `mutants`."""


class EmptySnapshots(BtrfsDriver):
    """Takes an empty subvolume for a snapshot."""

    def create_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> str:
        name = snapshot_name(snapshot)
        if not self._pool.exists("snapshots", name):
            with self._pool.folder("snapshots") as snapshots:
                ioctls.create_subvolume(snapshots, name)
        return str(self._pool.location("snapshots", name))


class Beneath(BtrfsDriver):
    """Exports what is at the place of the share while its subvolume is not mounted there."""

    def _is_in_place(self, share_id: str) -> bool:
        return is_mounted(self._place(share_id))

    def _mount_share(self, share_id: str) -> None:
        place = self._place(share_id)
        if self._is_in_place(share_id):
            return
        place.mkdir(0o700, exist_ok=True)
        # Ganesha serves only what is a mount, so that another subvolume stands for the directory beneath.
        with self._pool.folder("making") as making:
            ioctls.create_subvolume(making, f"beneath-{share_id}")
        tree = self._pool.tree("making", f"beneath-{share_id}")
        pool = mount_at(self._pool.path)
        assert pool is not None
        mount(pool.source, place, "btrfs", f"subvolid={tree}")


class MutantClients(BtrfsClients, ClientContract):
    """The contract on the class `kind`, by version 3, whose large writes are quick."""

    version = 3


class TestTrueDriver(MutantClients):
    """No mutant."""


class TestRulesOnFileOnly(MutantClients):
    kind = RulesOnFileOnly


class TestEmptiedListUnheard(MutantClients):
    kind = EmptiedListUnheard


class TestWidestFirst(MutantClients):
    kind = WidestFirst


class TestLimitOnlyANumber(MutantClients):
    kind = LimitOnlyANumber


class TestEmptyClones(MutantClients):
    kind = EmptyClones


class TestEmptySnapshots(MutantClients):
    kind = EmptySnapshots


class TestEveryoneLetIn(MutantClients):
    kind = EveryoneLetIn


class TestBeneath(MutantClients):
    kind = Beneath
