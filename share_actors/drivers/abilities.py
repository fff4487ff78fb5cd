"""Abilities that a driver may have beyond `ShareDriver`. Each is asked of the driver object, by `isinstance`.

A driver has an ability if its object has the methods: it need not derive from the protocol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

from share_actors.drivers.base import TransientError
from share_actors.drivers.requirement import Requirement
from share_actors.drivers.rule_updates import RuleUpdates
from share_actors.values import (
    AccessRule,
    ExportLocation,
    Frozen,
    RequestContext,
    Share,
    ShareClient,
    Snapshot,
)


class NotStarted(TransientError):
    """What serves the backend does not run; the call is attempted again, however long that takes."""


@runtime_checkable
class RunsDaemons(Protocol):
    """The backend serves its shares by daemons or mounts of this machine, which somebody must start.

    `do_setup` only attaches to them: in the process that starts them it comes after `start_backend`, in
    others it raises `NotStarted` if it is too early, as any other method may. They go on while the system
    is down: its end interrupts no client.
    """

    def start_backend(self, context: RequestContext) -> None:
        """Mount and start what serves the shares, unless it runs; called by one owner at a time.

        Afterwards each share is served with the rules that were applied last. Raises `DriverError`.
        """

    def stop_backend(self, context: RequestContext) -> None:
        """End the daemons and unmount; the shares stay on the storage. Succeeds if nothing runs."""

    def check_health(self) -> Sequence[str]:
        """What is wrong now, one sentence each; empty if clients are served. Quick, and changes nothing."""


@runtime_checkable
class Reverts(Protocol):
    """The backend can put a share back to the state of a snapshot."""

    def revert_to_snapshot(
        self, context: RequestContext, share: Share, snapshot: Snapshot, share_server: Any = None
    ) -> bool:
        """Replace the content of *share* by that of *snapshot*; returns whether clients must mount again.

        Size, rules and export locations stay. Can be repeated like every method of the port
        (`manila.share.driver.ShareDriver.revert_to_snapshot`).
        """


@runtime_checkable
class MountableSnapshots(Protocol):
    """Clients can mount each snapshot by itself, under access rules of its own, to read it.

    A snapshot is exported while it has rules. `delete_snapshot`, `delete_share`, `unmanage_snapshot` and
    `manage_existing_snapshot` remove its export with the rules, if there is one.
    """

    def snapshot_update_access(
        self,
        context: RequestContext,
        snapshot: Snapshot,
        access_rules: Sequence[AccessRule],
        add_rules: Sequence[AccessRule],
        delete_rules: Sequence[AccessRule],
        share_server: Any = None,
    ) -> RuleUpdates | None:
        """Export *snapshot* to exactly *access_rules*, whose level is `ro`; without rules, to nobody.

        Returns what `update_access` returns, and can be repeated like it
        (`manila.share.driver.ShareDriver.snapshot_update_access`).
        """

    def snapshot_export_locations(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> Sequence[ExportLocation]:
        """Where clients mount *snapshot*; none if it is not exported. Clients see none for administrators."""


class BackendObject(Frozen):
    """A share or a snapshot that exists on a backend, whether the system knows it or not."""

    kind: Literal["share", "snapshot"]
    id: str | None = None
    """Its id, if the backend's name for it has one."""
    location: str
    """The backend's own name for it, such as a path: what `manage` takes."""
    size: int | None = None
    """In GiB; None if it has no limit, or if it is not known."""
    limit_bytes: int | None = None
    """The limit of a share in bytes, 0 if it has none; None if the backend cannot tell."""
    export_paths: tuple[str, ...] = ()
    access: frozenset[tuple[str, str, str]] | None = None
    """The rules in force: (access_type, access_to, access_level). None if they are not known."""
    access_on_file: frozenset[tuple[str, str, str]] | None = None
    """The rules that are applied when the backend is started again, if it stores them apart."""
    share_server_id: str | None = None
    """The share server that it is on, of a backend that handles them."""
    share_id: str | None = None
    """Of a snapshot: the share that it is of, if the backend's name for it says so."""


@runtime_checkable
class ManagesOnServers(Protocol):
    """The backend can manage and unmanage what is on a share server (with `driver_handles_share_servers`).

    The methods are those of `ShareDriver` without `_with_server`, as in Manila. The checks of `ShareDriver`
    find the server in `share.share_server_id`, or in that of the snapshot's share.
    """

    def manage_existing_with_server(
        self, share: Share, driver_options: Mapping[str, Any], share_server: Any = None
    ) -> dict[str, Any]:
        """Adopt an existing share of *share_server*, which is set up, as *share*; return `{"size": GiB}`."""

    def unmanage_with_server(self, share: Share, share_server: Any = None) -> None:
        """Stop managing *share*; its data stay on *share_server*, and no client reaches them."""

    def manage_existing_snapshot_with_server(
        self, snapshot: Snapshot, driver_options: Mapping[str, Any], share_server: Any = None
    ) -> dict[str, Any]:
        """Adopt the existing snapshot at `snapshot.provider_location` on *share_server*."""

    def unmanage_snapshot_with_server(self, snapshot: Snapshot, share_server: Any = None) -> None:
        """Stop managing *snapshot*; its data stay on *share_server*."""


@runtime_checkable
class ListsObjects(Protocol):
    """The backend can tell what is on it."""

    def list_backend(self, context: RequestContext) -> Sequence[BackendObject]:
        """Every share and snapshot on the backend, also those that nobody asked this system for.

        Raises `NotSupported` if the backend cannot tell as it is configured.
        """


@runtime_checkable
class MeasuresUsage(Protocol):
    """The backend can tell how much of each share is used."""

    def get_share_usage(self, shares: Sequence[Share]) -> Mapping[str, int]:
        """The bytes that each share uses, by its id; without those that are not on the backend."""


@runtime_checkable
class ReportsClients(Protocol):
    """The backend can tell who is connected to a share."""

    def get_share_clients(self, share: Share) -> Sequence[ShareClient]:
        """The clients that are connected to *share* now; none if it is not on the backend."""


@runtime_checkable
class StatesRequirements(Protocol):
    """The driver can tell what its backend requires of this machine: `share-actors doctor` shows it."""

    def requirements(self) -> Sequence[Requirement]:
        """Each requirement and whether it is met; asked before `do_setup`, of a backend that may not exist.

        Reads this machine, starts and changes nothing, and does not contact the backend.
        """


@runtime_checkable
class FindsStrays(Protocol):
    """The backend can tell what of it is left on this machine: `share-actors doctor --strays` shows it."""

    def strays(self, *, delete: bool = False) -> Sequence[str]:
        """What has the backend's names and belongs to nothing that it knows, one line each.

        With *delete* all of that is deleted, with the processes in it. Raises `DriverError`.
        """
