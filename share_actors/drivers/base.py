"""The port that every storage backend implements: Manila's `ShareDriver`, by its own names.

Every method is idempotent by contract: after a crash, a deadline or a lost answer the share's actor
asks again, with the same arguments and a higher `context.attempt`, and expects the same answer.
Methods block; the caller runs them in threads, several at once for different shares, never two at once
for one share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from share_actors.values import (
    AccessRule,
    Capabilities,
    ExportLocation,
    Frozen,
    RequestContext,
    Share,
    Snapshot,
)


class DriverError(Exception):
    """The backend failed; the message goes to the operator and into the log."""


class TransientError(DriverError):
    """The backend failed for now; the same call is worth another attempt after a pause."""


class RefusedByBackend(DriverError):
    """The backend declined and changed nothing: the share is available again, with the reason."""


class ShareSnapshotIsBusy(RefusedByBackend):
    """The snapshot is in use; it is available again (`manila.exception.ShareSnapshotIsBusy`)."""


class UnsupportedAccess(DriverError):
    """The backend knows no rules of this type or level (`InvalidShareAccess` in Manila)."""


class NotSupported(DriverError):
    """The driver does not override this optional method."""


class ManageInvalidShare(DriverError):
    """What is to be managed is not there, or cannot be managed (`manila.exception`)."""


class ManageExistingShareTypeMismatch(DriverError):
    """What is to be managed is not as its share type says (`manila.exception`)."""


class UnmanageInvalidShare(DriverError):
    """The backend cannot let go of it (`manila.exception`)."""


class ShareServerSetUpFailed(DriverError):
    """A share server could not be set up; *details* are what there is of it, for its teardown."""

    def __init__(self, message: str, details: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.detail_data = {"server_details": dict(details or {})}


class DriverOptions(BaseModel):
    """A backend's own settings in the configuration; drivers subclass it. Unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Exports = Sequence[ExportLocation]
RuleUpdates = Mapping[str, str]
"""Rules that could not be applied: access id to the reason."""


class ProbeResult(Frozen):
    """What a backend holds of one share (`ShareDriver.probe_share`). What is None was not looked at.

    `partial`: it was begun, and asking for it again completes it. `broken`: it has to be deleted first.
    """

    state: Literal["absent", "partial", "broken", "whole"]
    export_locations: Exports = ()
    size: int | None = None
    """In GiB."""
    access: frozenset[tuple[str, str, str]] | None = None
    """Who is let in: (access_type, access_to, access_level)."""
    snapshots: dict[str, str | None] | None = None
    """Its whole snapshots: ids, with their provider locations."""
    unfinished: frozenset[str] = frozenset()
    """Ids of snapshots of which something is left that is not whole: half taken, or half deleted."""


