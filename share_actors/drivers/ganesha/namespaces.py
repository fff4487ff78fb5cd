"""The namespaces that the supervisor and its parts run in."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path

from share_actors.drivers.base import DriverError

_CLONE_NEWNS = 0x00020000
_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)
_RUN = Path("/run")


def enter_network(name: str) -> None:
    """Move this process into the network namespace `/run/netns/NAME`; raises `DriverError`."""
    path = _RUN / "netns" / name
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise DriverError(f"network_namespace {name!r}: {path}: {error.strerror}") from error
    try:
        _checked(_LIBC.setns(fd, _CLONE_NEWNET), f"cannot enter {path}")
    finally:
        os.close(fd)


def share_mounts_of(root: Path) -> None:
    """Let mounts below *root* reach the mount namespaces that are made later; raises `DriverError`."""
    if _is_shared(root):
        return
    if not os.path.ismount(root):
        _mount("--bind", str(root), str(root))
    _mount("--make-rshared", str(root))


def enter_own_mounts(directory: Path) -> None:
    """Move this process into a mount namespace of its own, with an empty `/run` but for *directory*.

    Later mounts on shared mounts of the parent still arrive. Raises `DriverError`.
    """
    _checked(_LIBC.unshare(_CLONE_NEWNS), "cannot make a mount namespace")
    _mount("--make-rslave", "/")
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(_RUN))
        (_RUN / "rpcbind").mkdir()
        if directory.resolve().is_relative_to(_RUN.resolve()):
            directory.mkdir(parents=True)
            _mount("--rbind", f"/proc/{os.getpid()}/fd/{fd}", str(directory))
    finally:
        os.close(fd)


def _is_shared(root: Path) -> bool:
    """Whether the mount that *root* lies in is shared."""
    found = {}
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields = line.split(" ")
        found[fields[4]] = any(
            field.startswith("shared:") for field in fields[6 : fields.index("-")]
        )
    resolved = root.resolve()
    places = [str(place) for place in (resolved, *resolved.parents) if str(place) in found]
    return found[places[0]]


def _mount(*words: str) -> None:
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise DriverError(f"mount {' '.join(words)}: {done.stderr.strip()}")


def _checked(result: int, message: str) -> None:
    if result:
        raise DriverError(f"{message}: {os.strerror(ctypes.get_errno())}")
