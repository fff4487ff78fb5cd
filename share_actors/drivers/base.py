"""The port that every storage backend implements: Manila's `ShareDriver`, with its method names.

Every method is idempotent by contract: after a crash, a deadline or a lost result the caller repeats the
call with the same arguments and a higher `context.attempt`, and expects the same result.
Methods block; the caller runs them in threads, several at once for different shares, never two at once
for one share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from share_actors.drivers.errors import (
    DriverError,
    ManageExistingShareTypeMismatch,
    ManageInvalidShare,
    NotSupported,
    RefusedByBackend,
    ShareServerSetUpFailed,
    ShareSnapshotIsBusy,
    TransientError,
    UnmanageInvalidShare,
    UnsupportedAccess,
)
from share_actors.drivers.probing import Exports, ProbeResult
from share_actors.drivers.rule_updates import RuleChange, RuleUpdates
from share_actors.drivers.single_rules import apply_one_by_one
from share_actors.values import (
    AccessRule,
    Capabilities,
    RequestContext,
    Share,
    Snapshot,
)

__all__ = [
    "DriverError",
    "DriverOptions",
    "Exports",
    "ManageExistingShareTypeMismatch",
    "ManageInvalidShare",
    "NotSupported",
    "ProbeResult",
    "RefusedByBackend",
    "RuleChange",
    "RuleUpdates",
    "ShareDriver",
    "ShareServerSetUpFailed",
    "ShareSnapshotIsBusy",
    "TransientError",
    "UnmanageInvalidShare",
    "UnsupportedAccess",
]


class DriverOptions(BaseModel):
    """Base of a driver's options, as a backend's configuration sets them. Unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


CALLS_AT_ONCE = 256
"""Of a driver that waits for storage elsewhere: 128 calls a second if one takes 2 s; 4 MB of memory."""
CALLS_ON_THIS_MACHINE = 16
"""Of a driver whose calls use the processors and disks of its own machine."""


