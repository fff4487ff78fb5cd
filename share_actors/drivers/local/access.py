"""Access rules of the driver `local`: POSIX ACLs for users and groups of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from share_actors.drivers.base import DriverError, RuleUpdates
from share_actors.drivers.filesystem import acl
from share_actors.drivers.local.base import LocalBase
from share_actors.values import AccessRule, RequestContext, Share


class LocalAccess(LocalBase):
    """The access methods of `LocalDriver`."""

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
        """Grant exactly *access_rules* on all content of the share; the other lists are not needed.

        A user named by two rules gets the permissions of both.
        """
        grants: dict[acl.Principal, int] = {}
        failed: dict[str, str] = {}
        for rule in access_rules:
            try:
                principal, permissions = acl.granted_by(rule)
                grants[principal] = grants.get(principal, 0) | permissions
            except DriverError as error:
                failed[rule.id] = str(error)
        self._set_grants(share, grants)
        return failed

    def allow_access(
        self, context: RequestContext, share: Share, access: AccessRule, share_server: Any = None
    ) -> None:
        """Add the rule *access* to the others; raises `UnsupportedAccess` if its type is not `user`."""
        principal, permissions = acl.granted_by(access)
        self._set_grants(share, {**self._grants(share), principal: permissions})

    def deny_access(
        self, context: RequestContext, share: Share, access: AccessRule, share_server: Any = None
    ) -> None:
        """Remove the rule *access*; a rule for a user that does not exist was never applied."""
        try:
            denied, _ = acl.granted_by(access)
        except DriverError:
            return
        grants = self._grants(share)
        self._set_grants(share, {p: grants[p] for p in grants if p != denied})

    def _set_grants(self, share: Share, grants: acl.Grants) -> None:
        with self._share_lock("set access of share", share.id):
            if grants or self._layout.exists("shares", share.id):
                self._must_exist("shares", share.id)
                with self._layout.folder("shares", share.id) as fd:
                    acl.set_grants(fd, grants)

    def _grants(self, share: Share) -> dict[acl.Principal, int]:
        with self._share_lock("read access of share", share.id):
            if not self._layout.exists("shares", share.id):
                return {}
            with self._layout.folder("shares", share.id) as fd:
                return acl.grants_of(fd)
