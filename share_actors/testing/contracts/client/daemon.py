"""The part of `ClientContract` about daemons that serve shares: killed, down, started again."""

from __future__ import annotations

from contextlib import suppress

import pytest

from share_actors.drivers.abilities import RunsDaemons
from share_actors.drivers.base import ShareDriver, TransientError
from share_actors.testing.contracts.base import CONTEXT, new_share
from share_actors.testing.contracts.client.base import OUT, ClientBase, ServedShare
from share_actors.testing.visits import Mount, ReadOnly
from share_actors.values import AccessLevel


class ClientDaemonContract(ClientBase):
    """A daemon that comes back serves the same shares by the rules that were applied last."""

    def kill_daemon(self, driver: ShareDriver) -> None:
        """Kill what serves the shares, and wait for its end; override it for a driver with daemons."""
        if isinstance(driver, RunsDaemons):
            pytest.fail("the driver runs daemons: override `kill_daemon`")
        pytest.skip("no daemon serves the shares (`kill_daemon` is not overridden)")

    def restart_daemon(self, driver: ShareDriver) -> None:
        """Start it again, and wait until clients are served; override it unless `start_backend` does that."""
        if not isinstance(driver, RunsDaemons):
            pytest.fail("`kill_daemon` is overridden: override `restart_daemon` too")
        driver.start_backend(CONTEXT)

    def test_a_killed_daemon_comes_back_with_the_same_rules_and_files(
        self, driver: ShareDriver, served: ServedShare, visit: Mount
    ) -> None:
        served.allow((self.one, "rw"))
        visit(served.export, self.one).write("a", b"1")

        self.kill_daemon(driver)
        self.restart_daemon(driver)

        mounted = visit(served.export, self.one)
        assert mounted.read("a") == b"1"
        mounted.write("b", b"1")
        with pytest.raises(OUT):
            visit(served.export, self.two)

    def test_a_killed_daemon_comes_back_with_the_level_of_each_rule(
        self, driver: ShareDriver, served: ServedShare, visit: Mount
    ) -> None:
        self.needs_level(driver, "ro")
        served.allow((self.one, "ro"), (self.two, "rw"))

        self.kill_daemon(driver)
        self.restart_daemon(driver)

        visit(served.export, self.two).write("a", b"1")
        with pytest.raises(ReadOnly):
            visit(served.export, self.one).write("b", b"1")

    def test_rules_changed_while_the_daemon_is_down_hold_when_it_is_back(
        self, driver: ShareDriver, served: ServedShare, visit: Mount
    ) -> None:
        served.allow((self.one, "rw"))
        visit(served.export, self.one).write("a", b"1")

        self.kill_daemon(driver)
        self._change_while_down(driver, served, (self.two, "rw"))

        assert visit(served.export, self.two).read("a") == b"1"
        with pytest.raises(OUT):
            visit(served.export, self.one)

    def test_rules_emptied_while_the_daemon_is_down_let_nobody_in_when_it_is_back(
        self, driver: ShareDriver, served: ServedShare, visit: Mount
    ) -> None:
        served.allow((self.one, "rw"), (self.two, "rw"))

        self.kill_daemon(driver)
        self._change_while_down(driver, served)

        for client in self.clients:
            with pytest.raises(OUT):
                visit(served.export, client)

    def test_a_share_deleted_while_the_daemon_is_down_is_not_served_when_it_is_back(
        self, driver: ShareDriver, served: ServedShare, visit: Mount
    ) -> None:
        share = new_share(driver)
        other = self.serve(driver, share, driver.create_share(CONTEXT, share))
        for each in (served, other):
            each.allow((self.one, "rw"))

        self.kill_daemon(driver)
        with suppress(TransientError):
            served.delete()
        self.restart_daemon(driver)
        served.delete()

        visit(other.export, self.one).write("a", b"1")
        with pytest.raises(OUT):
            visit(served.export, self.one)

    def test_a_backend_stopped_and_started_again_serves_the_same(
        self, driver: ShareDriver, served: ServedShare, visit: Mount
    ) -> None:
        if not isinstance(driver, RunsDaemons):
            pytest.skip("the driver runs no daemons")
        served.allow((self.one, "rw"))
        visit(served.export, self.one).write("a", b"1")

        for _ in range(2):
            driver.stop_backend(CONTEXT)
        for _ in range(2):
            driver.start_backend(CONTEXT)

        assert not driver.check_health()
        assert visit(served.export, self.one).read("a") == b"1"
        with pytest.raises(OUT):
            visit(served.export, self.two)

    def _change_while_down(
        self, driver: ShareDriver, served: ServedShare, *clients: tuple[str, AccessLevel]
    ) -> None:
        """Change the rules, and restart; a change that fails temporarily is repeated as by the system."""
        try:
            served.allow(*clients)
        except TransientError:
            self.restart_daemon(driver)
            served.allow(*clients)
        else:
            self.restart_daemon(driver)
