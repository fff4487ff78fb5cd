"""The driver `dummy`: no storage; for benchmarks, and for tests of failing backends."""

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
    """A simulated backend that its options control. Without `directory` and faults, every call succeeds."""

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

    # -- backend -------------------------------------------------------------------------------
    def do_setup(self, context: RequestContext) -> None:
        """Create the directory; raises `DriverError` if that fails."""
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

    def get_pool(self, share: Share) -> str:
        """The pool in the share's host; by default the pool named after the backend."""
        return share.host.partition("#")[2] or self.backend_name

    # -- shares --------------------------------------------------------------------------------
    def create_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        """Create the share unless it exists."""
        exits = self._faults.begin("create_share", context, share.id)
        if self._backend is not None:
            self._backend.add_share(
                share.id,
                share.size,
                pool=self.get_pool(share),
                server=self._server_id(share_server),
            )
        end(exits)
        return self._exports(share)

    def create_share_from_snapshot(
        self, context: RequestContext, share: Share, snapshot: Snapshot, share_server: Any = None
    ) -> Exports:
        """Create the share unless it exists; raises `DriverError` if the snapshot does not exist."""
        exits = self._faults.begin("create_share_from_snapshot", context, share.id, snapshot.id)
        if self._backend is not None:
            self._backend.snapshot(snapshot.share_id, snapshot.id)
            pool, server = self.get_pool(share), self._server_id(share_server)
            self._backend.add_share(share.id, share.size, snapshot.id, pool=pool, server=server)
        end(exits)
        return self._exports(share)

    def delete_share(self, context: RequestContext, share: Share, share_server: Any = None) -> None:
        """Delete the share, if it exists."""
        exits = self._faults.begin("delete_share", context, share.id)
        if self._backend is not None:
            self._backend.drop_share(share.id)
        end(exits)

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
        exits = self._faults.begin(method, context, share.id)
        if self._backend is not None:
            self._backend.change_share(share.id, size=size)
        end(exits)

    def ensure_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        """Return the export locations; raises `DriverError` if the share does not exist."""
        exits = self._faults.begin("ensure_share", context, share.id)
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
        exits = self._faults.begin("probe_share", context, share.id)
        result = None if self._backend is None else self._probe_result(share, self._backend)
        end(exits)
        return result

    # -- snapshots -----------------------------------------------------------------------------
    def create_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> str:
        """Create the snapshot; raises `DriverError` if the share does not exist."""
        exits = self._faults.begin("create_snapshot", context, snapshot.share_id, snapshot.id)
        if self._backend is not None:
            self._backend.add_snapshot(snapshot.share_id, snapshot.id)
        end(exits)
        return f"dummy:/{snapshot.share_id}@{snapshot.id}"

    def delete_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> None:
        """Delete the snapshot, if it exists."""
        exits = self._faults.begin("delete_snapshot", context, snapshot.share_id, snapshot.id)
        if self._backend is not None:
            self._backend.drop_snapshot(snapshot.share_id, snapshot.id)
        end(exits)

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
        """Apply the rules, except those of unsupported types and those of `refuse_access_to`."""
        exits = self._faults.begin("update_access", context, share.id)
        failed = {r.id: reason for r in access_rules if (reason := self._refusal_reason(r))}
        if self._backend is not None:
            self._set_rules(share, [rule for rule in access_rules if rule.id not in failed])
        end(exits)
        return failed

    def allow_access(
        self, context: RequestContext, share: Share, access: AccessRule, share_server: Any = None
    ) -> None:
        """Add a rule; raises `UnsupportedAccess` for a rule that cannot be applied."""
        exits = self._faults.begin("allow_access", context, share.id)
        if reason := self._refusal_reason(access):
            raise UnsupportedAccess(reason)
        if self._backend is not None:
            rules = {**self._backend.rules(share.id), access.id: _rule_record(access)}
            self._backend.change_share(share.id, rules=rules)
        end(exits)

    def deny_access(
        self, context: RequestContext, share: Share, access: AccessRule, share_server: Any = None
    ) -> None:
        """Remove a rule, if the share and the rule exist."""
        exits = self._faults.begin("deny_access", context, share.id)
        if self._backend is not None and share.id in self._backend.shares():
            rules = self._backend.rules(share.id)
            rules.pop(access.id, None)
            self._backend.change_share(share.id, rules=rules)
        end(exits)

    def _refusal_reason(self, rule: AccessRule) -> str | None:
        if rule.access_type not in self.access_types:
            return f"access_type {rule.access_type!r} is not supported"
        if rule.access_to in self._options.refuse_access_to:
            return f"access_to {rule.access_to!r} is refused"
        return None

    def _set_rules(self, share: Share, rules: Sequence[AccessRule]) -> None:
        assert self._backend is not None
        if rules or share.id in self._backend.shares():
            self._backend.change_share(
                share.id, rules={rule.id: _rule_record(rule) for rule in rules}
            )

    # -- manage and unmanage -------------------------------------------------------------------
    def manage_existing(self, share: Share, driver_options: Mapping[str, Any]) -> dict[str, Any]:
        """Adopt any share; its size is `driver_options["size"]` in GiB, default 1."""
        exits = self._faults.begin("manage_existing", _NO_CONTEXT, share.id)
        size = int(driver_options.get("size", 1))
        if self._backend is not None:
            self._backend.add_share(share.id, size, pool=self.get_pool(share))
        end(exits)
        return {"size": size}

    def preview_manage(self, share: Share, driver_options: Mapping[str, Any]) -> dict[str, Any]:
        """The size that `manage_existing` would return."""
        exits = self._faults.begin("preview_manage", _NO_CONTEXT, share.id)
        end(exits)
        return {"size": int(driver_options.get("size", 1))}

    def unmanage(self, share: Share) -> None:
        """Leave the share as it is."""
        exits = self._faults.begin("unmanage", _NO_CONTEXT, share.id)
        end(exits)

    def manage_existing_snapshot(
        self, snapshot: Snapshot, driver_options: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Adopt any snapshot; its size is `driver_options["size"]` in GiB, default `snapshot.size`."""
        exits = self._faults.begin(
            "manage_existing_snapshot", _NO_CONTEXT, snapshot.share_id, snapshot.id
        )
        if self._backend is not None:
            self._backend.add_snapshot(snapshot.share_id, snapshot.id)
        end(exits)
        return {"size": int(driver_options.get("size", snapshot.size))}

    def unmanage_snapshot(self, snapshot: Snapshot) -> None:
        """Leave the snapshot as it is."""
        exits = self._faults.begin("unmanage_snapshot", _NO_CONTEXT, snapshot.share_id, snapshot.id)
        end(exits)

    # -- share servers -------------------------------------------------------------------------
    def get_network_allocations_number(self) -> int:
        """The option `addresses`."""
        return self._options.addresses

    def allocate_network(
        self,
        context: RequestContext,
        share_server: Any,
        share_network: Any,
        count: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Record the addresses of the share server."""
        server_id: str = share_server["id"]
        exits = self._faults.begin("allocate_network", context, server_id)
        if self._backend is not None:
            addresses = list(share_server["network_allocations"])
            self._backend.record_server("networks", server_id, addresses=addresses)
        end(exits)

    def deallocate_network(self, context: RequestContext, share_server_id: str) -> None:
        """Remove the record of the addresses."""
        exits = self._faults.begin("deallocate_network", context, share_server_id)
        if self._backend is not None:
            self._backend.drop_server("networks", share_server_id)
        end(exits)

    def setup_server(
        self, network_info: Any, metadata: Any = None, **kwargs: Any
    ) -> dict[str, str]:
        """Record the server; returns its id and a password. A failure has the details of a partial server."""
        server_id: str = network_info["server_id"]
        try:
            exits = self._faults.begin("setup_server", _attempt_context(metadata), server_id)
        except TransientError:
            raise
        except DriverError as error:
            raise ShareServerSetUpFailed(str(error), {"half": server_id}) from None
        if self._backend is not None:
            addresses = list(network_info["network_allocations"])
            services = [service["type"] for service in network_info["security_services"]]
            self._backend.record_server(
                "servers", server_id, addresses=addresses, services=services
            )
        end(exits)
        return {"dummy_server": server_id, "admin_password": f"secret of {server_id}"}

    def teardown_server(
        self, server_details: Any, security_services: Any = None, **kwargs: Any
    ) -> None:
        """Delete the share server; raises `DriverError` while it has shares."""
        server_id: str = server_details["server_id"]
        exits = self._faults.begin("teardown_server", _NO_CONTEXT, server_id)
        if self._backend is not None:
            shares = self._backend.shares()
            share_ids = [i for i in shares if shares[i].get("server") == server_id]
            if share_ids:
                raise DriverError(f"share server {server_id} has shares: {', '.join(share_ids)}")
            self._backend.drop_server("servers", server_id)
        end(exits)

    def _probe_result(self, share: Share, backend: DummyBackend) -> ProbeResult:
        snapshots = {
            i: f"dummy:/{share.id}@{i}"
            for i, s in backend.snapshots().items()
            if s["share_id"] == share.id
        }
        record = backend.shares().get(share.id)
        if record is None:
            return ProbeResult(state="absent", snapshots=snapshots, access=frozenset())
        access = frozenset(
            (r["access_type"], r["access_to"], r["access_level"]) for r in record["rules"].values()
        )
        return ProbeResult(
            state="whole",
            export_locations=self._exports(share),
            size=record["size"],
            access=access,
            snapshots=snapshots,
        )


def _pool(name: str, total: float, shares: Sequence[Mapping[str, Any]]) -> Pool:
    used = float(sum(s["size"] for s in shares if s.get("pool", name) in (name, "")))
    return Pool(
        name=name,
        total_capacity_gib=total,
        free_capacity_gib=max(0.0, total - used),
        allocated_capacity_gib=used,
    )


def _attempt_context(metadata: Any) -> RequestContext:
    """The attempt that is setting up a server, from the metadata of `setup_server`."""
    fields = metadata or {}
    return RequestContext(attempt=fields.get("attempt", 0), token=fields.get("token", ""))


def _rule_record(rule: AccessRule) -> dict[str, str]:
    return {
        "access_type": rule.access_type,
        "access_to": rule.access_to,
        "access_level": rule.access_level,
    }
