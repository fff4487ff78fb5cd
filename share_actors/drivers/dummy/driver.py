"""The driver `dummy`: no storage; for benchmarks, and for tests of what happens when a backend fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

from share_actors.drivers.base import (
    DriverError,
    Exports,
    ProbeResult,
    RuleUpdates,
    ShareDriver,
    ShareServerSetUpFailed,
    TransientError,
    UnsupportedAccess,
)
from share_actors.drivers.dummy.backend import Call, DummyBackend
from share_actors.drivers.dummy.faults import DummyOptions, Faults, Method, end
from share_actors.drivers.filesystem.os_errors import os_errors
from share_actors.values import (
    AccessRule,
    Capabilities,
    ExportLocation,
    Pool,
    RequestContext,
    Share,
    Snapshot,
)

__all__ = ["Call", "DummyBackend", "DummyDriver", "DummyOptions"]
_NO_CONTEXT = RequestContext()


class DummyDriver(ShareDriver):
    """A backend that does as its options say. With no `directory` and no faults it does nothing."""

    Options = DummyOptions
    protocols: ClassVar[tuple[str, ...]] = (
        "NFS",
        "CIFS",
        "CEPHFS",
        "GLUSTERFS",
        "HDFS",
        "MAPRFS",
    )
    access_types: ClassVar[tuple[str, ...]] = ("ip", "user", "cert", "cephx")
    modes: ClassVar[tuple[bool, ...]] = (False, True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        options = self._options = cast(DummyOptions, self.configuration)
        self._backend = None if options.directory is None else DummyBackend(options.directory)
        self._faults = Faults(options, self._backend)

    # -- life of the backend -------------------------------------------------------------------
    def do_setup(self, context: RequestContext) -> None:
        """Make the directory; raises `DriverError` if it can't be made."""
        if self._backend is not None:
            with os_errors(f"set up {self._backend.directory}"):
                self._backend.prepare()

    def get_share_stats(self, refresh: bool = False) -> Any:
        """Its `pools`, or one of `capacity_gib`, less the shares that exist; or what `told` says."""
        self._faults.question("get_share_stats")
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
        return self._options.info

    def get_pool(self, share: Share) -> str:
        return share.host.partition("#")[2] or self.backend_name

    # -- shares --------------------------------------------------------------------------------
    def create_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        last = self._faults.begin("create_share", context, share.id)
        if self._backend is not None:
            self._backend.add_share(
                share.id, share.size, pool=self.get_pool(share), server=self._server(share_server)
            )
        end(last)
        return self._exports(share)

    def create_share_from_snapshot(
        self, context: RequestContext, share: Share, snapshot: Snapshot, share_server: Any = None
    ) -> Exports:
        last = self._faults.begin("create_share_from_snapshot", context, share.id, snapshot.id)
        if self._backend is not None:
            self._backend.snapshot(snapshot.share_id, snapshot.id)
            pool, server = self.get_pool(share), self._server(share_server)
            self._backend.add_share(share.id, share.size, snapshot.id, pool=pool, server=server)
        end(last)
        return self._exports(share)

    def delete_share(self, context: RequestContext, share: Share, share_server: Any = None) -> None:
        last = self._faults.begin("delete_share", context, share.id)
        if self._backend is not None:
            self._backend.drop_share(share.id)
        end(last)

    def extend_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        self._resize("extend_share", context, share, new_size)

    def shrink_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        self._resize("shrink_share", context, share, new_size)

    def _resize(self, method: Method, context: RequestContext, share: Share, size: int) -> None:
        last = self._faults.begin(method, context, share.id)
        if self._backend is not None:
            self._backend.change_share(share.id, size=size)
        end(last)

    def ensure_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        last = self._faults.begin("ensure_share", context, share.id)
        if self._backend is not None:
            self._backend.share(share.id)
        end(last)
        return self._exports(share)

    def _exports(self, share: Share) -> tuple[ExportLocation, ...]:
        under = "".join(f"{value}:" for value in self._options.info.values())
        return (ExportLocation(path=f"dummy:{under}/{share.id}", preferred=True),)

    def _server(self, share_server: Any) -> str | None:
        """The id of the server that a share is to be on; raises `DriverError` unless that is set up."""
        if not self.driver_handles_share_servers:
            return None
        if share_server is None:
            raise DriverError("a share server is needed, and none was given")
        found: str = share_server["id"]
        if self._backend is not None and found not in self._backend.servers():
            raise DriverError(f"share server {found} is not set up")
        return found

    def probe_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> ProbeResult | None:
        last = self._faults.begin("probe_share", context, share.id)
        found = None if self._backend is None else self._existing(share, self._backend)
        end(last)
        return found

    # -- snapshots -----------------------------------------------------------------------------
    def create_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> str:
        last = self._faults.begin("create_snapshot", context, snapshot.share_id, snapshot.id)
        if self._backend is not None:
            self._backend.add_snapshot(snapshot.share_id, snapshot.id)
        end(last)
        return f"dummy:/{snapshot.share_id}@{snapshot.id}"

    def delete_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> None:
        last = self._faults.begin("delete_snapshot", context, snapshot.share_id, snapshot.id)
        if self._backend is not None:
            self._backend.drop_snapshot(snapshot.share_id, snapshot.id)
        end(last)

    # -- access --------------------------------------------------------------------------------
    def update_access(
        self,
        context: RequestContext,
        share: Share,
        access_rules: Sequence[AccessRule],
        add_rules: Sequence[AccessRule],
        delete_rules: Sequence[AccessRule],
        update_rules: Sequence[AccessRule] = (),
        share_server: Any = None,
    ) -> RuleUpdates:
        last = self._faults.begin("update_access", context, share.id)
        failed = {rule.id: why for rule in access_rules if (why := self._objection(rule))}
        if self._backend is not None:
            self._set_rules(share, [rule for rule in access_rules if rule.id not in failed])
        end(last)
        return failed

    def allow_access(
        self, context: RequestContext, share: Share, access: AccessRule, share_server: Any = None
    ) -> None:
        last = self._faults.begin("allow_access", context, share.id)
        if why := self._objection(access):
            raise UnsupportedAccess(why)
        if self._backend is not None:
            rules = {**self._backend.rules(share.id), access.id: _rule(access)}
            self._backend.change_share(share.id, rules=rules)
        end(last)

    def deny_access(
        self, context: RequestContext, share: Share, access: AccessRule, share_server: Any = None
    ) -> None:
        last = self._faults.begin("deny_access", context, share.id)
        if self._backend is not None and share.id in self._backend.shares():
            rules = self._backend.rules(share.id)
            rules.pop(access.id, None)
            self._backend.change_share(share.id, rules=rules)
        end(last)

    def _objection(self, rule: AccessRule) -> str | None:
        if rule.access_type not in self.access_types:
            return f"access_type {rule.access_type!r} is not supported"
        if rule.access_to in self._options.refuse_access_to:
            return f"access_to {rule.access_to!r} is refused"
        return None

    def _set_rules(self, share: Share, rules: Sequence[AccessRule]) -> None:
        assert self._backend is not None
        if rules or share.id in self._backend.shares():
            self._backend.change_share(share.id, rules={rule.id: _rule(rule) for rule in rules})

    # -- adoption of what exists ---------------------------------------------------------------
    def manage_existing(self, share: Share, driver_options: Mapping[str, Any]) -> dict[str, Any]:
        """Adopt any share, as large as `driver_options["size"]` says, in GiB (1)."""
        last = self._faults.begin("manage_existing", _NO_CONTEXT, share.id)
        size = int(driver_options.get("size", 1))
        if self._backend is not None:
            self._backend.add_share(share.id, size, pool=self.get_pool(share))
        end(last)
        return {"size": size}

    def preview_manage(self, share: Share, driver_options: Mapping[str, Any]) -> dict[str, Any]:
        last = self._faults.begin("preview_manage", _NO_CONTEXT, share.id)
        end(last)
        return {"size": int(driver_options.get("size", 1))}

    def unmanage(self, share: Share) -> None:
        last = self._faults.begin("unmanage", _NO_CONTEXT, share.id)
        end(last)

    def manage_existing_snapshot(
        self, snapshot: Snapshot, driver_options: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Adopt any snapshot, as large as `driver_options["size"]` says, in GiB (its share's)."""
        last = self._faults.begin(
            "manage_existing_snapshot", _NO_CONTEXT, snapshot.share_id, snapshot.id
        )
        if self._backend is not None:
            self._backend.add_snapshot(snapshot.share_id, snapshot.id)
        end(last)
        return {"size": int(driver_options.get("size", snapshot.size))}

    def unmanage_snapshot(self, snapshot: Snapshot) -> None:
        last = self._faults.begin("unmanage_snapshot", _NO_CONTEXT, snapshot.share_id, snapshot.id)
        end(last)

    # -- share servers -------------------------------------------------------------------------
    def get_network_allocations_number(self) -> int:
        return self._options.addresses

    def allocate_network(
        self,
        context: RequestContext,
        share_server: Any,
        share_network: Any,
        count: int | None = None,
        **kwargs: Any,
    ) -> None:
        server_id: str = share_server["id"]
        last = self._faults.begin("allocate_network", context, server_id)
        if self._backend is not None:
            addresses = list(share_server["network_allocations"])
            self._backend.keep("networks", server_id, addresses=addresses)
        end(last)

    def deallocate_network(self, context: RequestContext, share_server_id: str) -> None:
        last = self._faults.begin("deallocate_network", context, share_server_id)
        if self._backend is not None:
            self._backend.let_go("networks", share_server_id)
        end(last)

    def setup_server(
        self, network_info: Any, metadata: Any = None, **kwargs: Any
    ) -> dict[str, str]:
        """Its details: its id, and a password of its own. One that fails tells that it is half made."""
        server_id: str = network_info["server_id"]
        try:
            last = self._faults.begin("setup_server", _told(metadata), server_id)
        except TransientError:
            raise
        except DriverError as error:
            raise ShareServerSetUpFailed(str(error), {"half": server_id}) from None
        if self._backend is not None:
            addresses = list(network_info["network_allocations"])
            services = [service["type"] for service in network_info["security_services"]]
            self._backend.keep("servers", server_id, addresses=addresses, services=services)
        end(last)
        return {"dummy_server": server_id, "admin_password": f"secret of {server_id}"}

    def teardown_server(
        self, server_details: Any, security_services: Any = None, **kwargs: Any
    ) -> None:
        server_id: str = server_details["server_id"]
        last = self._faults.begin("teardown_server", _NO_CONTEXT, server_id)
        if self._backend is not None:
            left = [i for i, s in self._backend.shares().items() if s.get("server") == server_id]
            if left:
                raise DriverError(f"share server {server_id} holds shares: {', '.join(left)}")
            self._backend.let_go("servers", server_id)
        end(last)

    def _existing(self, share: Share, backend: DummyBackend) -> ProbeResult:
        snapshots = {
            i: f"dummy:/{share.id}@{i}"
            for i, s in backend.snapshots().items()
            if s["share_id"] == share.id
        }
        held = backend.shares().get(share.id)
        if held is None:
            return ProbeResult(state="absent", snapshots=snapshots, access=frozenset())
        access = frozenset(
            (r["access_type"], r["access_to"], r["access_level"]) for r in held["rules"].values()
        )
        return ProbeResult(
            state="whole",
            export_locations=self._exports(share),
            size=held["size"],
            access=access,
            snapshots=snapshots,
        )


def _pool(name: str, total: float, shares: Sequence[Mapping[str, Any]]) -> Pool:
    used = float(sum(held["size"] for held in shares if held.get("pool", name) in (name, "")))
    return Pool(
        name=name,
        total_capacity_gib=total,
        free_capacity_gib=max(0.0, total - used),
        allocated_capacity_gib=used,
    )


def _told(metadata: Any) -> RequestContext:
    """The attempt that a server's set-up belongs to, as far as it is told."""
    given = metadata or {}
    return RequestContext(attempt=given.get("attempt", 0), token=given.get("token", ""))


def _rule(rule: AccessRule) -> dict[str, str]:
    return {
        "access_type": rule.access_type,
        "access_to": rule.access_to,
        "access_level": rule.access_level,
    }
