"""The share methods of drivers with share servers: each server has a driver of its own for its shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from share_actors.drivers.abilities import Reverts
from share_actors.drivers.base import (
    CALLS_ON_THIS_MACHINE,
    Exports,
    ManageInvalidShare,
    ProbeResult,
    ShareDriver,
)
from share_actors.drivers.rule_updates import RuleUpdates
from share_actors.values import AccessRule, RequestContext, Share, Snapshot


class SharesOnServers(ShareDriver):
    """Base of drivers whose share servers each have a driver, one that can revert, for their shares.

    It has the abilities `Reverts` and `ManagesOnServers`.
    """

    public_manage_options = frozenset({"path", "snapshot"})
    calls_at_once = CALLS_ON_THIS_MACHINE

    def _on(self, share_server: Any) -> ShareDriver:
        """The driver of the shares on *share_server*; raises `DriverError` unless the server is set up."""
        raise NotImplementedError

    def create_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        """Create *share* on its server; as for the methods below, see the driver of the server."""
        return self._on(share_server).create_share(context, share)

    def create_share_from_snapshot(
        self, context: RequestContext, share: Share, snapshot: Snapshot, share_server: Any = None
    ) -> Exports:
        """Create *share* on its server with the contents of *snapshot*."""
        return self._on(share_server).create_share_from_snapshot(context, share, snapshot)

    def delete_share(self, context: RequestContext, share: Share, share_server: Any = None) -> None:
        """Delete *share* from its server."""
        self._on(share_server).delete_share(context, share)

    def extend_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        """Extend *share* on its server to `new_size` GiB."""
        self._on(share_server).extend_share(context, share, new_size)

    def shrink_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        """Shrink *share* on its server to `new_size` GiB."""
        self._on(share_server).shrink_share(context, share, new_size)

    def ensure_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports | None:
        """Make sure that *share* is exported by its server."""
        return self._on(share_server).ensure_share(context, share)

    def probe_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> ProbeResult | None:
        """Report what exists of *share* on its server."""
        return self._on(share_server).probe_share(context, share)

    def create_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> str | None:
        """Take the snapshot on the server of its share; return its provider location."""
        return self._on(share_server).create_snapshot(context, snapshot)

    def delete_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> None:
        """Delete the snapshot from the server of its share."""
        self._on(share_server).delete_snapshot(context, snapshot)

    def revert_to_snapshot(
        self, context: RequestContext, share: Share, snapshot: Snapshot, share_server: Any = None
    ) -> bool:
        """Put *share* back to the state of *snapshot*; returns whether clients must mount again."""
        driver = self._on(share_server)
        assert isinstance(driver, Reverts)
        return driver.revert_to_snapshot(context, share, snapshot)

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
        """Apply exactly *access_rules* on the server of the share."""
        return self._on(share_server).update_access(
            context, share, access_rules, add_rules, delete_rules, update_rules
        )

    def allow_access(
        self, context: RequestContext, share: Share, access: AccessRule, share_server: Any = None
    ) -> None:
        """Add the rule *access* to the others."""
        self._on(share_server).allow_access(context, share, access)

    def deny_access(
        self, context: RequestContext, share: Share, access: AccessRule, share_server: Any = None
    ) -> None:
        """Remove the rule *access*."""
        self._on(share_server).deny_access(context, share, access)

    def access_warnings(
        self, share: Share, access_rules: Sequence[AccessRule], share_server: Any = None
    ) -> Mapping[str, str]:
        """Which of *access_rules* cannot work, as the driver of the server tells."""
        return self._on(share_server).access_warnings(share, access_rules)

    # -- manage and unmanage -------------------------------------------------------------------
    def manage_existing_with_server(
        self, share: Share, driver_options: Mapping[str, Any], share_server: Any = None
    ) -> dict[str, Any]:
        """Adopt what its server has as *share*, as the driver of the server does."""
        return self._on(share_server).manage_existing(share, driver_options)

    def preview_manage(self, share: Share, driver_options: Mapping[str, Any]) -> dict[str, Any]:
        """What would be adopted on the server that *share* names."""
        return self._of(share).preview_manage(share, driver_options)

    def check_manage(self, share: Share, driver_options: Mapping[str, Any]) -> None:
        """Raise `ManageInvalidShare` for what its server could never adopt."""
        self._of(share).check_manage(share, driver_options)

    def unmanage_with_server(self, share: Share, share_server: Any = None) -> None:
        """Withdraw *share* from its clients; its data stay on its server."""
        self._on(share_server).unmanage(share)

    def manage_existing_snapshot_with_server(
        self, snapshot: Snapshot, driver_options: Mapping[str, Any], share_server: Any = None
    ) -> dict[str, Any]:
        """Adopt what the server of its share has as *snapshot*."""
        return self._on(share_server).manage_existing_snapshot(snapshot, driver_options)

    def check_manage_snapshot(self, snapshot: Snapshot, driver_options: Mapping[str, Any]) -> None:
        """Raise `ManageInvalidShare` for what the server of its share could never adopt."""
        if snapshot.share is not None:
            self._of(snapshot.share).check_manage_snapshot(snapshot, driver_options)

    def unmanage_snapshot_with_server(self, snapshot: Snapshot, share_server: Any = None) -> None:
        """Leave the snapshot on the server of its share."""
        self._on(share_server).unmanage_snapshot(snapshot)

    def _of(self, share: Share) -> ShareDriver:
        """The driver of the server that *share* names; raises `ManageInvalidShare` if it names none."""
        if share.share_server_id is None:
            raise ManageInvalidShare(
                f"backend {self.backend_name} handles share servers: give the share_server_id of the one"
                " that has the data"
            )
        return self._on({"id": share.share_server_id})
