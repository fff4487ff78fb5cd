"""The part of `DriverContract` about lists of rules that are unusual, and yet requested by users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_address, ip_network
from uuid import uuid4

import pytest

from share_actors.drivers.base import RefusedByBackend, ShareDriver
from share_actors.testing.contracts.base import CONTEXT, ContractBase
from share_actors.testing.contracts.expectations import holds, keeps, nothing, one_of, same
from share_actors.testing.contracts.probe import clients
from share_actors.values import AccessLevel, AccessRule, AccessType, Share

NETWORKS: dict[str, Sequence[tuple[str, AccessLevel]]] = {
    "overlapping": (("10.0.0.0/8", "ro"), ("10.1.2.3", "ro"), ("10.1.0.0/16", "rw")),
    "all addresses": (("0.0.0.0/0", "ro"), ("::/0", "ro")),
    "IPv6": (("2001:db8::2", "rw"), ("2001:db8:1::/64", "ro")),
    "one client twice": (("10.1.2.3", "rw"), ("10.1.2.3", "ro")),
    "one client by two names": (("10.1.2.3/32", "rw"), ("10.1.2.3", "ro")),
}
"""Lists of clients of the type `ip`, with their levels."""


MANY: dict[AccessType, Callable[[int], str]] = {
    "ip": lambda n: str(ip_address("10.2.0.0") + 2 * n),
    "user": lambda n: str(20_000 + n),
    "cert": lambda n: f"client-{n}",
    "cephx": lambda n: f"client-{n}",
}
"""The nth of many clients, for each type of rules."""


class RulesContract(ContractBase):
    """Each rule of a list is accepted, or refused with a reason; whatever is refused, the others apply."""

    @pytest.mark.parametrize("case", NETWORKS)
    @keeps("rules-one-by-one")
    def test_unusual_rules_for_addresses_are_accepted_or_refused_one_by_one(
        self, driver: ShareDriver, share: Share, case: str
    ) -> None:
        driver.create_share(CONTEXT, share)
        rules = [_rule("ip", client, level) for client, level in NETWORKS[case]]

        refused = self._apply(driver, share, [*self.rules(driver), *rules])

        if "ip" not in driver.rule_types():
            same(
                refused, {rule.id for rule in rules}, "the rules refused, of the undeclared type ip"
            )

    @keeps("rules-one-by-one")
    def test_500_rules_are_accepted_or_refused_one_by_one_or_refused_without_a_change(
        self, driver: ShareDriver, share: Share
    ) -> None:
        driver.create_share(CONTEXT, share)
        few = self.rules(driver)
        nothing(driver.update_access(CONTEXT, share, few, few, ()), "the rules refused, of a few")
        before = self.state_of(driver, share)
        kinds = [kind for kind in MANY if kind in driver.rule_types()]
        rules = [_rule(kind, MANY[kind](n), "rw") for kind in kinds for n in range(500)]

        try:
            self._apply(driver, share, [*few, *rules])
        except RefusedByBackend:
            same(self.state_of(driver, share), before, "the state after 500 rules were refused")

    @keeps("rules-one-by-one")
    def test_two_rules_for_one_client_are_accepted_or_refused_one_by_one(
        self, driver: ShareDriver, share: Share
    ) -> None:
        driver.create_share(CONTEXT, share)
        once = self.rules(driver)
        twice = [rule.replace(id=str(uuid4()), access_level="ro") for rule in once]

        refused = self._apply(driver, share, [*once, *twice])

        what = "the number of refused rules, of two for each client"
        holds(len(refused) <= len(twice), what, f"at most {len(twice)}", len(refused))

    @keeps("rules-as-asked")
    def test_one_of_two_rules_for_one_client_can_be_denied(
        self, driver: ShareDriver, share: Share
    ) -> None:
        driver.create_share(CONTEXT, share)
        first = self.rules(driver)[0]
        second = first.replace(id=str(uuid4()))
        refused = driver.update_access(CONTEXT, share, [first, second], [first, second], ()) or {}
        kept, *denied = [rule for rule in (second, first) if rule.id not in refused]

        nothing(driver.update_access(CONTEXT, share, [kept], (), denied), "the denials that failed")

        result = driver.probe_share(CONTEXT, share)
        access = result and result.access
        one_of(access, (None, clients([kept])), "the access after one of two rules was denied")

    def _apply(self, driver: ShareDriver, share: Share, rules: Sequence[AccessRule]) -> set[str]:
        """Apply *rules*, twice, and then none of them; returns the ids of those that were refused."""
        results = [driver.update_access(CONTEXT, share, rules, rules, ()) or {} for _ in range(2)]
        refused = results[0]
        accepted = [rule for rule in rules if rule.id not in refused]
        probed = driver.probe_share(CONTEXT, share)
        failed = driver.update_access(CONTEXT, share, (), (), accepted)
        emptied = driver.probe_share(CONTEXT, share)

        nothing(failed, "the denials that failed")
        same(set(results[1]), set(refused), "the rules refused by the second of two equal calls")
        unknown = set(refused) - {rule.id for rule in rules}
        nothing(unknown, "the refused ids that were not in the list")
        silent = [i for i, reason in refused.items() if not reason]
        nothing(silent, "the rules that were refused without a reason")
        if probed and probed.access is not None:
            nothing(probed.access - clients(accepted), "the access that no accepted rule gives")
            have = _named(probed.access)
            same(have, _named(clients(accepted)), "the clients with access, of accepted rules")
        nothing(emptied and emptied.access, "the access after all rules were denied")
        return set(refused)


def _named(access: frozenset[tuple[str, str, str]]) -> set[tuple[str, object]]:
    """The clients of *access* without their levels; an address has several names."""
    return {(kind, ip_network(to) if kind == "ip" else to) for kind, to, _ in access}


def _rule(kind: str, client: str, level: AccessLevel) -> AccessRule:
    return AccessRule(id=str(uuid4()), access_type=kind, access_to=client, access_level=level)
