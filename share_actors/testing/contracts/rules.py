"""The part of `DriverContract` about lists of rules that are unusual, and yet requested by users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_address, ip_network
from uuid import uuid4

import pytest

from share_actors.drivers.base import RefusedByBackend, ShareDriver
from share_actors.testing.contracts.base import CONTEXT, ContractBase
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
    def test_unusual_rules_for_addresses_are_accepted_or_refused_one_by_one(
        self, driver: ShareDriver, share: Share, case: str
    ) -> None:
        driver.create_share(CONTEXT, share)
        rules = [_rule("ip", client, level) for client, level in NETWORKS[case]]

        refused = self._apply(driver, share, [*self.rules(driver), *rules])

        assert "ip" in driver.rule_types() or refused == {rule.id for rule in rules}

    def test_500_rules_are_accepted_or_refused_one_by_one_or_refused_without_a_change(
        self, driver: ShareDriver, share: Share
    ) -> None:
        driver.create_share(CONTEXT, share)
        few = self.rules(driver)
        assert not driver.update_access(CONTEXT, share, few, few, ())
        before = self.state_of(driver, share)
        kinds = [kind for kind in MANY if kind in driver.rule_types()]
        rules = [_rule(kind, MANY[kind](n), "rw") for kind in kinds for n in range(500)]

        try:
            self._apply(driver, share, [*few, *rules])
        except RefusedByBackend:
            assert self.state_of(driver, share) == before

    def test_two_rules_for_one_client_are_accepted_or_refused_one_by_one(
        self, driver: ShareDriver, share: Share
    ) -> None:
        driver.create_share(CONTEXT, share)
        once = self.rules(driver)
        twice = [rule.replace(id=str(uuid4()), access_level="ro") for rule in once]

        refused = self._apply(driver, share, [*once, *twice])

        assert len(refused) <= len(twice), "a client with two rules has none of them"

    def test_one_of_two_rules_for_one_client_can_be_denied(
        self, driver: ShareDriver, share: Share
    ) -> None:
        driver.create_share(CONTEXT, share)
        first = self.rules(driver)[0]
        second = first.replace(id=str(uuid4()))
        refused = driver.update_access(CONTEXT, share, [first, second], [first, second], ()) or {}
        kept, *denied = [rule for rule in (second, first) if rule.id not in refused]

        assert not driver.update_access(CONTEXT, share, [kept], (), denied)

        result = driver.probe_share(CONTEXT, share)
        assert result is None or result.access in (None, clients([kept]))

    def _apply(self, driver: ShareDriver, share: Share, rules: Sequence[AccessRule]) -> set[str]:
        """Apply *rules*, twice, and then none of them; returns the ids of those that were refused."""
        results = [driver.update_access(CONTEXT, share, rules, rules, ()) or {} for _ in range(2)]
        refused = results[0]
        accepted = [rule for rule in rules if rule.id not in refused]
        probed = driver.probe_share(CONTEXT, share)
        assert not driver.update_access(CONTEXT, share, (), (), accepted)
        emptied = driver.probe_share(CONTEXT, share)

        assert set(refused) == set(results[1]) <= {rule.id for rule in rules}
        assert all(refused.values()), "a rule is refused without a reason"
        if probed and probed.access is not None:
            assert probed.access <= clients(accepted)
            assert _named(probed.access) == _named(clients(accepted))
        assert emptied is None or not emptied.access
        return set(refused)


def _named(access: frozenset[tuple[str, str, str]]) -> set[tuple[str, object]]:
    """The clients of *access* without their levels; an address has several names."""
    return {(kind, ip_network(to) if kind == "ip" else to) for kind, to, _ in access}


def _rule(kind: str, client: str, level: AccessLevel) -> AccessRule:
    return AccessRule(id=str(uuid4()), access_type=kind, access_to=client, access_level=level)
