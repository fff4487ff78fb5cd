"""The contract of drivers that handle share servers, as tests."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from share_actors.drivers.abilities import ListsObjects, ManagesOnServers
from share_actors.drivers.base import DriverError, ShareDriver
from share_actors.drivers.fence import TOKEN
from share_actors.testing.contracts.base import CONTEXT, new_share, same_driver
from share_actors.testing.contracts.expectations import holds, keeps, nothing, one_of, refused, same
from share_actors.testing.contracts.late import LateCallContract, overtake
from share_actors.testing.contracts.one_system import OneSystemContract
from share_actors.testing.contracts.stray import StrayFolders
from share_actors.testing.stalls import count_changes, spread
from share_actors.testing.strays import changed, put_strays
from share_actors.values import (
    NetworkInfo,
    RequestContext,
    Share,
    ShareNetwork,
    ShareServer,
    Snapshot,
)

EARLY, LATE, LATER = (CONTEXT.replace(attempt=n, token=f"contract:{n}") for n in (1, 2, 3))


class ServerContract(OneSystemContract, StrayFolders):
    """Share servers can be set up and torn down repeatedly, and their shares are independent.

    Subclasses define the fixture `driver`: a driver on an empty backend, with `driver_handles_share_servers`.
    """

    @pytest.fixture
    def server(self, driver: ShareDriver) -> ShareServer:
        """A share server that is set up."""
        server = new_server(driver)
        return server.replace(backend_details=set_up(driver, server))

    @pytest.fixture
    def share(self, driver: ShareDriver) -> Share:
        """A share of the servers' network that does not exist yet."""
        return new_share(driver).replace(share_network_id="net")

    @keeps("repeat-server")
    def test_a_server_set_up_again_has_the_same_details(
        self, driver: ShareDriver, server: ShareServer
    ) -> None:
        again = set_up(same_driver(driver), server)
        same(again, server.backend_details, "setup_server, called again by another process")

    @keeps("server-holds-shares")
    def test_a_share_is_created_on_its_server_and_deleted_from_it(
        self, driver: ShareDriver, server: ShareServer, share: Share
    ) -> None:
        for _ in range(2):
            _create(driver, share, server)

        driver.delete_share(CONTEXT, share, server)
        driver.delete_share(CONTEXT, share, server)
        tear_down(driver, server)

    @keeps("server-holds-shares")
    def test_a_server_with_shares_is_not_torn_down(
        self, driver: ShareDriver, server: ShareServer, share: Share
    ) -> None:
        driver.create_share(CONTEXT, share, server)
        with refused("teardown_server of a server with a share"):
            tear_down(driver, server)

        driver.delete_share(CONTEXT, share, server)
        tear_down(driver, server)

    @keeps("server-holds-shares")
    def test_a_share_is_unmanaged_on_its_server_and_managed_again(
        self, driver: ShareDriver, server: ShareServer, share: Share
    ) -> None:
        """For drivers whose `list_backend` gives the location that `manage` takes as the option `path`."""
        if not isinstance(driver, ManagesOnServers) or not isinstance(driver, ListsObjects):
            pytest.skip("the driver cannot manage what is on a server, or not list it")
        if "path" not in driver.public_manage_options:
            pytest.skip("the driver does not find shares by a path")
        driver.create_share(CONTEXT, share, server)
        driver.unmanage_with_server(share, server)
        driver.unmanage_with_server(share, server)
        [found] = driver.list_backend(CONTEXT)
        again = new_share(driver).replace(share_server_id=server.id)
        options = {"path": found.location}

        driver.check_manage(again, options)
        sizes = [driver.manage_existing_with_server(again, options, server) for _ in range(2)]

        same(found.share_server_id, server.id, "the server that list_backend lists")
        same(sizes, [{"size": share.size}] * 2, "manage_existing_with_server, called twice")
        driver.delete_share(CONTEXT, again, server)
        tear_down(driver, server)

    @keeps("repeat-server")
    def test_tearing_down_a_server_again_or_one_that_never_existed_succeeds(
        self, driver: ShareDriver, server: ShareServer
    ) -> None:
        tear_down(driver, server)
        tear_down(same_driver(driver), server)
        tear_down(driver, new_server(driver))

    @keeps("repeat-server")
    def test_a_server_can_be_set_up_again_after_teardown(
        self, driver: ShareDriver, server: ShareServer, share: Share
    ) -> None:
        tear_down(driver, server)
        set_up(driver, server)

        _create(driver, share, server)
        driver.delete_share(CONTEXT, share, server)

    @keeps("server-holds-shares")
    def test_a_share_cannot_be_created_without_its_server(
        self, driver: ShareDriver, share: Share
    ) -> None:
        for server in (None, new_server(driver)):
            with refused("create_share without a server that is set up"):
                driver.create_share(CONTEXT, share, server)

    @keeps("server-holds-shares")
    def test_tearing_down_a_server_leaves_the_shares_of_another_intact(
        self, driver: ShareDriver, server: ShareServer, share: Share
    ) -> None:
        other = new_server(driver)
        other = other.replace(backend_details=set_up(driver, other))
        driver.create_share(CONTEXT, share, server)

        tear_down(driver, other)

        result = driver.probe_share(CONTEXT, share, server)
        state = result and result.state
        one_of(state, (None, "whole"), "the state of a share after the teardown of another server")

    @keeps("repeat-server")
    def test_addresses_can_be_allocated_and_deallocated_repeatedly(
        self, driver: ShareDriver
    ) -> None:
        server, network = new_server(driver), ShareNetwork(id="net", cidr="192.0.2.0/24")
        count = driver.get_network_allocations_number()
        for _ in range(2):
            driver.allocate_network(CONTEXT, server, network, count)
        for _ in range(2):
            driver.deallocate_network(CONTEXT, server.id)

    @keeps("server-holds-shares")
    def test_snapshots_and_rules_are_applied_on_the_server(
        self, driver: ShareDriver, server: ShareServer, share: Share
    ) -> None:
        if not driver.supports("create_snapshot"):
            pytest.skip("the driver does not support snapshots")
        driver.create_share(CONTEXT, share, server)
        snapshot = Snapshot(id=str(uuid4()), share_id=share.id, size=share.size)
        driver.create_snapshot(CONTEXT, snapshot, server)
        copy = new_share(driver).replace(snapshot_id=snapshot.id)

        exports = driver.create_share_from_snapshot(CONTEXT, copy, snapshot, server)
        holds(exports, "create_share_from_snapshot on a server", "export locations", exports)
        failed = driver.update_access(CONTEXT, share, (), (), (), (), server)
        nothing(failed, "the rules that update_access refused")

        driver.delete_share(CONTEXT, copy, server)
        driver.delete_snapshot(CONTEXT, snapshot, server)
        driver.delete_share(CONTEXT, share, server)
        tear_down(driver, server)

    @keeps("server-holds-shares")
    def test_access_is_allowed_and_denied_on_the_server(
        self, driver: ShareDriver, server: ShareServer, share: Share
    ) -> None:
        rule = self.rules(driver)[0]
        driver.create_share(CONTEXT, share, server)

        failed = driver.update_access(CONTEXT, share, [rule], [rule], (), (), server)
        nothing(failed, "the rules that update_access refused")
        driver.allow_access(CONTEXT, share, rule, server)
        driver.deny_access(CONTEXT, share, rule, server)

    @keeps("strays-spared")
    def test_strays_beside_our_files_change_nothing_about_servers(
        self, driver: ShareDriver, strays: dict[bytes, object], share: Share
    ) -> None:
        driver.do_setup(CONTEXT)
        server, network = new_server(driver), ShareNetwork(id="net", cidr="192.0.2.0/24")
        driver.allocate_network(CONTEXT, server, network, 1)
        server = server.replace(backend_details=set_up(driver, server))
        _create(driver, share, server)
        driver.get_share_stats(refresh=True)
        driver.delete_share(CONTEXT, share, server)
        tear_down(driver, server)
        driver.deallocate_network(CONTEXT, server.id)

        nothing(changed(strays), "the files of others that were changed")

    @keeps("strays-spared")
    def test_strays_on_a_server_stay_after_its_teardown(
        self, driver: ShareDriver, server: ShareServer, share: Share
    ) -> None:
        strays = put_strays(self.folders(driver))
        driver.create_share(CONTEXT, share, server)
        driver.delete_share(CONTEXT, share, server)
        for _ in range(2):
            tear_down(same_driver(driver), server)

        nothing(changed(strays), "the files of others that were changed")
        with refused("create_share on a server that was torn down"):
            driver.create_share(CONTEXT, share, server)
        set_up(driver, server)
        _create(driver, share, server)

    @keeps("late-server-calls-refused")
    def test_a_late_call_for_a_server_or_a_share_on_it_is_refused(
        self, driver: ShareDriver, server: ShareServer, share: Share
    ) -> None:
        if not driver.refuses_late_calls:
            pytest.skip("the driver does not refuse late calls")
        driver.create_share(EARLY, share, server)
        driver.delete_share(LATE, share, server)
        with refused("create_share that comes after a later delete_share"):
            driver.create_share(EARLY, share, server)
        tear_down(driver, server, LATE)

        with refused("setup_server that comes after a later teardown_server"):
            set_up(driver, server, EARLY)
        with refused("create_share on a server that was torn down"):
            driver.create_share(LATE, share, server)

    @keeps("late-server-calls-refused")
    def test_late_allocations_and_teardowns_of_a_server_are_refused(
        self, driver: ShareDriver
    ) -> None:
        if not driver.refuses_late_calls:
            pytest.skip("the driver does not refuse late calls")
        server, network = new_server(driver), ShareNetwork(id="net", cidr="192.0.2.0/24")
        driver.deallocate_network(LATE, server.id)
        set_up(driver, server, LATE)

        with refused("allocate_network that comes after a later deallocate_network"):
            driver.allocate_network(EARLY, server, network, 1)
        with refused("teardown_server that comes after a later setup_server"):
            tear_down(driver, server, EARLY)

    @pytest.mark.parametrize("doing", ["set up", "tear down"])
    @keeps("late-server-calls-refused")
    def test_a_late_call_that_stalls_before_a_change_of_a_server_changes_nothing(
        self, driver: ShareDriver, share: Share, doing: str
    ) -> None:
        if not driver.refuses_late_calls:
            pytest.skip("the driver does not refuse late calls")
        calls = (set_up, tear_down) if doing == "set up" else (tear_down, set_up)

        def prepare() -> tuple[ShareServer, Callable[[], Any], Callable[[], Any]]:
            server = new_server(driver)
            set_up(driver, server, EARLY)
            late, later = (partial(call, same_driver(driver), server) for call in calls)
            return server, partial(late, LATE), partial(later, LATER)

        for n in spread(count_changes(prepare()[1]), LateCallContract.most_stalls):
            server, late, later = prepare()
            overtake(n, late, later)
            exists = _takes_shares(driver, server, share)
            what = (
                f"whether the server takes shares, after a call that stalled before its change {n}"
            )
            same(exists, doing == "tear down", what)
            if exists:
                tear_down(driver, server, LATER)


