"""The part of `ClientContract` about access rules: who gets in, who may write, who is out at once."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from share_actors.drivers.base import ShareDriver
from share_actors.testing.contracts.base import CONTEXT
from share_actors.testing.contracts.client.base import OUT, ClientBase, ServedShare
from share_actors.testing.visits import Mount, ReadOnly
from share_actors.values import AccessLevel


class ClientAccessContract(ClientBase):
    """The rules are in force for clients when the call that applies them returns."""

    def test_nobody_is_let_in_before_a_rule(self, served: ServedShare, visit: Mount) -> None:
        for client in self.clients:
            with pytest.raises(OUT):
                visit(served.export, client)

    def test_an_allowed_client_is_in_when_the_call_returns_and_the_other_is_not(
        self, served: ServedShare, visit: Mount
    ) -> None:
        served.allow((self.one, "rw"))

        mounted = visit(served.export, self.one)
        mounted.write("a", b"written")
        assert mounted.read("a") == b"written"
        with pytest.raises(OUT):
            visit(served.export, self.two)

    def test_a_client_with_ro_reads_and_does_not_write(
        self, driver: ShareDriver, served: ServedShare, visit: Mount
    ) -> None:
        self.needs_level(driver, "ro")
        served.allow((self.one, "rw"), (self.two, "ro"))
        visit(served.export, self.one).write("a", b"written")

        reader = visit(served.export, self.two)

        assert reader.read("a") == b"written"
        for name in ("a", "new"):
            with pytest.raises(ReadOnly):
                reader.write(name, b"not allowed")

    def test_a_denied_client_is_out_at_once_and_the_other_goes_on(
        self, served: ServedShare, visit: Mount
    ) -> None:
        served.allow((self.one, "rw"), (self.two, "rw"))
        denied, other = (visit(served.export, client) for client in self.clients)
        denied.write("a", b"1")
        file = other.hold("b")

        served.allow((self.two, "rw"))

        for call in (denied.names, lambda: denied.write("a", b"2"), lambda: denied.read("a")):
            with pytest.raises(OUT):
                call()
        with pytest.raises(OUT):
            visit(served.export, self.one)
        file.write(b"goes on")
        assert other.read("b") == b"goes on"

    def test_a_denied_client_cannot_write_to_a_file_that_it_holds_open(
        self, served: ServedShare, visit: Mount
    ) -> None:
        self.needs_revoked_files()
        served.allow((self.one, "rw"), (self.two, "rw"))
        file = visit(served.export, self.one).hold("a")
        file.write(b"before")

        served.allow((self.two, "rw"))

        with pytest.raises(OUT):
            file.write(b"after!")
        assert visit(served.export, self.two).read("a") == b"before"

    def test_a_change_from_rw_to_ro_reaches_a_mounted_client(
        self, driver: ShareDriver, served: ServedShare, visit: Mount
    ) -> None:
        self.needs_level(driver, "ro")
        served.allow((self.one, "rw"))
        mounted = visit(served.export, self.one)
        mounted.write("a", b"1")

        served.allow((self.one, "ro"))

        with pytest.raises((ReadOnly, *OUT)):
            mounted.write("b", b"2")
        assert visit(served.export, self.one).names() == ["a"]

    def test_a_change_from_rw_to_ro_reaches_an_open_file(
        self, driver: ShareDriver, served: ServedShare, visit: Mount
    ) -> None:
        self.needs_level(driver, "ro")
        self.needs_revoked_files()
        served.allow((self.one, "rw"))
        file = visit(served.export, self.one).hold("a")
        file.write(b"before")

        served.allow((self.one, "ro"))

        with pytest.raises((ReadOnly, *OUT)):
            file.write(b"after!")
        assert visit(served.export, self.one).read("a") == b"before"

    def test_an_emptied_list_of_rules_lets_nobody_in(
        self, served: ServedShare, visit: Mount
    ) -> None:
        served.allow((self.one, "rw"), (self.two, "rw"))
        mounted = visit(served.export, self.one)
        mounted.write("a", b"1")

        served.allow()

        with pytest.raises(OUT):
            mounted.read("a")
        for client in self.clients:
            with pytest.raises(OUT):
                visit(served.export, client)

    def test_a_client_with_two_rules_has_access_until_both_are_gone(
        self, driver: ShareDriver, served: ServedShare, visit: Mount
    ) -> None:
        rules = [served.rule(self.one, "rw") for _ in range(2)]
        refused = driver.update_access(CONTEXT, served.share, rules, rules, ()) or {}
        applied = [rule for rule in rules if rule.id not in refused]

        while applied:
            visit(served.export, self.one).write("a", b"1")
            denied = applied.pop()
            assert not driver.update_access(CONTEXT, served.share, applied, (), [denied])

        assert len(refused) < 2, f"both rules were refused: {refused}"
        with pytest.raises(OUT):
            visit(served.export, self.one)

    def test_the_last_of_many_rules_is_in_force(self, served: ServedShare, visit: Mount) -> None:
        others = [(client, _level(n)) for n, client in enumerate(self._many_clients())]

        served.allow(*others, (self.one, "rw"))

        visit(served.export, self.one).write("a", b"1")
        with pytest.raises(OUT):
            visit(served.export, self.two)

    def _many_clients(self) -> list[str]:
        """Clients other than `clients`, one fewer than `most_rules`."""
        count = self.most_rules - 1
        if self.access_type == "ip":
            first = ip_address("198.18.0.1" if "." in self.one else "2001:db8::1")
            return [str(first + 2 * n) for n in range(count)]  # no two of them are one network
        numbered = [str(20_000 + n) for n in range(count)]
        return numbered if self.access_type == "user" else [f"client-{n}" for n in numbered]


def _level(n: int) -> AccessLevel:
    return "rw" if n % 2 else "ro"
