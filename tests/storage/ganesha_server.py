"""A Ganesha with fixed exports, in namespaces of its own, for tests of the NFS client."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PORT, MOUNT_PORT = 20490, 20491
PROGRAMS = {"ganesha.nfsd": "nfs-ganesha", "rpcbind": "rpcbind", "unshare": "util-linux"}
START_S = 20.0
# Version 3 needs an rpcbind that listens, which is found by a path in /run.
_SCRIPT = """
mount -t tmpfs none /run && mkdir /run/rpcbind /run/ganesha && { rpcbind -f & } &&
until [ -S /run/rpcbind.sock ]; do sleep 0.01; done &&
exec ganesha.nfsd -F -f "$1/ganesha.conf" -L "$1/log" -p "$1/pid" -N NIV_EVENT
"""
_CONFIGURATION = """
NFS_CORE_PARAM {{ NFS_Port = {port}; MNT_Port = {mount_port}; Bind_addr = ::; Protocols = 3, 4;
  Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false; mount_path_pseudo = true; }}
NFSv4 {{ Graceless = true; RecoveryBackend = fs; RecoveryRoot = {directory}; Only_Numeric_Owners = true; }}
EXPORT_DEFAULTS {{ SecType = sys; PrivilegedPort = false; Access_Type = None; Transports = TCP; }}
"""


@contextmanager
def ganesha(directory: Path, namespace: str, exports: Mapping[Path, str]) -> Iterator[None]:
    """Serve each directory of *exports* as `/NAME`, with its CLIENT blocks, on `PORT` in the *namespace*."""
    text = _CONFIGURATION.format(port=PORT, mount_port=MOUNT_PORT, directory=directory)
    blocks = [_export(n, path, clients) for n, (path, clients) in enumerate(exports.items(), 1)]
    (directory / "ganesha.conf").write_text("".join((text, *blocks)), encoding="utf-8")
    isolated = ("unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child")
    script = ("sh", "-c", _SCRIPT, "ganesha", str(directory))
    command = ["nsenter", f"--net=/run/netns/{namespace}", *isolated, *script]
    with (directory / "output").open("wb") as output:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        _wait_for_start(server, directory)
        yield
    finally:
        server.kill()
        server.wait()


def _export(number: int, path: Path, clients: str) -> str:
    fields = (
        f'Export_Id = {number}; Path = "{path}"; Pseudo = "/{path.name}"; Squash = No_Root_Squash;'
    )
    return f"EXPORT {{ {fields} {clients} FSAL {{ Name = VFS; }} }}\n"


def _wait_for_start(server: subprocess.Popen[bytes], directory: Path) -> None:
    log, deadline = directory / "log", time.monotonic() + START_S
    while not (log.exists() and "NFS SERVER INITIALIZED" in log.read_text(errors="replace")):
        output = (directory / "output").read_text(errors="replace")
        assert server.poll() is None, f"Ganesha ended with {server.returncode}: {output}"
        assert time.monotonic() < deadline, f"Ganesha does not start: {output}"
        time.sleep(0.01)
