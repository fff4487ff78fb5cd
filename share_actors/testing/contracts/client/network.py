"""The part of `ClientContract` about rules for networks: which of several rules counts for a client."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from share_actors.testing.contracts.base import CONTEXT
from share_actors.testing.contracts.client.base import OUT, ClientBase, ServedShare
from share_actors.testing.visits import Mount, ReadOnly


class ClientNetworkContract(ClientBase):
    """Of all rules that name a client's address, the most specific one counts."""

    @pytest.mark.parametrize("order", [1, -1], ids=["wide first", "narrow first"])
    def test_the_more_specific_rule_counts_whatever_the_order(
        self, served: ServedShare, visit: Mount, order: int
    ) -> None:
        rules = [served.rule(self.network(), "ro"), served.rule(self.one, "rw")][::order]

        served.apply(rules)

        visit(served.export, self.one).write("a", b"1")
        other = visit(served.export, self.two)
        assert other.read("a") == b"1"
        with pytest.raises(ReadOnly):
            other.write("b", b"1")

    def test_of_overlapping_rules_the_narrowest_that_is_left_counts(
        self, served: ServedShare, visit: Mount
    ) -> None:
        narrow, middle, wide = (
            served.rule(self.one, "rw"),
            served.rule(self.network(), "ro"),
            served.rule(self.network(wider=4), "rw"),
        )
        served.apply([wide, narrow, middle])
        visit(served.export, self.one).write("a", b"1")
        served.apply([wide, middle])
        with pytest.raises(ReadOnly):
            visit(served.export, self.one).write("a", b"2")
        served.apply([wide])

        visit(served.export, self.one).write("a", b"3")
        visit(served.export, self.two).write("a", b"4")

    def test_a_narrow_rule_that_is_denied_leaves_the_client_out(
        self, served: ServedShare, visit: Mount
    ) -> None:
        half = ip_network(self.network()).prefixlen + 1
        own = str(ip_network((self.one, half), strict=False))
        rules = [served.rule(own, "rw"), served.rule("198.51.100.0/24", "rw")]
        served.apply(rules)
        mounted = visit(served.export, self.one)
        mounted.write("a", b"1")

        served.apply(rules[1:])

        with pytest.raises(OUT):
            mounted.read("a")

    def test_a_rule_for_all_addresses_lets_every_client_in(
        self, served: ServedShare, visit: Mount
    ) -> None:
        self.network()  # skips without networks
        served.allow(("0.0.0.0/0" if "." in self.one else "::/0", "rw"))

        visit(served.export, self.one).write("a", b"1")
        assert visit(served.export, self.two).read("a") == b"1"

    def test_an_address_counts_before_a_rule_for_all_addresses(
        self, served: ServedShare, visit: Mount
    ) -> None:
        self.network()
        served.allow(("0.0.0.0/0" if "." in self.one else "::/0", "ro"), (self.one, "rw"))

        visit(served.export, self.one).write("a", b"1")
        with pytest.raises(ReadOnly):
            visit(served.export, self.two).write("b", b"1")

    def test_rules_for_ipv6_let_in_the_clients_that_they_name(
        self, served: ServedShare, visit: Mount
    ) -> None:
        one, two = self._ipv6()
        served.allow((one, "rw"))
        mounted = visit(served.export, one)
        mounted.write("a", b"1")
        with pytest.raises(OUT):
            visit(served.export, two)
        served.allow((f"{two}/128", "rw"), (self.one, "rw"))

        with pytest.raises(OUT):
            mounted.read("a")
        assert visit(served.export, two).read("a") == visit(served.export, self.one).read("a")

    @pytest.mark.parametrize("length", [96, 112, 120, 127])
    def test_a_rule_for_a_small_ipv6_network_is_in_force_unless_it_is_refused(
        self, served: ServedShare, visit: Mount, length: int
    ) -> None:
        client = self.one if ":" in self.one else self._ipv6()[0]
        rule = served.rule(str(ip_network((client, length), strict=False)), "rw")
        refused = served.driver.update_access(CONTEXT, served.share, [rule], [rule], ()) or {}

        if refused:
            assert refused.keys() == {rule.id}
            with pytest.raises(OUT):
                visit(served.export, client)
        else:
            visit(served.export, client).write("a", b"1")

    def _ipv6(self) -> tuple[str, str]:
        if self.ipv6_clients is None:
            pytest.skip("the driver serves no second family of addresses (`ipv6_clients` is None)")
        return self.ipv6_clients
