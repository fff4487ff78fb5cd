"""What a backend requires of its machine, as values; and the lists of the shipped kinds of backends.

A driver returns some of these lists from `requirements` (`abilities.StatesRequirements`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from share_actors.drivers import machine_checks as checks
from share_actors.drivers.machine import Machine, ThisMachine
from share_actors.drivers.requirement import Requirement

__all__ = [
    "Requirement",
    "btrfs_requirements",
    "directory_requirements",
    "nfs_requirements",
    "samba_requirements",
    "server_requirements",
]

GIB = 1024**3
NFS_PORT, RPCBIND_PORT, SMB_PORT = 2049, 111, 445
PRIVILEGED_PORTS = 1024
"""Ports below this number need a capability."""
_THIS = ThisMachine()


def directory_requirements(
    root: Path, *, acls: bool = True, machine: Machine = _THIS
) -> Sequence[Requirement]:
    """Those of a backend whose shares are directories below *root*, with *acls* for access rules."""
    found = [checks.free_space(machine, root, GIB)]
    return [*found, checks.posix_acls(machine, root)] if acls else found


def nfs_requirements(
    port: int = NFS_PORT,
    versions: Sequence[int] = (3, 4),
    *,
    mount_port: int | None = None,
    further_ports: Sequence[int] = (),
    namespace: str | None = None,
    machine: Machine = _THIS,
) -> Sequence[Requirement]:
    """Those of an NFS-Ganesha that serves the NFS *versions* on *port* with a D-Bus of its own.

    *mount_port*: that of the mount protocol, which NFSv3 has. *further_ports*: those of further NFS-Ganeshas.
    *namespace*: the network namespace that it runs in; default: that of this process.
    """
    capabilities = ["CAP_SYS_ADMIN", "CAP_DAC_READ_SEARCH", "CAP_SETUID", "CAP_SETGID"]
    capabilities += _bind(RPCBIND_PORT if 3 in versions else port)
    return [
        *_ganesha(machine),
        checks.privileges(
            machine,
            capabilities,
            "NFS-Ganesha opens files by handle, as their users",
        ),
        checks.mount_table(machine),
        *(
            checks.free_port(machine, each, "NFS", ("ganesha.nfsd",), namespace)
            for each in (port, *further_ports)
        ),
        *_mount_protocol(machine, mount_port if 3 in versions else None, namespace),
        *_at_boot(
            machine, port, NFS_PORT, ("nfs-ganesha.service", "nfs-server.service"), namespace
        ),
        *(_rpcbind(machine, namespace) if 3 in versions else ()),
    ]


def _ganesha(machine: Machine) -> Sequence[Requirement]:
    library, package = "ganesha/libfsalvfs.so", "nfs-ganesha-vfs"
    return [
        checks.command(machine, "ganesha.nfsd", "nfs-ganesha", "serves the shares by NFS"),
        checks.library(machine, library, package, "lets NFS-Ganesha export directories"),
        checks.command(
            machine, "dbus-daemon", "dbus-daemon", "adds exports while clients are served"
        ),
    ]


def _mount_protocol(
    machine: Machine, port: int | None, namespace: str | None
) -> Sequence[Requirement]:
    if port is None:
        return []
    return [checks.free_port(machine, port, "the mount protocol", ("ganesha.nfsd",), namespace)]


def _rpcbind(machine: Machine, namespace: str | None) -> Sequence[Requirement]:
    units = ("rpcbind.service", "rpcbind.socket")
    return [
        checks.command(machine, "rpcbind", "rpcbind", "NFSv3 does not start without it"),
        checks.propagation(machine),
        checks.free_port(machine, RPCBIND_PORT, "rpcbind", ("rpcbind", "systemd"), namespace),
        *_at_boot(machine, RPCBIND_PORT, RPCBIND_PORT, units, namespace),
    ]


def btrfs_requirements(
    quota_mode: Literal["squota", "qgroup"] = "squota",
    root: Path | None = None,
    *,
    image: bool = True,
    machine: Machine = _THIS,
) -> Sequence[Requirement]:
    """Those of shares as btrfs subvolumes with quotas; with *image*, of a filesystem in a file.

    *root*: the directory whose free space is examined.
    """
    purpose = "makes the filesystem of the shares"
    found = [
        checks.filesystem(machine, "btrfs", "each share is a subvolume"),
        checks.command(machine, "mkfs.btrfs", "btrfs-progs", purpose, required=image),
        checks.privileges(machine, ["CAP_SYS_ADMIN"], "mounts and quotas need it"),
    ]
    if quota_mode == "squota":
        found.append(checks.kernel_version(machine, (6, 7), "simple quotas limit the shares"))
    if image:
        found.append(checks.loop_devices(machine, "the filesystem is in a file"))
    return found if root is None else [*found, checks.free_space(machine, root, GIB)]


def samba_requirements(
    port: int = SMB_PORT, *, namespace: str | None = None, machine: Machine = _THIS
) -> Sequence[Requirement]:
    """Those of a Samba that serves the shares on *port*, with users of its own.

    *namespace*: the network namespace that it runs in; default: that of this process.
    """
    purposes = {
        "smbd": "serves the shares by SMB",
        "pdbedit": "keeps the passwords of users",
        "smbcontrol": "makes a running smbd apply rules",
        "smbstatus": "tells who is connected",
    }
    test = "checks the configuration before smbd reads it"
    wrapper = "gives smbd users that are not in /etc/passwd"
    capabilities = ["CAP_SETUID", "CAP_SETGID", "CAP_DAC_OVERRIDE", *_bind(port)]
    return [
        *(checks.command(machine, name, "samba", why) for name, why in purposes.items()),
        checks.command(machine, "testparm", "samba-common-bin", test),
        checks.library(machine, "libnss_wrapper.so", "libnss-wrapper", wrapper),
        checks.privileges(machine, capabilities, "smbd acts as the users"),
        checks.free_port(machine, port, "SMB", ("smbd",), namespace),
        *_at_boot(machine, port, SMB_PORT, ("smbd.service", "nmbd.service"), namespace),
    ]


def server_requirements(*, vlans: bool = False, machine: Machine = _THIS) -> Sequence[Requirement]:
    """Those of share servers in network namespaces; *vlans*: share networks have segmentation ids."""
    why = "each share server has a network of its own"
    tagged = "networks of type vlan have tags on an uplink"
    return [
        checks.command(machine, "ip", "iproute2", "sets up the networks of share servers"),
        checks.namespace(machine, "net", why),
        checks.namespace(machine, "mnt", "each share server has mounts of its own"),
        checks.kernel_module(machine, "veth", "VETH", why),
        checks.kernel_module(
            machine, "bridge", "BRIDGE", "connects the share servers of a network"
        ),
        checks.kernel_module(machine, "8021q", "VLAN_8021Q", tagged, required=vlans),
        checks.privileges(machine, ["CAP_SYS_ADMIN", "CAP_NET_ADMIN"], "namespaces need it"),
        checks.propagation(machine),
    ]


def _bind(port: int) -> Sequence[str]:
    return ["CAP_NET_BIND_SERVICE"] if port < PRIVILEGED_PORTS else []


def _at_boot(
    machine: Machine, port: int, taken: int, units: Sequence[str], namespace: str | None
) -> Sequence[Requirement]:
    """Whether one of *units*, which take the port *taken* of the machine itself, is enabled."""
    is_in_question = port == taken and namespace is None
    return [checks.not_enabled(machine, unit, port) for unit in units] if is_in_question else []
