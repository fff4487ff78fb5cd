"""What is on a `btrfs` backend, and how much of it is used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from share_actors.drivers.abilities import BackendObject
from share_actors.drivers.btrfs import ioctls
from share_actors.drivers.btrfs.errors import btrfs_errors
from share_actors.drivers.btrfs.image import GIB
from share_actors.drivers.btrfs.probe import BtrfsProbe, rules_of
from share_actors.drivers.filesystem.ids import is_id
from share_actors.values import RequestContext, Share, ShareClient


class BtrfsListing(BtrfsProbe):
    """The methods of the abilities `ListsObjects`, `MeasuresUsage` and `ReportsClients`."""

    def list_backend(self, context: RequestContext) -> Sequence[BackendObject]:
        """Every share and snapshot, and every other subvolume directly in the top one's directories."""
        with btrfs_errors(f"list {self._pool.path}"):
            self._must_run(changes=False)
            return (*self._listed_shares(), *self._listed_snapshots(), *self._listed_others())

    def get_share_usage(self, shares: Sequence[Share]) -> dict[str, int]:
        """The bytes that count for each share that exists, after one commit."""
        with btrfs_errors(f"measure {self._pool.path}"):
            self._must_run(changes=False)
            self._pool.sync()
            usage: dict[str, int] = {}
            for share in shares:
                with suppress(FileNotFoundError):  # not there, or deleted meanwhile
                    if is_id(share.id) and self._pool.exists("shares", share.id):
                        usage[share.id] = self._pool.used(share.id)
            return usage

    def get_share_clients(self, share: Share) -> Sequence[ShareClient]:
        """The clients that are connected to the share now (`abilities.ReportsClients`)."""
        with btrfs_errors(f"list the clients of share {share.id}"):
            self._must_run(changes=False)
            if not is_id(share.id) or not self._pool.exists("shares", share.id):
                return ()
            return self._exporter.clients(share.id)

    def _listed_shares(self) -> Iterator[BackendObject]:
        for name in self._pool.names("shares"):
            served = self._exporter.served(name)
            places = self._exporter.locations(name) if served is not None else ()
            yield BackendObject(
                kind="share",
                id=name,
                location=str(self._pool.location("shares", name)),
                size=self._pool.size_gib(name),
                limit_bytes=self._pool.limit(name) or 0,
                export_paths=tuple(dict.fromkeys(place.path for place in places)),
                access=None if served is None else rules_of(served, self._access_type(name)),
                access_on_file=self._rules_on_file(name),
            )

    def _rules_on_file(self, name: str) -> frozenset[tuple[str, str, str]] | None:
        """The rules that the next start of the server would apply; None without an export on file."""
        clients = self._exporter.recorded(name)
        return None if clients is None else rules_of(clients, self._access_type(name))

    def _listed_snapshots(self) -> Iterator[BackendObject]:
        for name in self._pool.names("snapshots"):
            share_id, _, snapshot_id = name.partition("@")
            served = self._exporter.served(name) if self._may_be_served(name) else None
            places = self._exporter.locations(name) if served is not None else ()
            yield BackendObject(
                kind="snapshot",
                id=snapshot_id or None,
                location=str(self._pool.location("snapshots", name)),
                share_id=share_id if snapshot_id else None,
                export_paths=tuple(dict.fromkeys(place.path for place in places)),
                access=rules_of(served, self._access_type(name)),
            )

    def _listed_others(self) -> Iterator[BackendObject]:
        """The subvolumes that an operator made: those that are not inside an area."""
        for names in self._pool.other_subvolumes():
            with self._pool.folder(*names) as fd:
                read_only = ioctls.is_read_only(fd)
            limit = self._pool.use_and_limit(*names)[1]
            yield BackendObject(
                kind="snapshot" if read_only else "share",
                location=str(self._pool.path.joinpath(*names)),
                size=None if limit is None else -(-limit // GIB),
            )
