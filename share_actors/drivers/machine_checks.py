"""Checks of a machine; each examines one thing and returns a `Requirement`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from share_actors.drivers.machine import Machine
from share_actors.drivers.requirement import Requirement

_INSTALL = "apt-get install --no-install-recommends"
_PACKAGE_LISTS = "/var/lib/apt/lists/*_Packages*"
"""Without these files `apt-get install` finds no package."""
_CAPABILITIES = {
    "CAP_DAC_OVERRIDE": 1,
    "CAP_DAC_READ_SEARCH": 2,
    "CAP_SETGID": 6,
    "CAP_SETUID": 7,
    "CAP_NET_BIND_SERVICE": 10,
    "CAP_NET_ADMIN": 12,
    "CAP_SYS_ADMIN": 21,
}
"""The bits of capabilities in the kernel's masks (linux/capability.h)."""
_GIB = 1024**3
_LIBRARY_FOLDERS = ("/usr/lib/*/", "/usr/lib/", "/usr/lib64/", "/usr/local/lib/")
_UNIT_FOLDERS = "/etc/systemd/system/*"


# -- packages ------------------------------------------------------------------------------------
def command(
    machine: Machine, name: str, package: str, why: str, *, required: bool = True
) -> Requirement:
    """Whether the command *name* of the Debian *package* is installed."""
    path = machine.which(name)
    return _installed(machine, name, package, why, path, required=required)


def library(machine: Machine, name: str, package: str, why: str) -> Requirement:
    """Whether the library *name*, a path below the folders of libraries, is installed."""
    matches = [path for folder in _LIBRARY_FOLDERS for path in machine.paths(f"{folder}{name}*")]
    return _installed(machine, Path(name).name, package, why, matches[0] if matches else None)


def _installed(
    machine: Machine, name: str, package: str, why: str, path: str | None, *, required: bool = True
) -> Requirement:
    update = "" if machine.paths(_PACKAGE_LISTS) else "apt-get update && "
    mend = "" if path else f"{update}{_INSTALL} {package}"
    found = path or f"not installed (Debian package {package})"
    return Requirement(
        what=name, why=why, met=path is not None, required=required, found=found, mend=mend
    )


# -- kernel --------------------------------------------------------------------------------------
def kernel_version(machine: Machine, minimum: tuple[int, int], why: str) -> Requirement:
    """Whether the kernel is at least of version *minimum*."""
    release, text = machine.kernel_release(), ".".join(map(str, minimum))
    numbers = re.match(r"(\d+)\.(\d+)", release)
    met = numbers is not None and (int(numbers[1]), int(numbers[2])) >= minimum
    mend = "" if met else f"boot a kernel {text} or newer, or set quota_mode to qgroup"
    return Requirement(what=f"kernel {text}", why=why, met=met, found=release, mend=mend)


def filesystem(machine: Machine, name: str, why: str) -> Requirement:
    """Whether the kernel has the filesystem *name*, or a module of it."""
    lines = (machine.read("/proc/filesystems") or "").splitlines()
    if any(line.split()[-1:] == [name] for line in lines):
        return Requirement(what=name, why=why, met=True, found="in /proc/filesystems")
    return kernel_module(machine, name, f"{name.upper()}_FS", why)


def kernel_module(
    machine: Machine, name: str, option: str, why: str, *, required: bool = True
) -> Requirement:
    """Whether the kernel has the feature *name*: built in (`CONFIG_`*option*), loaded or loadable.

    A warning if neither the kernel's configuration nor its modules can be read.
    """
    release = machine.kernel_release()
    found = _feature(machine, name, option, release)
    if found is not None:
        return Requirement(what=name, why=why, met=True, found=found)
    known = _configuration(machine, release) is not None or _modules(machine, release) is not None
    found = f"not in kernel {release}" if known else f"kernel {release} does not tell"
    mend = f"boot a kernel with CONFIG_{option}" if known else f"modprobe {name}"
    return Requirement(
        what=name, why=why, met=False, required=required and known, found=found, mend=mend
    )


def _feature(machine: Machine, name: str, option: str, release: str) -> str | None:
    """Where the feature was found; None if it was not."""
    if machine.paths(f"/sys/module/{name}"):
        return "loaded"
    if f"\nCONFIG_{option}=y\n" in f"\n{_configuration(machine, release) or ''}\n":
        return "built in"
    listed = rf"/{re.escape(name)}\.ko(\.(gz|xz|zst))?(:|$)"
    if re.search(listed, _modules(machine, release) or "", re.MULTILINE):
        return "a module, loaded when it is used"
    return None


def _configuration(machine: Machine, release: str) -> str | None:
    return machine.read("/proc/config.gz") or machine.read(f"/boot/config-{release}")


def _modules(machine: Machine, release: str) -> str | None:
    folder = f"/lib/modules/{release}"
    texts = [machine.read(f"{folder}/modules.{kind}") for kind in ("builtin", "dep")]
    return None if texts == [None, None] else "\n".join(filter(None, texts))


def loop_devices(machine: Machine, why: str) -> Requirement:
    """Whether the kernel can attach files as loop devices."""
    if machine.paths("/dev/loop-control"):
        return Requirement(what="loop devices", why=why, met=True, found="/dev/loop-control")
    return Requirement(
        what="loop devices",
        why=why,
        met=False,
        found="/dev/loop-control does not exist",
        mend="modprobe loop",
    )


