"""Marks of tests that need a server, a tool or root: without it they are skipped, and say what is missing."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest

from share_actors.drivers.machine import Machine, ThisMachine

PACKAGES: Mapping[str, str] = {
    "ganesha.nfsd": "nfs-ganesha",
    "ganesha/libfsalvfs.so": "nfs-ganesha-vfs",
    "rpcbind": "rpcbind",
    "dbus-daemon": "dbus-daemon",
    "mkfs.btrfs": "btrfs-progs",
    "btrfs": "btrfs-progs",
    "libnfs.so.13": "libnfs13",
    "smbd": "samba",
    "pdbedit": "samba",
    "smbcontrol": "samba",
    "smbstatus": "samba",
    "smbclient": "smbclient",
    "libnss_wrapper.so": "libnss-wrapper",
    "ip": "iproute2",
    "modprobe": "kmod",
}
"""The Debian package of each command and library that a test may name."""


def needs(*commands_or_libraries: str, root: bool = True) -> pytest.MarkDecorator:
    """Skip a test without one of *commands_or_libraries*, keys of `PACKAGES`, or without *root*."""
    reason = lacking(ThisMachine(), *commands_or_libraries, root=root and os.geteuid() != 0)
    return pytest.mark.skipif(bool(reason), reason=reason)


def lacking(machine: Machine, *names: str, root: bool = False) -> str:
    """What is missing, as the reason of a skipped test, with *root* if that is; empty if nothing is.

    Raises `KeyError` for a name without a package.
    """
    packages = {PACKAGES[name]: name for name in names if not _has(machine, name)}
    reasons = [f"the Debian package {package} ({name})" for package, name in packages.items()]
    reasons = ["root", *reasons] if root else reasons
    return f"needs {' and '.join(reasons)}" if reasons else ""


def _has(machine: Machine, name: str) -> bool:
    if ".so" not in name:
        return machine.which(name) is not None
    folders = ("/usr/lib/*/", "/usr/lib/", "/usr/lib64/", "/usr/local/lib/")
    return any(machine.paths(f"{folder}{name}*") for folder in folders)
