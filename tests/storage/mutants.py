"""Drivers with one fault each that a client sees, and which tests of `ClientContract` must see it.

A mutant is a driver class after one of these: `class EmptyClones(mutants.EmptyClones, MyDriver)`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any, NamedTuple
from uuid import uuid4

from share_actors.drivers.base import Exports, ProbeResult, RuleUpdates, ShareDriver
from share_actors.values import AccessRule, RequestContext, Share, Snapshot


class Seen(NamedTuple):
    """How the contract sees a fault."""

    test: str
    """The name of the test that fails."""
    reason: str
    """A regular expression that the message of its failure matches."""


LET_IN = r"DID NOT RAISE"
"""A client got in, or could write, that should not."""
SHUT_OUT = r"visits\.(Refused|Gone)"
EMPTY = r"assert \[\] == \['a'\]"
SEEN: Mapping[str, Seen] = {
    "RulesOnFileOnly": Seen(
        "test_an_allowed_client_is_in_when_the_call_returns_and_the_other_is_not", SHUT_OUT
    ),
    "EmptiedListUnheard": Seen("test_an_emptied_list_of_rules_lets_nobody_in", LET_IN),
    "WidestFirst": Seen(
        "test_the_more_specific_rule_counts_whatever_the_order[wide first]", r"visits\.ReadOnly"
    ),
    "LimitOnlyANumber": Seen("test_a_full_share_takes_no_more_until_it_is_extended", LET_IN),
    "EmptyClones": Seen("test_a_clone_has_the_content_and_none_of_the_rules", EMPTY),
    "EmptySnapshots": Seen("test_a_snapshot_keeps_the_content_of_its_moment", EMPTY),
    "EveryoneLetIn": Seen("test_nobody_is_let_in_before_a_rule", LET_IN),
    "Beneath": Seen("test_a_clone_has_the_content_and_none_of_the_rules", EMPTY),
}
"""By the name of the mutant's class, which is that of its fault."""


class RulesOnFileOnly(ShareDriver):
    """Reports that rules are applied, and tells the server nothing."""

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
        return {}


class EmptiedListUnheard(ShareDriver):
    """Applies every list of rules but the empty one."""

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
        if not access_rules:
            return {}
        return super().update_access(context, share, access_rules, add_rules, delete_rules) or {}


class WidestFirst(ShareDriver):
    """Lets the widest network that has a client's address decide."""

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
        rules = [_as_the_widest(rule, access_rules) for rule in access_rules]
        return super().update_access(context, share, rules, rules, delete_rules) or {}


def _as_the_widest(rule: AccessRule, rules: Sequence[AccessRule]) -> AccessRule:
    own = ip_network(rule.access_to)
    around = [other for other in rules if own.subnet_of(ip_network(other.access_to))]  # type: ignore[arg-type]
    widest = min(around, key=lambda other: ip_network(other.access_to).prefixlen)
    return rule.replace(access_level=widest.access_level)


class LimitOnlyANumber(ShareDriver):
    """Reports the size that a share was given, and lets clients write much more."""

    def create_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        return super().create_share(context, share.replace(size=share.size + 100))

    def probe_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> ProbeResult | None:
        result = super().probe_share(context, share)
        return result and result.replace(size=share.size)


class EmptyClones(ShareDriver):
    """Creates an empty share from a snapshot."""

    def create_share_from_snapshot(
        self, context: RequestContext, share: Share, snapshot: Snapshot, share_server: Any = None
    ) -> Exports:
        return self.create_share(context, share)


class EveryoneLetIn(ShareDriver):
    """Applies a rule for all addresses beside those that were requested."""

    def create_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        exports = super().create_share(context, share)
        self.update_access(context, share, (), (), ())
        return exports

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
        world = AccessRule(id=str(uuid4()), access_type="ip", access_to="0.0.0.0/0")
        rules = [*access_rules, world]
        added = [*add_rules, world]
        return super().update_access(context, share, rules, added, delete_rules) or {}