def _create(driver: ShareDriver, share: Share, server: ShareServer) -> None:
    exports = driver.create_share(CONTEXT, share, server)
    holds(exports, "create_share on a server", "export locations", exports)


def _takes_shares(driver: ShareDriver, server: ShareServer, share: Share) -> bool:
    """Whether the *server* is there: *share* is created on it, and deleted again."""
    try:
        driver.create_share(CONTEXT, share, server)
    except DriverError:
        return False
    driver.delete_share(CONTEXT, share, server)
    return True


def new_server(driver: ShareDriver) -> ShareServer:
    """A server with a new id and a separate address, which is not set up."""
    server_id = uuid4()
    address = f"192.0.{server_id.int % 250 + 2}.{server_id.int // 250 % 250 + 2}"
    return ShareServer(
        id=str(server_id),
        host=driver.backend_name,
        share_network_id="net",
        status="creating",
        network_allocations=(address,) * bool(driver.get_network_allocations_number()),
    )


def set_up(
    driver: ShareDriver, server: ShareServer, context: RequestContext = CONTEXT
) -> dict[str, str]:
    """Set up the server; returns its details."""
    info = NetworkInfo(
        server_id=server.id,
        backend_name=driver.backend_name,
        network_id="net",
        cidr="192.0.0.0/16",
        network_allocations=server.network_allocations,
    )
    return dict(driver.setup_server(info, metadata={"attempt": 1, "token": context.token}))


def tear_down(driver: ShareDriver, server: ShareServer, context: RequestContext = CONTEXT) -> None:
    """Tear down the server."""
    details = {**server.backend_details, "server_id": server.id, TOKEN: context.token}
    driver.teardown_server(details, security_services=())
