"""The contract of drivers that handle share servers; a subclass gives `driver`, in that mode."""

from __future__ import annotations

from uuid import uuid4

import pytest

from share_actors.drivers.base import DriverError, ShareDriver
from share_actors.testing.contract_base import CONTEXT, ContractBase, new_share, same_driver
from share_actors.values import NetworkInfo, Share, ShareNetwork, ShareServer, Snapshot


class ServerContract(ContractBase):
    """Servers are set up and torn down any number of times, and hold shares that know no others."""

    @pytest.fixture
    def server(self, driver: ShareDriver) -> ShareServer:
        """A server that is set up."""
        made = new_server(driver)
        return made.replace(backend_details=set_up(driver, made))

    @pytest.fixture
    def share(self, driver: ShareDriver) -> Share:
        return new_share(driver).replace(share_network_id="net")

    def test_a_server_set_up_again_has_the_same_details(
        self, driver: ShareDriver, server: ShareServer
    ) -> None:
        assert set_up(same_driver(driver), server) == server.backend_details

    def test_a_share_is_made_on_its_server_and_gone_with_it(
        self, driver: ShareDriver, server: ShareServer, share: Share
    ) -> None:
        assert driver.create_share(CONTEXT, share, server)
        assert driver.create_share(CONTEXT, share, server)

        driver.delete_share(CONTEXT, share, server)
        driver.delete_share(CONTEXT, share, server)
        tear_down(driver, server)

    def test_a_server_that_holds_shares_is_not_torn_down(
        self, driver: ShareDriver, server: ShareServer, share: Share
    ) -> None:
        driver.create_share(CONTEXT, share, server)
        with pytest.raises(DriverError):
            tear_down(driver, server)

        driver.delete_share(CONTEXT, share, server)
        tear_down(driver, server)

    def test_a_server_is_torn_down_once_twice_or_though_it_never_was(
        self, driver: ShareDriver, server: ShareServer
    ) -> None:
        tear_down(driver, server)
        tear_down(same_driver(driver), server)
        tear_down(driver, new_server(driver))

    def test_a_server_torn_down_can_be_set_up_anew(
        self, driver: ShareDriver, server: ShareServer, share: Share
    ) -> None:
        tear_down(driver, server)
        set_up(driver, server)

        assert driver.create_share(CONTEXT, share, server)
        driver.delete_share(CONTEXT, share, server)

    def test_a_share_cannot_be_made_without_its_server(
        self, driver: ShareDriver, share: Share
    ) -> None:
        for server in (None, new_server(driver)):
            with pytest.raises(DriverError):
                driver.create_share(CONTEXT, share, server)

    def test_two_servers_know_nothing_of_each_others_shares(
        self, driver: ShareDriver, server: ShareServer, share: Share
    ) -> None:
        other = new_server(driver)
        other = other.replace(backend_details=set_up(driver, other))
        driver.create_share(CONTEXT, share, server)

        tear_down(driver, other)

        found = driver.probe_share(CONTEXT, share, server)
        assert found is None or found.state == "whole"

    def test_addresses_are_taken_and_given_back_any_number_of_times(
        self, driver: ShareDriver
    ) -> None:
        server, network = new_server(driver), ShareNetwork(id="net", cidr="192.0.2.0/24")
        count = driver.get_network_allocations_number()
        for _ in range(2):
            driver.allocate_network(CONTEXT, server, network, count)
        for _ in range(2):
            driver.deallocate_network(CONTEXT, server.id)

    def test_snapshots_and_rules_are_those_of_the_server(
        self, driver: ShareDriver, server: ShareServer, share: Share
    ) -> None:
        if not driver.supports("create_snapshot"):
            pytest.skip("takes no snapshots")
        driver.create_share(CONTEXT, share, server)
        snapshot = Snapshot(id=str(uuid4()), share_id=share.id, size=share.size)
        driver.create_snapshot(CONTEXT, snapshot, server)
        copy = new_share(driver).replace(snapshot_id=snapshot.id)

        assert driver.create_share_from_snapshot(CONTEXT, copy, snapshot, server)
        assert not driver.update_access(CONTEXT, share, (), (), (), (), server)

        driver.delete_share(CONTEXT, copy, server)
        driver.delete_snapshot(CONTEXT, snapshot, server)
        driver.delete_share(CONTEXT, share, server)
        tear_down(driver, server)

    def test_a_client_is_let_in_on_the_server(
        self, driver: ShareDriver, server: ShareServer, share: Share
    ) -> None:
        rule = self.rules(driver)[0]
        driver.create_share(CONTEXT, share, server)

        assert not driver.update_access(CONTEXT, share, [rule], [rule], (), (), server)
        driver.allow_access(CONTEXT, share, rule, server)
        driver.deny_access(CONTEXT, share, rule, server)


def new_server(driver: ShareDriver) -> ShareServer:
    """A server that *driver* has not seen, with an address of its own."""
    made = uuid4()
    address = f"192.0.{made.int % 250 + 2}.{made.int // 250 % 250 + 2}"
    return ShareServer(
        id=str(made),
        host=driver.backend_name,
        share_network_id="net",
        status="creating",
        network_allocations=(address,) * bool(driver.get_network_allocations_number()),
    )


def set_up(driver: ShareDriver, server: ShareServer) -> dict[str, str]:
    """Have it set up; its details."""
    info = NetworkInfo(
        server_id=server.id,
        backend_name=driver.backend_name,
        network_id="net",
        cidr="192.0.0.0/16",
        network_allocations=server.network_allocations,
    )
    return dict(driver.setup_server(info, metadata={"attempt": 1}))


def tear_down(driver: ShareDriver, server: ShareServer) -> None:
    driver.teardown_server({**server.backend_details, "server_id": server.id}, security_services=())