def namespace(machine: Machine, kind: str, why: str) -> Requirement:
    """Whether the kernel has namespaces of *kind*: `net` or `mnt`."""
    path = f"/proc/self/ns/{kind}"
    met = bool(machine.paths(path))
    what = {"net": "network namespaces", "mnt": "mount namespaces"}[kind]
    option = "boot a kernel with CONFIG_NET_NS and CONFIG_NAMESPACES"
    found = path if met else f"{path} does not exist"
    return Requirement(what=what, why=why, met=met, found=found, mend="" if met else option)


def mount_table(machine: Machine) -> Requirement:
    """Whether there is `/etc/mtab`, where NFS-Ganesha finds out what is mounted."""
    met = machine.read("/etc/mtab") is not None
    return Requirement(
        what="/etc/mtab",
        why="NFS-Ganesha exports no directory without it",
        met=met,
        found="there" if met else "does not exist, as on a minimal installation",
        mend="" if met else "ln -s /proc/self/mounts /etc/mtab",
    )


def propagation(machine: Machine) -> Requirement:
    """Whether `/` is a mount, so that daemons can have mounts of their own, and how it is shared.

    Backends whose daemons have to see later mounts share their own directory.
    """
    lines = (machine.read("/proc/self/mountinfo") or "").splitlines()
    roots = [fields for fields in map(str.split, lines) if fields[4:5] == ["/"]]
    options = roots[-1][6 : roots[-1].index("-", 6)] if roots and "-" in roots[-1][6:] else []
    shared = any(option.startswith("shared:") for option in options)
    found = "/ is mounted private: the backend shares its directory"
    if not roots:
        found = "/ is not a mount point, as in a chroot"
    return Requirement(
        what="mounts",
        why="daemons have mounts of their own, and see what is mounted later",
        met=bool(roots),
        found="/ is mounted shared" if shared else found,
        mend="" if roots else "bind the root directory to itself (`mount --bind`) before `chroot`",
    )


# -- privileges ----------------------------------------------------------------------------------
def privileges(machine: Machine, capabilities: Sequence[str], why: str) -> Requirement:
    """Whether this process has all of *capabilities*, as root has."""
    status = machine.read("/proc/self/status") or ""
    mask = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    held = int(mask[1], 16) if mask else 0
    lacking = [name for name in capabilities if not held >> _CAPABILITIES[name] & 1]
    return Requirement(
        what="privileges",
        why=why,
        met=not lacking,
        found=f"lacks {', '.join(lacking)}" if lacking else ", ".join(capabilities),
        mend="run it as root, such as with `sudo`" if lacking else "",
    )


# -- ports and units -----------------------------------------------------------------------------
def free_port(
    machine: Machine, port: int, protocol: str, own: Sequence[str], namespace: str | None = None
) -> Requirement:
    """Whether *port* is free in the network *namespace*, by default in that of this process.

    A warning if processes hold it whose names are *own*, as this backend's.
    """
    holders = machine.listeners(port, namespace)
    others = [holder for holder in holders if holder.process not in own]
    told = ", ".join(map(str, others or holders))
    mend = ""
    if others:
        mend = f"stop {told}, or set another port"
    elif holders:
        mend = f"nothing if this backend started it; otherwise stop {told}"
    return Requirement(
        what=f"port {port}" if namespace is None else f"port {port} in {namespace}",
        why=f"clients reach {protocol} there",
        met=not holders,
        required=bool(others),
        found=f"held by {told}" if holders else "free",
        mend=mend,
    )


def not_enabled(machine: Machine, unit: str, port: int) -> Requirement:
    """Whether systemd leaves *unit* alone at the next boot; a warning if it starts it, on *port*."""
    links = [
        path
        for kind in ("wants", "requires")
        for path in machine.paths(f"{_UNIT_FOLDERS}.{kind}/{unit}")
    ]
    starts = bool(links) and machine.which("systemctl") is not None
    found = f"enabled: {links[0]}" if links else "not enabled"
    return Requirement(
        what=unit,
        why=f"it would take port {port} at the next boot",
        met=not starts,
        required=False,
        found=found if starts or not links else f"{found}, but systemd is not installed",
        mend=f"systemctl disable --now {unit}" if starts else "",
    )


# -- directories ---------------------------------------------------------------------------------
def free_space(machine: Machine, root: Path, minimum: int) -> Requirement:
    """Whether *root* has *minimum* free bytes; a warning if not."""
    free = machine.free_bytes(root)
    met = free is not None and free >= minimum
    found = (
        f"{root} cannot be examined" if free is None else f"{free / _GIB:.1f} GiB free at {root}"
    )
    return Requirement(
        what="disk space",
        why=f"shares need room: at least {minimum / _GIB:g} GiB",
        met=met,
        required=False,
        found=found,
        mend="" if met else f"free space at {root}, or set another root",
    )


def posix_acls(machine: Machine, root: Path) -> Requirement:
    """Whether the filesystem of *root* has POSIX ACLs; a warning if it cannot be determined."""
    supported = machine.supports_acls(root)
    found = {
        True: f"supported at {root}",
        False: f"the filesystem of {root} has none",
        None: f"{root} cannot be examined",
    }[supported]
    return Requirement(
        what="POSIX ACLs",
        why="access rules are stored in them",
        met=supported is True,
        required=supported is False,
        found=found,
        mend="" if supported else f"mount the filesystem of {root} with the option acl",
    )
