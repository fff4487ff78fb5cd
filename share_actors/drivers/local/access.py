"""Access rules of the driver `local`: POSIX ACLs for users and groups of this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from share_actors.drivers.base import DriverError, TransientError
from share_actors.drivers.filesystem import acl
from share_actors.drivers.filesystem.reach import advice, barrier, parents_from_top
from share_actors.drivers.local.base import LocalBase
from share_actors.drivers.rule_updates import RuleUpdates
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

        A user named by two rules gets the permissions of both. A rule for a user counts before rules for the
        groups of that user; of several groups the most permissive rule counts.
        """
        grants: dict[acl.Principal, int] = {}
        failed: dict[str, str] = {}
        for rule in access_rules:
            try:
                principal, permissions = acl.granted_by(rule)
                grants[principal] = grants.get(principal, 0) | permissions
            except DriverError as error:
                failed[rule.id] = str(error)
        self._change_grants(context, share, lambda _: grants)
        return failed

    def allow_access(
        self, context: RequestContext, share: Share, access: AccessRule, share_server: Any = None
    ) -> None:
        """Add the rule *access* to the others; raises `UnsupportedAccess` if its type is not `user`."""
        principal, permissions = acl.granted_by(access)
        self._change_grants(context, share, lambda old: {**old, principal: permissions})

    def deny_access(
        self, context: RequestContext, share: Share, access: AccessRule, share_server: Any = None
    ) -> None:
        """Remove the rule *access*; a rule for a user that does not exist was never applied."""
        try:
            denied, _ = acl.granted_by(access)
        except DriverError:
            return
        self._change_grants(context, share, lambda old: {p: old[p] for p in old if p != denied})

    def access_warnings(
        self, share: Share, access_rules: Sequence[AccessRule], share_server: Any = None
    ) -> dict[str, str]:
        """The rules for users and groups that cannot pass through a directory above the share."""
        above = parents_from_top(self._layout.path("shares", share.id))
        warnings: dict[str, str] = {}
        for rule in access_rules:
            with suppress(DriverError, OSError):
                closed = barrier(acl.granted_by(rule)[0], above)
                if closed is not None:
                    warnings[rule.id] = f"{rule.access_to} cannot pass through {advice(closed)}"
        return warnings

    def _change_grants(
        self,
        context: RequestContext,
        share: Share,
        change: Callable[[acl.Grants], acl.Grants],
    ) -> None:
        """Set the grants that *change* makes of those there are, and verify them."""
        with self._share_lock("set access of share", share.id, context) as fence:
            if not self._layout.exists("shares", share.id) and not change({}):
                return
            self._must_exist("shares", share.id)
            with self._layout.folder("shares", share.id) as fd:
                grants = change(acl.grants_of(fd))
                self._set_grants(share.id, fd, grants, fence)
                if acl.grants_of(fd) != grants:
                    raise TransientError(f"the access of share {share.id} was changed meanwhile")
