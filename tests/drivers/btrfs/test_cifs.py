"""The driver and client contracts over CIFS shares of the driver `btrfs`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest

from share_actors.drivers import DriverError, ShareDriver
from share_actors.drivers.btrfs import BtrfsDriver
from share_actors.drivers.rule_updates import RuleChange
from share_actors.drivers.samba.programs import PACKAGES
from share_actors.drivers.supervision.processes import recorded
from share_actors.testing import ClientContract
from share_actors.testing.contracts.base import CONTEXT, new_share
from share_actors.testing.contracts.client.access import ClientAccessContract
from share_actors.testing.contracts.client.base import GIB, MIB, ClientBase, ServedShare
from share_actors.testing.contracts.client.daemon import ClientDaemonContract
from share_actors.testing.contracts.driver import DriverContract
from share_actors.testing.contracts.listing import ListingContract
from share_actors.testing.leftovers import end, own_directory
from share_actors.testing.visits import Full, Mount
from share_actors.values import AccessType, Share
from tests.drivers.btrfs.conftest import MakeDriver, drivers_in, free_ports
from tests.storage.cifs_client import cifs_mounts
from tests.storage.conftest import need

PASSWORDS = {"alice": "secret of alice", "bob": "secret of bob"}


def over_cifs(make_driver: MakeDriver, root: Path) -> BtrfsDriver:
    """A running driver whose first protocol is CIFS: the contracts use that for their shares."""
    need(PACKAGES)
    (port,) = free_ports(1)
    driver = make_driver(root=root / "root", cifs_users=PASSWORDS, cifs_port=port)
    vars(driver).update(protocols=("CIFS",), access_types=("user",))
    driver.start_backend(CONTEXT)
    return driver


class TestBtrfsSharesOverCifs(ListingContract):
    """A part of the contract below: every test starts a smbd and an NFS server of its own."""

    principals: ClassVar[dict[AccessType, tuple[str, str]]] = {"user": ("alice", "bob")}

    @pytest.fixture
    def driver(self, directory: Path, make_driver: MakeDriver) -> ShareDriver:
        return over_cifs(make_driver, directory)


@pytest.mark.soak
class TestBtrfsDriverOverCifs(DriverContract):
    """The whole contract; crashes and stalls at a few steps, since NFS tries them all."""

    most_steps: ClassVar[int] = 4
    most_stalls: ClassVar[int] = 4
    principals: ClassVar[dict[AccessType, tuple[str, str]]] = {"user": ("alice", "bob")}

    @pytest.fixture
    def driver(self, directory: Path, make_driver: MakeDriver) -> ShareDriver:
        return over_cifs(make_driver, directory)

    def unmanaged_share(self, driver: ShareDriver) -> Mapping[str, Any]:
        share = new_share(driver)
        driver.create_share(CONTEXT, share)
        driver.unmanage(share)
        return {"path": f"shares/{share.id}"}


@pytest.fixture(scope="module")
def shared_driver() -> Iterator[BtrfsDriver]:
    """One driver for all tests of clients: its servers take seconds to start."""
    with own_directory() as directory, drivers_in(directory) as make:
        yield over_cifs(make, directory)


class OverCifs(ClientBase):
    """A driver and its clients, which are users."""

    access_type: ClassVar[AccessType] = "user"
    clients = ("alice", "bob")

    @pytest.fixture
    def driver(self, shared_driver: BtrfsDriver) -> ShareDriver:
        if shared_driver.check_health():  # the last test may have killed its server
            shared_driver.start_backend(CONTEXT)
        return shared_driver

    @pytest.fixture
    def visit(self, driver: ShareDriver) -> Iterator[Mount]:
        options: Any = driver.configuration
        with cifs_mounts(options.cifs_port, PASSWORDS) as mounts:
            yield mounts

    def kill_daemon(self, driver: ShareDriver) -> None:
        options: Any = driver.configuration
        daemon: psutil.Process | None = recorded(options.cifs.directory / "pids" / "smbd")
        assert daemon is not None
        end([daemon.pid])


@pytest.mark.soak
class TestBtrfsClientsOverCifs(OverCifs, ClientContract):
    """The whole contract."""


class TestBtrfsUsersOverCifs(OverCifs, ClientAccessContract, ClientDaemonContract):
    """A part of the contract: what depends on smbd."""

    def test_a_denial_names_the_client_that_it_cut_off(
        self, driver: BtrfsDriver, served: ServedShare, visit: Mount
    ) -> None:
        served.allow((self.one, "rw"), (self.two, "rw"))
        mounted = visit(served.export, self.one)
        mounted.write("kept", b"1")

        change = driver.update_access(CONTEXT, served.share, [served.rule(self.two, "rw")], (), ())

        assert isinstance(change, RuleChange)
        assert [client.partition(" at ")[0] for client in change.cut_off] == [self.one]

    def test_a_client_is_told_that_a_share_is_full_until_it_is_extended(
        self, driver: BtrfsDriver, served: ServedShare, visit: Mount
    ) -> None:
        served.allow((self.one, "rw"))
        mounted = visit(served.export, self.one)
        found = next(o for o in driver.list_backend(CONTEXT) if o.id == served.share.id)
        with (Path(found.location) / "big").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, GIB - 8 * MIB)
            os.fsync(file.fileno())
        with pytest.raises(Full):
            mounted.hold("more").fill(64 * MIB)

        driver.extend_share(CONTEXT, served.share, 2)

        mounted.hold("even more").fill(16 * MIB)


def test_a_backend_without_users_refuses_a_cifs_share(driver: BtrfsDriver) -> None:
    assert driver.protocols == ("NFS",)

    with pytest.raises(DriverError, match="CIFS needs the option cifs_users"):
        driver.create_share(CONTEXT, Share(id="c1", size=1, share_proto="CIFS"))
