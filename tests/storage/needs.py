"""Marks of tests that need a server, a tool or root: without it they are skipped, and say what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

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
    "chromium": "chromium",  # 300 MB: `tests.packages` does not install it
}
"""The Debian package of each command and library that a test may name."""


def needs(*commands_or_libraries: str, root: bool = True) -> pytest.MarkDecorator:
    """Skip a test without one of *commands_or_libraries*, keys of `PACKAGES`, or without *root*."""
    reason = lacking(ThisMachine(), *commands_or_libraries, root=root and os.geteuid() != 0)
    reason = reason or (forbidden() if root else "")
    return pytest.mark.skipif(bool(reason), reason=reason)


@cache
def forbidden() -> str:
    """What the machine does not permit even to root, as the reason of a skipped test; empty if nothing.

    A container may have neither namespaces nor loop devices with btrfs.
    """
    if subprocess.run(
        ["unshare", "--net", "--mount", "true"], capture_output=True, check=False
    ).returncode:
        return "needs a machine that permits network and mount namespaces"
    if not _has_btrfs() and shutil.which("modprobe"):
        subprocess.run(["modprobe", "btrfs"], capture_output=True, check=False)
    if not _has_btrfs() or not Path("/dev/loop-control").exists():
        return "needs a kernel with btrfs and loop devices"
    return ""


def _has_btrfs() -> bool:
    return "btrfs" in Path("/proc/filesystems").read_text(encoding="ascii")


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
