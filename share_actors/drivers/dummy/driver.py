"""The driver `dummy`: no storage; for benchmarks, and for tests of failing backends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from share_actors.drivers.abilities import BackendObject
from share_actors.drivers.base import (
    DriverError,
    Exports,
    NotSupported,
    ProbeResult,
)
from share_actors.drivers.dummy.backend import Call, DummyBackend
from share_actors.drivers.dummy.faults import DummyOptions, Method, end
from share_actors.drivers.dummy.manage import DummyManage
from share_actors.drivers.dummy.servers import DummyServers
from share_actors.drivers.dummy.snapshot_access import DummySnapshotAccess
from share_actors.drivers.filesystem.os_errors import os_errors
from share_actors.values import (
    Capabilities,
    ExportLocation,
    Pool,
    RequestContext,
    Share,
    Snapshot,
)

__all__ = ["Call", "DummyBackend", "DummyDriver", "DummyOptions"]


class DummyDriver(DummySnapshotAccess, DummyManage, DummyServers):
    """A simulated backend that its options control. Without `directory` and faults, every call succeeds."""

    protocols: ClassVar[tuple[str, ...]] = (
        "NFS",
        "CIFS",
        "CEPHFS",
        "GLUSTERFS",
        "HDFS",
        "MAPRFS",
    )
    access_support: ClassVar[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
        protocol: dict.fromkeys(DummySnapshotAccess.access_types, ("rw", "ro"))
        for protocol in protocols
    }
    modes: ClassVar[tuple[bool, ...]] = (False, True)
    public_details = frozenset({"dummy_server", "half"})
    public_manage_options = frozenset({"size"})

    # -- backend -------------------------------------------------------------------------------
    def do_setup(self, context: RequestContext) -> None:
        """Create the directory; raises `DriverError` if that fails, `NotStarted` without its daemon."""
        if self._daemon is not None:
            self._daemon.check_started()
        if self._backend is not None:
            with os_errors(f"set up {self._backend.directory}"):
                self._backend.prepare()

    def get_share_stats(self, refresh: bool = False) -> Any:
        """The option `told` if it is set; otherwise the pools, with the sizes of existing shares deducted."""
        self._faults.begin_query("get_share_stats")
        if self._options.told is not None:
            return self._options.told
        sizes = self._options.pools or {self.backend_name: self._options.capacity_gib}
        shares = [] if self._backend is None else list(self._backend.shares().values())
        return Capabilities(
            backend_name=self.backend_name,
            driver_name="dummy",
            storage_protocols=self.protocols,
            access_types=self.access_types,
            driver_handles_share_servers=self.driver_handles_share_servers,
            capabilities=self._options.capabilities,
            pools=tuple(_pool(name, total, shares) for name, total in sizes.items()),
        )

    def get_backend_info(self, context: RequestContext) -> Mapping[str, str]:
        """The option `info`."""
        return self._options.info

    def get_share_usage(self, shares: Sequence[Share]) -> dict[str, int]:
        """The option `used_bytes` of the shares that exist; without `directory`, of all."""
        self._faults.begin_query("get_share_usage")
        existing = None if self._backend is None else self._backend.shares()
        ids = [share.id for share in shares if existing is None or share.id in existing]
        return {i: self._options.used_bytes.get(i, 0) for i in ids}

    # -- shares --------------------------------------------------------------------------------
    def create_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        """Create the share unless it exists."""
        with self._changing("create_share", context, share.id):
            if self._backend is not None:
                self._backend.add_share(
                    share.id,
                    share.size,
                    pool=self.get_pool(share),
                    server=self._server_id(share_server),
                )
        return self._exports(share)

    def create_share_from_snapshot(
        self, context: RequestContext, share: Share, snapshot: Snapshot, share_server: Any = None
    ) -> Exports:
        """Create the share unless it exists; raises `DriverError` if the snapshot does not exist."""
        with self._changing("create_share_from_snapshot", context, share.id, snapshot.id):
            if self._backend is not None:
                self._backend.snapshot(snapshot.share_id, snapshot.id)
                pool, server = self.get_pool(share), self._server_id(share_server)
                self._backend.add_share(share.id, share.size, snapshot.id, pool=pool, server=server)
        return self._exports(share)

    def delete_share(self, context: RequestContext, share: Share, share_server: Any = None) -> None:
        """Delete the share, if it exists, and the access rules of its snapshots."""
        with self._changing("delete_share", context, share.id):
            if self._backend is not None:
                self._backend.drop_rules_of_snapshots(share.id)
                self._backend.drop_share(share.id)

    def extend_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        """Set the size; raises `DriverError` if the share does not exist."""
        self._resize("extend_share", context, share, new_size)

    def shrink_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        """Set the size; raises `DriverError` if the share does not exist."""
        self._resize("shrink_share", context, share, new_size)

    def _resize(self, method: Method, context: RequestContext, share: Share, size: int) -> None:
        with self._changing(method, context, share.id):
            if self._backend is not None:
                self._backend.change_share(share.id, size=size)

    def ensure_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        """Return the export locations; raises `DriverError` if the share does not exist."""
        exits = self._begin("ensure_share", context, share.id)
        if self._backend is not None:
            self._backend.share(share.id)
        end(exits)
        return self._exports(share)

    def _exports(self, share: Share) -> tuple[ExportLocation, ...]:
        prefix = "".join(f"{value}:" for value in self._options.info.values())
        return (ExportLocation(path=f"dummy:{prefix}/{share.id}", preferred=True),)

    def _server_id(self, share_server: Any) -> str | None:
        """The id of the share's server, None without DHSS; raises `DriverError` unless it is set up."""
        if not self.driver_handles_share_servers:
            return None
        if share_server is None:
            raise DriverError("a share server is required")
        server_id: str = share_server["id"]
        if self._backend is not None and server_id not in self._backend.servers():
            raise DriverError(f"share server {server_id} is not set up")
        return server_id

    def probe_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> ProbeResult | None:
        """Report what exists of the share; None without `directory`."""
        exits = self._begin("probe_share", context, share.id)
        result = None if self._backend is None else self._probe_result(share, self._backend)
        end(exits)
        return result

    def list_backend(self, context: RequestContext) -> list[BackendObject]:
        """The recorded shares and snapshots; raises `NotSupported` without `directory`."""
        if self._backend is None:
            raise NotSupported("a dummy backend without the option `directory` records nothing")
        shares = [self._share_object(i, share) for i, share in self._backend.shares().items()]
        return shares + [
            _snapshot_object(i, record) for i, record in self._backend.snapshots().items()
        ]

    def _share_object(self, share_id: str, record: Mapping[str, Any]) -> BackendObject:
        (export,) = self._exports(Share(id=share_id))
        return BackendObject(
            kind="share",
            id=share_id,
            location=export.path,
            size=record["size"],
            export_paths=(export.path,),
            access=_access_of(record),
        )

    # -- snapshots -----------------------------------------------------------------------------
    def create_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> str:
        """Create the snapshot; raises `DriverError` if the share does not exist."""
        with self._changing("create_snapshot", context, snapshot.share_id, snapshot.id):
            if self._backend is not None:
                self._backend.add_snapshot(snapshot.share_id, snapshot.id)
        return f"dummy:/{snapshot.share_id}@{snapshot.id}"

    def delete_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> None:
        """Delete the snapshot, if it exists."""
        with self._changing("delete_snapshot", context, snapshot.share_id, snapshot.id):
            if self._backend is not None:
                self._backend.drop_snapshot(snapshot.share_id, snapshot.id)

    def revert_to_snapshot(
        self, context: RequestContext, share: Share, snapshot: Snapshot, share_server: Any = None
    ) -> bool:
        """Record the revert; returns the option `remount`. Raises `DriverError` if either does not exist."""
        with self._changing("revert_to_snapshot", context, share.id, snapshot.id):
            if self._backend is not None:
                self._backend.snapshot(share.id, snapshot.id)
                self._backend.change_share(share.id, reverted_to=snapshot.id)
        return self._options.remount

    def _probe_result(self, share: Share, backend: DummyBackend) -> ProbeResult:
        own = {i: s for i, s in backend.snapshots().items() if s["share_id"] == share.id}
        snapshots = {i: f"dummy:/{share.id}@{i}" for i in own}
        access = {i: _access_of(s) for i, s in own.items() if s.get("rules")}
        unfinished = backend.unfinished_snapshots(share)
        record = backend.shares().get(share.id)
        if record is None:
            return ProbeResult(
                state="partial" if backend.is_unfinished(share.id) else "absent",
                snapshots=snapshots,
                snapshot_access=access,
                unfinished=unfinished,
                access=frozenset(),
            )
        return ProbeResult(
            state="whole",
            export_locations=self._exports(share),
            size=record["size"],
            access=_access_of(record),
            snapshots=snapshots,
            snapshot_access=access,
            unfinished=unfinished,
        )


def _snapshot_object(snapshot_id: str, record: Mapping[str, Any]) -> BackendObject:
    path = f"dummy:/{record['share_id']}@{snapshot_id}"
    rules = _access_of(record)
    exports = (path,) if rules else ()
    return BackendObject(
        kind="snapshot",
        id=snapshot_id,
        location=path,
        share_id=record["share_id"],
        export_paths=exports,
        access=rules,
    )


def _access_of(record: Mapping[str, Any]) -> frozenset[tuple[str, str, str]]:
    rules = record.get("rules", {}).values()
    return frozenset((r["access_type"], r["access_to"], r["access_level"]) for r in rules)


def _pool(name: str, total: float, shares: Sequence[Mapping[str, Any]]) -> Pool:
    used = float(sum(s["size"] for s in shares if s.get("pool", name) in (name, "")))
    return Pool(
        name=name,
        total_capacity_gib=total,
        free_capacity_gib=max(0.0, total - used),
        allocated_capacity_gib=used,
    )
