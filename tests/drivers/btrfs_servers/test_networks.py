"""The networks of share servers: what is refused, what is mended, and which strays are found."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from secrets import token_hex

import pytest

from share_actors.drivers import ShareServerSetUpFailed
from share_actors.drivers.base import TransientError
from share_actors.drivers.btrfs_servers import BtrfsServersDriver
from share_actors.drivers.machine import ThisMachine
from share_actors.drivers.namespaces import Names, default_prefix
from share_actors.drivers.namespaces.network import is_interface, is_namespace
from share_actors.testing.nfs.libnfs import Nfs
from share_actors.values import AccessRule, Share
from tests.drivers.btrfs_servers.conftest import CONTEXT, MakeDriver
from tests.drivers.btrfs_servers.kills import left_of
from tests.drivers.btrfs_servers.on_server import network_info
from tests.drivers.ganesha.test_namespaces import inside


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@pytest.fixture
def uplink() -> Iterator[str]:
    """An interface of this machine that carries nothing."""
    name = f"satu{token_hex(4)}"
    ip("link", "add", name, "type", "veth", "peer", "name", f"{name}p")
    yield name
    ip("link", "delete", name)


def has_vlans(interface: str) -> bool:
    """Whether the kernel makes VLAN interfaces; one is made and removed."""
    words = ["ip", "link", "add", "link", interface, "name", "satvlan", "type", "vlan", "id", "9"]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        return False
    ip("link", "delete", "satvlan")
    return True


def test_a_vlan_of_an_uplink_is_connected_or_refused_with_the_reason(
    make_driver: MakeDriver, uplink: str
) -> None:
    driver = make_driver(uplink=uplink)
    driver.start_backend(CONTEXT)

    refused = pytest.raises(ShareServerSetUpFailed, match=f"VLAN 100 of uplink '{uplink}'.*8021q")
    with nullcontext() if has_vlans(uplink) else refused:
        details = driver.setup_server(network_info("one", "10.0.0.5"))
        members = Path("/sys/class/net", details["bridge"], "brif").iterdir()
        assert len(list(members)) == 2

    driver.teardown_server({"server_id": "one"})
    assert left_of(driver) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"network_type": "vxlan"}, "network_type 'vxlan' and segmentation_id 100"),
        ({"segmentation_id": None}, "network_type 'vlan' and segmentation_id None"),
        ({"network_allocations": ()}, "share server one has no address"),
    ],
)
def test_a_network_that_cannot_be_served_is_refused_before_anything_is_made(
    make_driver: MakeDriver, changes: dict[str, object], reason: str
) -> None:
    driver = make_driver(uplink="eth0")
    driver.start_backend(CONTEXT)

    with pytest.raises(ShareServerSetUpFailed, match=reason):
        driver.setup_server(network_info("one", "10.0.0.5", **changes))

    assert left_of(driver) == []


def test_a_set_up_while_the_backend_is_stopped_changes_nothing_and_may_be_repeated(
    make_driver: MakeDriver,
) -> None:
    driver = make_driver()
    driver.do_setup(CONTEXT)

    with pytest.raises(TransientError, match="start the backend"):
        driver.setup_server(network_info("one", "10.0.0.5"))


def test_a_namespace_deleted_by_hand_is_told_and_made_again_by_a_start(
    driver: BtrfsServersDriver,
) -> None:
    details = driver.setup_server(network_info("one", "10.0.0.5"))
    ip("netns", "delete", details["namespace"])
    assert any("does not exist" in problem for problem in driver.check_health())

    driver.start_backend(CONTEXT)

    assert driver.check_health() == ()
    driver.teardown_server({"server_id": "one"})
    assert left_of(driver) == []


@pytest.mark.parametrize("mend", ["start the backend", "run `share reapply`"])
def test_an_address_removed_inside_a_namespace_is_told_and_put_back(
    driver: BtrfsServersDriver, mend: str
) -> None:
    namespace = driver.setup_server(network_info("one", "10.0.0.5", gateway="10.0.0.1"))[
        "namespace"
    ]
    share, server = Share(id="s1", size=1, share_server_id="one"), {"id": "one"}
    driver.create_share(CONTEXT, share, server)
    ip("-n", namespace, "address", "del", "10.0.0.5/24", "dev", "eth0")

    told = driver.check_health()
    if mend == "run `share reapply`":
        driver.ensure_share(CONTEXT, share, server)
    else:
        driver.start_backend(CONTEXT)

    assert f"eth0 in {namespace} lacks its address 10.0.0.5/24" in told[0]
    assert mend in told[0]
    assert driver.check_health() == ()


def test_an_interface_that_was_set_down_and_has_lost_its_route_is_told_and_mended(
    driver: BtrfsServersDriver,
) -> None:
    namespace = driver.setup_server(network_info("one", "10.0.0.5", gateway="10.0.0.1"))[
        "namespace"
    ]
    ip("-n", namespace, "link", "set", "eth0", "down")
    down = driver.check_health()
    ip("-n", namespace, "link", "set", "eth0", "up")
    without_route = driver.check_health()

    driver.start_backend(CONTEXT)

    assert any("is down" in problem for problem in down)
    assert ["no route by the gateway 10.0.0.1" in problem for problem in without_route] == [True]
    assert driver.check_health() == ()


def test_all_servers_are_started_again_with_the_backend(driver: BtrfsServersDriver) -> None:
    for number in range(3):
        driver.setup_server(network_info(f"one{number}", f"10.0.0.{number + 5}"))
    driver.stop_backend(CONTEXT)

    driver.start_backend(CONTEXT)

    assert driver.check_health() == ()


def test_a_server_with_more_shares_than_one_daemon_has_serves_all_of_them(
    make_driver: MakeDriver,
) -> None:
    driver = make_driver(exports_per_instance=1)
    driver.start_backend(CONTEXT)
    namespace = driver.setup_server(network_info("one", "10.0.0.5"))["namespace"]
    rule = AccessRule(id="r1", access_type="ip", access_to="10.0.0.5")
    for name, port in (("s1", 2049), ("s2", 2050)):
        share = Share(id=name, size=1, share_server_id="one")
        driver.create_share(CONTEXT, share, {"id": "one"})
        driver.update_access(CONTEXT, share, [rule], [rule], (), share_server={"id": "one"})
        assert inside(namespace, partial(mounted, name, port)) == name

    assert driver.check_health() == ()
    for name in ("s1", "s2"):
        driver.delete_share(CONTEXT, Share(id=name, size=1, share_server_id="one"), {"id": "one"})
    driver.teardown_server({"server_id": "one"})
    assert left_of(driver) == []


def mounted(name: str, port: int) -> str:
    """Mount the share from the network of this thread; returns its name."""
    Nfs("10.0.0.5", f"/{name}", version=4, port=port, mount_port=0, timeout_ms=5000).disconnect()
    return name


def test_strays_are_listed_and_deleted_with_their_processes_and_live_servers_stay(
    driver: BtrfsServersDriver,
) -> None:
    details = driver.setup_server(network_info("one", "10.0.0.5"))
    prefix = details["namespace"].partition("-")[0]
    namespace, bridge = f"{prefix}-aaaaaaaa", f"{prefix}v7"
    ip("netns", "add", namespace)
    ip("link", "add", namespace, "type", "veth", "peer", "name", "eth0", "netns", namespace)
    ip("link", "add", bridge, "type", "bridge")
    inside = subprocess.Popen(["ip", "netns", "exec", namespace, "sleep", "1000"])
    strays = (f"network namespace {namespace}", f"interface {namespace}", f"bridge {bridge}")

    try:
        assert driver.strays() == driver.strays(delete=True) == strays
    finally:
        inside.kill()
        inside.wait()

    assert driver.strays() == ()
    assert not is_namespace(namespace)
    assert is_interface(details["bridge"])
    assert driver.check_health() == ()


def test_a_file_without_a_namespace_that_a_killed_ip_left_does_not_hinder_a_set_up(
    driver: BtrfsServersDriver,
) -> None:
    name = driver.setup_server(network_info("one", "10.0.0.5"))["namespace"]
    driver.teardown_server({"server_id": "one"})
    Path("/run/netns", name).touch()
    assert driver.strays() == (f"network namespace {name}",)

    assert driver.setup_server(network_info("one", "10.0.0.5"))["namespace"] == name
    driver.teardown_server({"server_id": "one"})
    assert left_of(driver) == []


@pytest.mark.parametrize("kind", ["vlan", "vxlan", "gre", "flat", "none"])
@pytest.mark.parametrize("number", [None, -(2**63), 1, 4094, 2**63 - 1])
def test_names_are_short_and_recognized_by_their_prefix(kind: str, number: int | None) -> None:
    names = Names(default_prefix(Path("/root/of/the/backend")))
    info = network_info("one", "10.0.0.5", network_type=kind, segmentation_id=number)

    for name in (names.server("one"), names.bridge(info), names.uplink(4094)):
        assert len(name) <= 15
        assert names.is_own(name)
        assert not Names("sb0000").is_own(name)


def test_bridges_of_different_segments_have_different_names() -> None:
    names = Names("sa0000")
    kinds = ("vlan", "vxlan", "gre", "flat", "none")
    infos = [
        network_info("one", "10.0.0.5", network_type=kind, segmentation_id=number)
        for kind in kinds
        for number in (1, 2, 2**40, -1)
    ]
    alone = [network_info("one", "10.0.0.5", network_id=n, segmentation_id=None) for n in "ab"]

    assert len({names.bridge(info) for info in (*infos, *alone)}) == 22


def test_the_ports_that_are_examined_are_those_in_the_namespace_of_each_server(
    driver: BtrfsServersDriver,
) -> None:
    assert [each.found for each in driver.requirements() if "port" in each.what] == [
        "no share server is set up; in the namespace of a new one all ports are free"
    ]
    namespace = driver.setup_server(network_info("one", "10.0.0.5"))["namespace"]
    found = {each.what: each for each in driver.requirements()}

    assert found[f"port 2049 in {namespace}"].state == "warning"
    assert "held by ganesha.nfsd" in found[f"port 2049 in {namespace}"].found
    assert ThisMachine().listeners(2049, "sa-none") == []


def test_a_program_in_a_namespace_is_named_that_holds_a_port_there(
    driver: BtrfsServersDriver,
) -> None:
    namespace = driver.setup_server(network_info("one", "10.0.0.5"))["namespace"]
    waits = "import socket; s = socket.create_server(('', 2050)); print(flush=True); input()"
    command = ["ip", "netns", "exec", namespace, sys.executable, "-c", waits]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        program.stdout.readline()
        [holder] = ThisMachine().listeners(2050, namespace)
        program.communicate(b"\n")

    assert holder.pid == program.pid
    assert ThisMachine().listeners(2050, namespace) == []
