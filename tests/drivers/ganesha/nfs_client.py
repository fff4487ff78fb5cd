"""As much of an NFS client as these tests need: libnfs by ctypes."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from typing import Any

LIBRARY = "libnfs.so.13"
_TIMEOUT_MS = 5000


@cache
def _libnfs() -> Any:
    library = ctypes.CDLL(LIBRARY)
    library.nfs_init_context.restype = ctypes.c_void_p
    library.nfs_parse_url_dir.restype = ctypes.POINTER(_Url)
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    library.nfs_parse_url_dir.argtypes = [pointer, text]
    library.nfs_mount.argtypes = [pointer, text, text]
    library.nfs_open.argtypes = [pointer, text, ctypes.c_int, ctypes.POINTER(pointer)]
    library.nfs_pwrite.argtypes = [pointer, pointer, ctypes.c_uint64, ctypes.c_uint64, text]
    library.nfs_close.argtypes = [pointer, pointer]
    library.nfs_set_timeout.argtypes = [pointer, ctypes.c_int]
    library.nfs_destroy_context.argtypes = [pointer]
    return library


class _Url(ctypes.Structure):
    _fields_ = [("server", ctypes.c_char_p), ("path", ctypes.c_char_p), ("file", ctypes.c_char_p)]


def access(host: str, export: str, nfs_port: int, *, version: int = 4, mount_port: int = 0) -> str:
    """What this process may do in *export*: "rw", "ro" or "none"."""
    library = _libnfs()
    context = library.nfs_init_context()
    try:
        words = f"version={version}&nfsport={nfs_port}&mountport={mount_port}"
        url = library.nfs_parse_url_dir(context, f"nfs://{host}/{export}?{words}".encode())
        library.nfs_set_timeout(context, _TIMEOUT_MS)
        if library.nfs_mount(context, host.encode(), url.contents.path) < 0:
            return "none"
        return "rw" if _writes(library, context) else "ro"
    finally:
        library.nfs_destroy_context(context)


def _writes(library: Any, context: int) -> bool:
    file = ctypes.c_void_p()
    flags = os.O_RDWR | os.O_CREAT
    if library.nfs_open(context, b"/written", flags, ctypes.byref(file)) < 0:
        return False
    try:
        return bool(library.nfs_pwrite(context, file, 0, 4, b"text") == 4)
    finally:
        library.nfs_close(context, file)