class ShareDriver:
    """Base of every driver (`manila.share.driver.ShareDriver`). Override what the backend supports.

    `configuration` is an instance of the driver's own `Options`; `backend_name` is the name of the
    backend in the configuration. The overridden methods determine the driver's features: see `supports`.
    """

    Options: ClassVar[type[DriverOptions]] = DriverOptions
    protocols: ClassVar[tuple[str, ...]] = ("NFS",)
    access_types: ClassVar[tuple[str, ...]] = ("ip", "user", "cert", "cephx")
    access_levels: ClassVar[tuple[str, ...]] = ("rw", "ro")
    access_support: ClassVar[Mapping[str, Mapping[str, tuple[str, ...]]]] = {}
    """The types of access rules by protocol, each with its levels, if they differ between protocols."""
    modes: ClassVar[tuple[bool, ...]] = (False,)
    """The supported values of `driver_handles_share_servers`: one or both."""
    calls_at_once: ClassVar[int] = CALLS_AT_ONCE
    """Calls that run at once in each share actor, unless the backend's `threads` says otherwise."""
    public_details: ClassVar[frozenset[str]] = frozenset()
    """The details of a share server that are not secret. All others are encrypted in the log and masked."""
    public_manage_options: ClassVar[frozenset[str]] = frozenset()
    """The options of `manage_existing` that are not secret. All others are encrypted and masked."""

    def __init__(
        self,
        driver_handles_share_servers: bool = False,
        *args: Any,
        configuration: DriverOptions | None = None,
        backend_name: str = "",
        **kwargs: Any,
    ) -> None:
        self._driver_handles_share_servers = driver_handles_share_servers
        self.configuration = configuration if configuration is not None else self.Options()
        self.backend_name = backend_name

    @property
    def driver_handles_share_servers(self) -> bool:
        """Whether this backend creates share servers for its shares (DHSS)."""
        return self._driver_handles_share_servers

    @classmethod
    def supports(cls, method: str) -> bool:
        """Whether this driver overrides *method* and therefore supports it."""
        return getattr(cls, method) is not getattr(ShareDriver, method)

    def supported_access(self, protocol: str) -> Mapping[str, tuple[str, ...]]:
        """The types of access rules that a share of *protocol* can have, each with its levels."""
        declared = self.access_support.get(protocol)
        if declared is None:
            return dict.fromkeys(self.rule_types(), self.access_levels)
        return declared

    def rule_types(self) -> tuple[str, ...]:
        """The `access_types`; none if the driver has no method that applies rules."""
        methods = ("update_access", "allow_access")
        applies = any(map(self.supports, methods)) or hasattr(self, "snapshot_update_access")
        return tuple(self.access_types) if applies else ()

    @property
    def refuses_late_calls(self) -> bool:
        """Whether a call with a smaller `context.fence` than an earlier one is refused (`drivers.fence`)."""
        return False

    # -- backend -------------------------------------------------------------------------------
    def do_setup(self, context: RequestContext) -> None:
        """Prepare the backend; called once in each process that hosts its shares."""

    def check_for_setup_error(self) -> None:
        """Raise `DriverError` if the backend cannot work as configured."""

    def setup_warnings(self) -> Sequence[str]:
        """What does not prevent the backend from working, but likely its users: shown by `config check`."""
        return ()

    def exclusive_directories(self) -> Mapping[str, Path]:
        """Directories that only one system may use, by the option that sets them. They may not exist yet."""
        return {}

    def exclusive_names(self) -> Mapping[str, str]:
        """What one backend alone may use of a machine, by option: prefixes, devices, ports."""
        return {}

    def get_share_stats(self, refresh: bool = False) -> Capabilities | Mapping[str, Any] | None:
        """The current capacity and features; a mapping may have Manila's keys and words (`values.manila`).

        None: the backend is one pool of unknown capacity, which gets shares when no other pool fits. The
        driver's class determines the fields that are left out.
        """
        return None

    def get_backend_info(self, context: RequestContext) -> Mapping[str, Any] | None:
        """Settings that export locations depend on, such as addresses: on a change every share is ensured."""
        return None

    def get_pool(self, share: Share) -> str | None:
        """The pool that *share* is in; None if the backend has no pools."""
        return None

    # -- shares --------------------------------------------------------------------------------
    def create_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        """Create *share* unless it exists; return its export locations."""
        raise NotSupported(f"{type(self).__name__} cannot create shares")

    def create_share_from_snapshot(
        self, context: RequestContext, share: Share, snapshot: Snapshot, share_server: Any = None
    ) -> Exports:
        """Create *share* with the contents of *snapshot* unless it exists; return its export locations."""
        raise NotSupported(f"{type(self).__name__} cannot create a share from a snapshot")

    def delete_share(self, context: RequestContext, share: Share, share_server: Any = None) -> None:
        """Delete *share*; succeeds for one that does not exist, and for one that exists in part."""
        raise NotSupported(f"{type(self).__name__} cannot delete shares")

    def extend_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        """Extend *share* to `new_size` GiB."""
        raise NotSupported(f"{type(self).__name__} cannot extend shares")

    def shrink_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        """Shrink *share* to `new_size` GiB; raises `RefusedByBackend` if more than that is used."""
        raise NotSupported(f"{type(self).__name__} cannot shrink shares")

    def ensure_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports | None:
        """Make sure that *share* is exported; return its export locations if they may have changed."""
        return None

    def probe_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> ProbeResult | None:
        """Report what exists of *share*, changing nothing; None if the driver cannot determine it.

        Called before an attempt if the outcome of the previous attempt is unknown: completed work is adopted,
        and only the rest is requested. If it is not overridden, the method itself is called again.
        """
        return None

    # -- snapshots -----------------------------------------------------------------------------
    def create_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> str | None:
        """Take *snapshot* of the share `snapshot.share_id`; return its provider location, or None."""
        raise NotSupported(f"{type(self).__name__} cannot take snapshots")

    def delete_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> None:
        """Delete *snapshot*; raises `ShareSnapshotIsBusy` while a share is created from it."""
        raise NotSupported(f"{type(self).__name__} cannot delete snapshots")

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
    ) -> RuleUpdates | None:
        """Apply exactly *access_rules*; the other lists contain the changes.

        Deletions come before additions, so that a client denied and allowed again keeps its new rule.
        Returns the rules that could not be applied, with reasons, if it can as a `RuleChange`, which also
        names the clients that were cut off; an exception means that none was applied.
        The default calls `deny_access` and `allow_access` for one rule at a time, and refuses those of types
        and levels that the driver does not declare.
        """
        changed = (*add_rules, *update_rules)
        return apply_one_by_one(
            self, context, share, access_rules, changed, delete_rules, share_server
        )

    def allow_access(
        self, context: RequestContext, share: Share, access: AccessRule, share_server: Any = None
    ) -> None:
        """Apply the rule *access*."""
        raise NotSupported(f"{type(self).__name__} does not support access rules")

    def deny_access(
        self, context: RequestContext, share: Share, access: AccessRule, share_server: Any = None
    ) -> None:
        """Remove the rule *access*; succeeds for a rule that was never applied."""
        raise NotSupported(f"{type(self).__name__} does not support access rules")

    def access_warnings(
        self, share: Share, access_rules: Sequence[AccessRule], share_server: Any = None
    ) -> Mapping[str, str]:
        """Which of *access_rules*, which are applied, cannot work and why: access id to reason.

        Called after the rules were applied. Each rule shows its warning.
        """
        return {}

    # -- manage and unmanage -------------------------------------------------------------------
    def manage_existing(self, share: Share, driver_options: Mapping[str, Any]) -> dict[str, Any]:
        """Adopt an existing share of the backend as *share*; return `{"size": GiB}`.

        The result may have `export_locations`; otherwise `ensure_share` is called for them. This and the
        other methods without a context find the attempt's token in `drivers.fence.current_attempt()`.
        Raises `ManageInvalidShare`.
        """
        raise NotSupported(f"{type(self).__name__} cannot manage existing shares")

    def preview_manage(self, share: Share, driver_options: Mapping[str, Any]) -> dict[str, Any]:
        """What `manage_existing` would adopt, changing nothing: at least `size`; raises the same errors."""
        raise NotSupported(f"{type(self).__name__} cannot preview the management of shares")

    def check_manage(self, share: Share, driver_options: Mapping[str, Any]) -> None:
        """Raise `ManageInvalidShare` for what `manage_existing` could never adopt, before it is recorded.

        Changes nothing and is quick. The default is the dry run, for drivers that have one.
        """
        if self.supports("preview_manage"):
            self.preview_manage(share, driver_options)

    def unmanage(self, share: Share) -> None:
        """Stop managing *share*; its data stay in place."""

    def manage_existing_snapshot(
        self, snapshot: Snapshot, driver_options: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Adopt the existing snapshot at `snapshot.provider_location`; return `{"size": GiB}`."""
        raise NotSupported(f"{type(self).__name__} cannot manage existing snapshots")

    def check_manage_snapshot(self, snapshot: Snapshot, driver_options: Mapping[str, Any]) -> None:
        """As `check_manage`, for `manage_existing_snapshot`."""

    def unmanage_snapshot(self, snapshot: Snapshot) -> None:
        """Stop managing *snapshot*; its data stay in place."""

    # -- share servers (driver_handles_share_servers) ------------------------------------------
    def get_network_allocations_number(self) -> int:
        """The number of addresses that one share server needs."""
        return 0

    def allocate_network(
        self,
        context: RequestContext,
        share_server: Any,
        share_network: Any,
        count: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """Prepare the allocated addresses of *share_server* on the backend.

        `share_server["network_allocations"]` has *count* addresses. Most backends need do nothing.
        """

    def deallocate_network(self, context: RequestContext, share_server_id: str) -> None:
        """Undo `allocate_network`; the network may reuse the addresses after this returns."""

    def setup_server(self, network_info: Any, metadata: Any = None, **kwargs: Any) -> Any:
        """Set up a share server (`network_info["server_id"]`); return its details, a mapping of strings.

        Raises `ShareServerSetUpFailed` with the details of a server that is set up in part: it is torn down.
        """
        raise NotSupported(f"{type(self).__name__} cannot handle share servers")

    def teardown_server(
        self, server_details: Any, security_services: Any = None, **kwargs: Any
    ) -> None:
        """Delete a share server; `server_details` are those of `setup_server`, with its `server_id`."""
        raise NotSupported(f"{type(self).__name__} cannot handle share servers")