class ShareDriver:
    """Base of every driver (`manila.share.driver.ShareDriver`). Override what the backend can do.

    `configuration` is an instance of the driver's own `Options`; `backend_name` is the name of the
    backend in the configuration. What a driver can do is read from what it overrides: see `supports`.
    """

    Options: ClassVar[type[DriverOptions]] = DriverOptions
    protocols: ClassVar[tuple[str, ...]] = ("NFS",)
    access_types: ClassVar[tuple[str, ...]] = ("ip", "user", "cert", "cephx")
    access_levels: ClassVar[tuple[str, ...]] = ("rw", "ro")
    modes: ClassVar[tuple[bool, ...]] = (False,)
    """Whether it can handle share servers: one mode, or both."""

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
        return self._driver_handles_share_servers

    @classmethod
    def supports(cls, method: str) -> bool:
        """Whether this driver overrides *method*, and so can do it."""
        return getattr(cls, method) is not getattr(ShareDriver, method)

    # -- life of the backend -------------------------------------------------------------------
    def do_setup(self, context: RequestContext) -> None:
        """Prepare the backend; called once in each process that hosts its shares."""

    def check_for_setup_error(self) -> None:
        """Raise `DriverError` when the backend can't work as configured."""

    def get_share_stats(self, refresh: bool = False) -> Capabilities | Mapping[str, Any] | None:
        """Capacity and features, as the backend measures them; a mapping may have Manila's names.

        Every driver that creates shares must override it: the scheduler places a share only on a pool that
        was reported, with its capacity. Fields that are left out follow from the driver's class.
        """
        return None

    def get_backend_info(self, context: RequestContext) -> Mapping[str, Any] | None:
        """What shares are exported under, such as addresses: if it changes, each is ensured again."""
        return None

    def get_pool(self, share: Share) -> str | None:
        """The pool that holds *share*; None where a backend has no pools."""
        return None

    # -- shares --------------------------------------------------------------------------------
    def create_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        """Make *share* exist and return where clients find it."""
        raise NotSupported(f"{type(self).__name__} cannot create shares")

    def create_share_from_snapshot(
        self, context: RequestContext, share: Share, snapshot: Snapshot, share_server: Any = None
    ) -> Exports:
        """Make *share* exist with the contents of *snapshot*."""
        raise NotSupported(f"{type(self).__name__} cannot create a share from a snapshot")

    def delete_share(self, context: RequestContext, share: Share, share_server: Any = None) -> None:
        """Make *share* not exist; one that never existed, or half exists, is no error."""
        raise NotSupported(f"{type(self).__name__} cannot delete shares")

    def extend_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        """Let *share* hold `new_size` GiB."""
        raise NotSupported(f"{type(self).__name__} cannot extend shares")

    def shrink_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        """Let *share* hold only `new_size` GiB; `RefusedByBackend` when more than that is used."""
        raise NotSupported(f"{type(self).__name__} cannot shrink shares")

    def ensure_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports | None:
        """Make sure *share* is exported; new export locations if they changed."""
        return None

    def probe_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> ProbeResult | None:
        """Say what exists of *share*, changing nothing; None: that can't be told.

        Asked before an attempt whose predecessor's outcome is unknown: what is done already is adopted,
        and only the rest is asked for. Not overridden, the method itself is asked again.
        """
        return None

    # -- snapshots -----------------------------------------------------------------------------
    def create_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> str | None:
        """Take *snapshot* of the share `snapshot.share_id`; return its provider location, if any."""
        raise NotSupported(f"{type(self).__name__} cannot take snapshots")

    def delete_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> None:
        """Make *snapshot* not exist; `ShareSnapshotIsBusy` while something is made from it."""
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
        """Make the backend hold exactly *access_rules*; the other lists say what changed.

        Deletions come before additions, so that a client denied and allowed again keeps its new rule.
        Returns the rules that could not be applied and why; raising means that none of them was.
        The default asks `allow_access` and `deny_access` one rule at a time.
        """
        failed: dict[str, str] = {}
        calls = [(self.deny_access, rule) for rule in delete_rules]
        calls += [(self.allow_access, rule) for rule in (*add_rules, *update_rules)]
        for call, rule in calls:
            try:
                call(context, share, rule, share_server)
            except TransientError:
                raise
            except DriverError as error:
                failed[rule.id] = str(error)
        return failed

    def allow_access(
        self, context: RequestContext, share: Share, access: AccessRule, share_server: Any = None
    ) -> None:
        """Let *access* in."""
        raise NotSupported(f"{type(self).__name__} has no access rules")

    def deny_access(
        self, context: RequestContext, share: Share, access: AccessRule, share_server: Any = None
    ) -> None:
        """Keep *access* out; a rule that was never applied is no error."""
        raise NotSupported(f"{type(self).__name__} has no access rules")

    # -- adoption of what exists ---------------------------------------------------------------
    def manage_existing(self, share: Share, driver_options: Mapping[str, Any]) -> dict[str, Any]:
        """Adopt what exists on the backend as *share*; return `{"size": GiB}`.

        With `export_locations`, if it likes; else `ensure_share` is asked. Raises `ManageInvalidShare`.
        """
        raise NotSupported(f"{type(self).__name__} cannot manage existing shares")

    def preview_manage(self, share: Share, driver_options: Mapping[str, Any]) -> dict[str, Any]:
        """What `manage_existing` would adopt, changing nothing: at least `size`; raises as it does."""
        raise NotSupported(f"{type(self).__name__} cannot tell what it would manage")

    def unmanage(self, share: Share) -> None:
        """Let go of *share*, untouched."""

    def manage_existing_snapshot(
        self, snapshot: Snapshot, driver_options: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Adopt what is at `snapshot.provider_location`; return `{"size": GiB}`."""
        raise NotSupported(f"{type(self).__name__} cannot manage existing snapshots")

    def unmanage_snapshot(self, snapshot: Snapshot) -> None:
        """Let go of *snapshot*, untouched."""

    # -- share servers (driver_handles_share_servers) ------------------------------------------
    def get_network_allocations_number(self) -> int:
        """How many addresses one share server needs."""
        return 0

    def allocate_network(
        self,
        context: RequestContext,
        share_server: Any,
        share_network: Any,
        count: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """Make the addresses of *share_server*, which its network granted, usable for it.

        `share_server["network_allocations"]` has them, *count* of them. Most backends need do nothing.
        """

    def deallocate_network(self, context: RequestContext, share_server_id: str) -> None:
        """Undo `allocate_network`; the addresses go back to the network when this returns."""

    def setup_server(self, network_info: Any, metadata: Any = None, **kwargs: Any) -> Any:
        """Set up a share server (`network_info["server_id"]`); return its details, a mapping of texts.

        When it fails half-way, `ShareServerSetUpFailed` tells what there is: it is torn down again.
        """
        raise NotSupported(f"{type(self).__name__} handles no share servers")

    def teardown_server(
        self, server_details: Any, security_services: Any = None, **kwargs: Any
    ) -> None:
        """Make a share server not exist; `server_details` are as set up, with its `server_id`."""
        raise NotSupported(f"{type(self).__name__} handles no share servers")
