"""Access rules of the driver `dummy`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from share_actors.drivers.base import UnsupportedAccess
from share_actors.drivers.dummy.base import DummyBase
from share_actors.drivers.rule_updates import RuleUpdates
from share_actors.values import AccessRule, RequestContext, Share


class DummyAccess(DummyBase):
    """The access methods of `DummyDriver`."""

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
        checked = add_rules if add_rules or delete_rules else access_rules
        with self._changing("update_access", context, share.id):
            failed = {r.id: reason for r in checked if (reason := self._refusal_reason(r))}
            if self._backend is not None:
                self._set_rules(share, [rule for rule in access_rules if rule.id not in failed])
        return failed

    def allow_access(
        self, context: RequestContext, share: Share, access: AccessRule, share_server: Any = None
    ) -> None:
        """Add a rule; raises `UnsupportedAccess` for a rule that cannot be applied."""
        with self._changing("allow_access", context, share.id):
            if reason := self._refusal_reason(access):
                raise UnsupportedAccess(reason)
            if self._backend is not None:
                rules = {**self._backend.rules(share.id), access.id: rule_record(access)}
                self._backend.change_share(share.id, rules=rules)

    def deny_access(
        self, context: RequestContext, share: Share, access: AccessRule, share_server: Any = None
    ) -> None:
        """Remove a rule, if the share and the rule exist."""
        with self._changing("deny_access", context, share.id):
            if self._backend is not None and share.id in self._backend.shares():
                rules = self._backend.rules(share.id)
                rules.pop(access.id, None)
                self._backend.change_share(share.id, rules=rules)

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
                share.id, rules={rule.id: rule_record(rule) for rule in rules}
            )


def rule_record(rule: AccessRule) -> dict[str, str]:
    """A rule as it is recorded."""
    return {
        "access_type": rule.access_type,
        "access_to": rule.access_to,
        "access_level": rule.access_level,
    }
