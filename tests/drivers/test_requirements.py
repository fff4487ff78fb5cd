"""What backends require, on made-up machines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from share_actors.drivers import StatesRequirements, make_driver
from share_actors.drivers import machine_checks as checks
from share_actors.drivers.machine import Listener, Machine
from share_actors.drivers.requirements import (
    GIB,
    Requirement,
    btrfs_requirements,
    directory_requirements,
    nfs_requirements,
    samba_requirements,
    server_requirements,
)
from tests.made_up_machine import MadeUpMachine

ROOT_STATUS = "Name:\tpython\nCapEff:\t000001ffffffffff\n"
USER_STATUS = "Name:\tpython\nCapEff:\t0000000000000000\n"
WANTS = "/etc/systemd/system/multi-user.target.wants/"
PACKAGE_LIST = "/var/lib/apt/lists/a_main_binary_Packages"
SHARED = "29 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
PRIVATE = (
    "29 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n30 29 0:5 / /run rw shared:2 - tmpfs a rw\n"
)


def named(found: Sequence[Requirement], what: str) -> Requirement:
    """The only one of *found* about *what*."""
    (requirement,) = [requirement for requirement in found if requirement.what == what]
    return requirement


# -- packages --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("what", "package"),
    [
        ("ganesha.nfsd", "nfs-ganesha"),
        ("libfsalvfs.so", "nfs-ganesha-vfs"),
        ("dbus-daemon", "dbus-daemon"),
        ("rpcbind", "rpcbind"),
        ("mkfs.btrfs", "btrfs-progs"),
        ("smbd", "samba"),
        ("testparm", "samba-common-bin"),
        ("libnss_wrapper.so", "libnss-wrapper"),
        ("ip", "iproute2"),
    ],
)
def test_a_missing_program_names_the_command_that_installs_it(what: str, package: str) -> None:
    empty = MadeUpMachine(existing=(PACKAGE_LIST,))
    lists = (nfs_requirements, btrfs_requirements, samba_requirements, server_requirements)
    found = [requirement for stated in lists for requirement in stated(machine=empty)]

    missing = named(found, what)

    assert missing.state == "missing"
    assert missing.mend == f"apt-get install --no-install-recommends {package}"


def test_without_lists_of_packages_they_are_fetched_first() -> None:
    missing = named(nfs_requirements(machine=MadeUpMachine()), "ganesha.nfsd")

    assert missing.mend.startswith("apt-get update && apt-get install")


def test_an_installed_command_and_library_are_shown_with_their_paths() -> None:
    library = "/usr/lib/x86_64-linux-gnu/ganesha/libfsalvfs.so"
    machine = MadeUpMachine({"ganesha.nfsd": "/usr/bin/ganesha.nfsd"}, existing=(library,))

    found = nfs_requirements(machine=machine)

    assert named(found, "ganesha.nfsd").found == "/usr/bin/ganesha.nfsd"
    assert named(found, "libfsalvfs.so").found == library
    assert named(found, "libfsalvfs.so").mend == ""


def test_nfs_4_alone_requires_no_rpcbind() -> None:
    about = {requirement.what for requirement in nfs_requirements(versions=(4,))}

    assert not about & {"rpcbind", "port 111", "rpcbind.socket"}


def test_the_ports_of_all_nfs_servers_and_of_the_mount_protocol_are_examined() -> None:
    found = nfs_requirements(mount_port=20048, further_ports=(2050, 2051), machine=MadeUpMachine())

    ports = [each.what for each in found if each.what.startswith("port ")]
    assert ports == ["port 2049", "port 2050", "port 2051", "port 20048", "port 111"]


def test_mkfs_is_not_required_for_a_filesystem_that_exists() -> None:
    found = btrfs_requirements(image=False, machine=MadeUpMachine())

    assert named(found, "mkfs.btrfs").state == "warning"
    assert "loop devices" not in {requirement.what for requirement in found}


# -- kernel ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("release", "state"),
    [
        ("6.7.0", "ok"),
        ("6.18.44-fc", "ok"),
        ("10.0-rc1", "ok"),
        ("6.6.99-amd64", "missing"),
        ("5.19.0", "missing"),
        ("unknown", "missing"),
    ],
)
def test_simple_quotas_require_kernel_6_7(release: str, state: str) -> None:
    machine = MadeUpMachine(release=release)

    assert named(btrfs_requirements("squota", machine=machine), "kernel 6.7").state == state
    assert "kernel 6.7" not in {r.what for r in btrfs_requirements("qgroup", machine=machine)}


@pytest.mark.parametrize(
    "machine",
    [
        MadeUpMachine(files={"/proc/filesystems": "nodev\tproc\n\tbtrfs\n"}),
        MadeUpMachine(existing=("/sys/module/btrfs",)),
        MadeUpMachine(files={"/proc/config.gz": "CONFIG_BTRFS_FS=y\n"}),
        MadeUpMachine(
            files={"/lib/modules/6.1.0-18-amd64/modules.dep": "kernel/fs/btrfs/btrfs.ko.xz: a.ko\n"}
        ),
        MadeUpMachine(
            files={"/lib/modules/6.1.0-18-amd64/modules.builtin": "kernel/fs/btrfs/btrfs.ko\n"}
        ),
    ],
)
def test_btrfs_is_found_wherever_the_kernel_may_have_it(machine: Machine) -> None:
    assert checks.filesystem(machine, "btrfs", "").state == "ok"


def test_a_module_that_is_configured_but_not_installed_is_missing() -> None:
    machine = MadeUpMachine(files={"/proc/config.gz": "CONFIG_BTRFS_FS=m\nCONFIG_BTRFS_FS_X=y\n"})

    missing = checks.filesystem(machine, "btrfs", "")

    assert missing.state == "missing"
    assert missing.mend == "boot a kernel with CONFIG_BTRFS_FS"


def test_a_kernel_that_does_not_tell_its_features_is_a_warning() -> None:
    unknown = checks.kernel_module(MadeUpMachine(), "veth", "VETH", "")

    assert unknown.state == "warning"
    assert unknown.mend == "modprobe veth"


def test_8021q_is_required_for_networks_with_segmentation_ids_alone() -> None:
    machine = MadeUpMachine(files={"/proc/config.gz": "CONFIG_VETH=y\n"})

    assert named(server_requirements(machine=machine), "8021q").state == "warning"
    assert named(server_requirements(vlans=True, machine=machine), "8021q").state == "missing"
    assert named(server_requirements(machine=machine), "veth").found == "built in"


@pytest.mark.parametrize(("existing", "state"), [((), "missing"), (("/dev/loop-control",), "ok")])
def test_loop_devices_need_their_control_device(existing: tuple[str, ...], state: str) -> None:
    machine = MadeUpMachine(existing=existing)

    assert named(btrfs_requirements(machine=machine), "loop devices").state == state


@pytest.mark.parametrize(("files", "state"), [({}, "missing"), ({"/etc/mtab": ""}, "ok")])
def test_ganesha_needs_the_table_of_mounts_that_minimal_installations_lack(
    files: dict[str, str], state: str
) -> None:
    table = named(nfs_requirements(machine=MadeUpMachine(files=files)), "/etc/mtab")

    assert (table.state, bool(table.mend)) == (state, state == "missing")


def test_namespaces_are_those_of_this_process_in_proc() -> None:
    machine = MadeUpMachine(existing=("/proc/self/ns/mnt",))
    found = server_requirements(machine=machine)

    assert named(found, "mount namespaces").state == "ok"
    assert named(found, "network namespaces").state == "missing"


@pytest.mark.parametrize(
    ("mounts", "state", "told"),
    [
        (SHARED, "ok", "mounted shared"),
        (PRIVATE, "ok", "private: the backend shares"),
        ("", "missing", "as in a chroot"),
    ],
)
def test_the_root_must_be_a_mount_whether_shared_or_private(
    mounts: str, state: str, told: str
) -> None:
    found = checks.propagation(MadeUpMachine(files={"/proc/self/mountinfo": mounts}))

    assert told in found.found
    assert (found.state, bool(found.mend)) == (state, state == "missing")


# -- privileges, ports and units -------------------------------------------------------------------
def test_root_has_the_privileges_of_every_kind_of_backend() -> None:
    machine = MadeUpMachine(files={"/proc/self/status": ROOT_STATUS})

    for stated in (nfs_requirements, btrfs_requirements, samba_requirements, server_requirements):
        assert named(stated(machine=machine), "privileges").state == "ok"


@pytest.mark.parametrize("files", [{"/proc/self/status": USER_STATUS}, {}])
def test_a_user_lacks_capabilities_by_name(files: dict[str, str]) -> None:
    lacks = named(nfs_requirements(machine=MadeUpMachine(files=files)), "privileges")

    assert lacks.state == "missing"
    assert "CAP_SYS_ADMIN" in lacks.found
    assert "CAP_NET_BIND_SERVICE" in lacks.found


def test_one_capability_can_be_lacking_alone() -> None:
    status = f"CapEff:\t{(1 << 41) - 1 - (1 << 12):016x}\n"
    machine = MadeUpMachine(files={"/proc/self/status": status})

    assert named(server_requirements(machine=machine), "privileges").found == "lacks CAP_NET_ADMIN"


def test_a_high_port_needs_no_capability_and_meets_no_unit_of_systemd() -> None:
    machine = MadeUpMachine(existing=(f"{WANTS}nfs-ganesha.service",))
    found = nfs_requirements(12049, (4,), machine=machine)

    assert "CAP_NET_BIND_SERVICE" not in named(found, "privileges").found
    assert "nfs-ganesha.service" not in {requirement.what for requirement in found}


@pytest.mark.parametrize(
    ("holder", "state"),
    [(None, "ok"), (Listener("smbd", 7), "warning"), (Listener("nginx", 8), "missing")],
)
def test_a_port_that_another_program_holds_is_missing(holder: Listener | None, state: str) -> None:
    machine = MadeUpMachine(held={} if holder is None else {445: [holder]})

    port = named(samba_requirements(machine=machine), "port 445")

    assert port.state == state
    assert port.found == ("free" if holder is None else f"held by {holder}")


def test_the_ports_of_daemons_in_a_network_namespace_are_those_of_the_namespace() -> None:
    held: dict[int | tuple[int, str], list[Listener]] = {
        2049: [Listener("other", 7)],
        (445, "blue"): [Listener("other", 8)],
    }
    machine = MadeUpMachine(held=held, existing=(f"{WANTS}nfs-ganesha.service",))

    nfs = nfs_requirements(versions=(3,), namespace="blue", machine=machine)
    smb = samba_requirements(namespace="blue", machine=machine)

    assert named(nfs, "port 2049 in blue").state == "ok"
    assert named(nfs, "port 111 in blue").state == "ok"
    assert "nfs-ganesha.service" not in {each.what for each in nfs}
    assert named(smb, "port 445 in blue").found == "held by other (pid 8)"


def test_a_port_of_an_unknown_process_is_missing_too() -> None:
    port = checks.free_port(MadeUpMachine(held={2049: [Listener("", None)]}), 2049, "NFS", ("x",))

    assert port.state == "missing"
    assert port.found == "held by a process of another user"


@pytest.mark.parametrize(
    "unit", ["nfs-ganesha.service", "nfs-server.service", "rpcbind.service", "rpcbind.socket"]
)
def test_an_enabled_unit_is_a_warning_with_the_command_that_disables_it(unit: str) -> None:
    machine = MadeUpMachine(existing=(WANTS + unit,), commands={"systemctl": "/bin/systemctl"})

    enabled = named(nfs_requirements(machine=machine), unit)

    assert enabled.state == "warning"
    assert enabled.found == f"enabled: {WANTS}{unit}"
    assert enabled.mend == f"systemctl disable --now {unit}"


def test_a_unit_that_is_enabled_on_a_machine_without_systemd_is_not_started() -> None:
    machine = MadeUpMachine(existing=(f"{WANTS}nfs-ganesha.service",))

    enabled = named(nfs_requirements(machine=machine), "nfs-ganesha.service")

    assert (enabled.state, enabled.mend) == ("ok", "")
    assert "but systemd is not installed" in enabled.found


# -- directories and drivers -----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("free", "acls", "states"),
    [
        (GIB, True, ["ok", "ok"]),
        (GIB - 1, False, ["warning", "missing"]),
        (None, None, ["warning", "warning"]),
    ],
)
def test_a_directory_needs_room_and_access_control_lists(
    free: int | None, acls: bool | None, states: list[str]
) -> None:
    machine = MadeUpMachine(free=free, acls=acls)

    found = directory_requirements(Path("/srv"), machine=machine)

    assert [requirement.state for requirement in found] == states
    assert all(bool(requirement.mend) != requirement.met for requirement in found)


@pytest.mark.parametrize(("driver", "servers"), [("local", False), ("local-servers", True)])
def test_the_local_drivers_state_requirements_and_create_nothing(
    driver: str, servers: bool, tmp_path: Path
) -> None:
    root = tmp_path / "not" / "there"

    made = make_driver("b", driver, {"root": root}, handles_servers=servers)

    assert isinstance(made, StatesRequirements)
    assert {r.what for r in made.requirements()} == {"disk space", "POSIX ACLs"}
    assert list(tmp_path.iterdir()) == []


def test_the_dummy_driver_requires_nothing_but_room_for_its_directory(tmp_path: Path) -> None:
    in_memory = make_driver("b", "dummy")
    on_disk = make_driver("b", "dummy", {"directory": tmp_path / "state"})

    assert isinstance(in_memory, StatesRequirements)
    assert isinstance(on_disk, StatesRequirements)
    assert list(in_memory.requirements()) == []
    assert [r.what for r in on_disk.requirements()] == ["disk space"]
