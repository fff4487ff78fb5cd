"""An NFS client in this process: libnfs by ctypes, for versions 3 and 4, without caches."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_uint64, c_void_p
from functools import cache
from typing import Any

LIBRARY = "libnfs.so.13"
"""Of the Debian package libnfs13."""
TIMEOUT_MS = 60_000  # the server may write a gigabyte to a busy disk first
_FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "nfs_destroy_context": (c_void_p,),
    "nfs_destroy_url": (c_void_p,),
    "nfs_set_timeout": (c_void_p, c_int),
    "nfs_set_dircache": (c_void_p, c_int),
    "nfs_mount": (c_void_p, c_char_p, c_char_p),
    "nfs_open": (c_void_p, c_char_p, c_int, POINTER(c_void_p)),
    "nfs_close": (c_void_p, c_void_p),
    "nfs_fsync": (c_void_p, c_void_p),
    "nfs_pread": (c_void_p, c_void_p, c_uint64, c_uint64, c_char_p),
    "nfs_pwrite": (c_void_p, c_void_p, c_uint64, c_uint64, c_char_p),
    "nfs_opendir": (c_void_p, c_char_p, POINTER(c_void_p)),
    "nfs_closedir": (c_void_p, c_void_p),
}


class NfsError(OSError):
    """A call failed; `strerror` has the words of libnfs, with the server's status."""


class _Url(Structure):
    _fields_ = (("server", c_char_p), ("path", c_char_p), ("file", c_char_p))


class _Entry(Structure):
    """The beginning of a directory's entry."""

    _fields_ = (("next", c_void_p), ("name", c_char_p))


@cache
def library() -> ctypes.CDLL:
    """The library; raises `OSError` if it is not installed."""
    lib = ctypes.CDLL(LIBRARY)
    for name, arguments in _FUNCTIONS.items():
        getattr(lib, name).argtypes = arguments
    for name, arguments, result in (
        ("nfs_init_context", (), c_void_p),
        ("nfs_get_error", (c_void_p,), c_char_p),
        ("nfs_parse_url_dir", (c_void_p, c_char_p), POINTER(_Url)),
        ("nfs_readdir", (c_void_p, c_void_p), POINTER(_Entry)),
    ):
        getattr(lib, name).argtypes, getattr(lib, name).restype = arguments, result
    return lib


class Nfs:
    """One mounted export. Every call raises `NfsError`."""

    def __init__(
        self,
        host: str,
        path: str,
        *,
        version: int,
        port: int,
        mount_port: int,
        timeout_ms: int = TIMEOUT_MS,
    ) -> None:
        self._lib, self._version = library(), version
        self.is_spoiled = False
        """Whether an open failed by version 4: libnfs 4 repeats its number, so the server its answer."""
        self._context = self._lib.nfs_init_context()
        ports = f"nfsport={port}&mountport={mount_port}"
        # The host of the URL is not used, and could not be an IPv6 address.
        url = f"nfs://host{path}?version={version}&{ports}&uid=0&gid=0"
        parsed = self._lib.nfs_parse_url_dir(self._context, url.encode())
        if not parsed:
            raise NfsError(0, f"{url}: {self._error()}")
        self._lib.nfs_destroy_url(parsed)
        self._lib.nfs_set_timeout(self._context, timeout_ms)
        self._lib.nfs_set_dircache(self._context, 0)
        try:
            self._call("mount", host.strip("[]").encode(), path.encode())
        except NfsError:
            self.disconnect()
            raise

    def disconnect(self) -> None:
        """Close the connection, when all files are closed; no call may follow."""
        self._lib.nfs_destroy_context(self._context)

    def open(self, path: str, flags: int = os.O_RDONLY) -> c_void_p:
        """Open a file; returns its handle."""
        file = c_void_p()
        try:
            self._call("open", path.encode(), flags, byref(file))
        except NfsError:
            self.is_spoiled = self._version == 4
            raise
        return file

    @contextmanager
    def opened(self, path: str, flags: int = os.O_RDONLY) -> Iterator[c_void_p]:
        """Open a file for the block."""
        file = self.open(path, flags)
        try:
            yield file
        finally:
            self._lib.nfs_close(self._context, file)

    def close(self, file: c_void_p) -> None:
        """Close a file."""
        self._call("close", file)

    def read(self, file: c_void_p, start: int, count: int) -> bytes:
        """Up to *count* bytes of the file from *start* on."""
        buffer = ctypes.create_string_buffer(count)
        length = self._call("pread", file, start, count, buffer)
        return buffer.raw[:length]

    def write(self, file: c_void_p, start: int, data: bytes) -> None:
        """Write *data* at *start*."""
        written = self._call("pwrite", file, start, len(data), data)
        if written != len(data):
            raise NfsError(0, f"{written} of {len(data)} bytes were written")

    def sync(self, file: c_void_p) -> None:
        """Commit what was written."""
        self._call("fsync", file)

    def names(self, path: str = "/") -> list[str]:
        """The names in a directory, without `.` and `..`."""
        directory = c_void_p()
        self._call("opendir", path.encode(), byref(directory))
        try:
            names = list(self._entries(directory))
        finally:
            self._lib.nfs_closedir(self._context, directory)
        return sorted(name for name in names if name not in (".", ".."))

    def _entries(self, directory: c_void_p) -> Iterator[str]:
        while entry := self._lib.nfs_readdir(self._context, directory):
            yield entry.contents.name.decode()

    def _call(self, function: str, *arguments: Any) -> int:
        result: int = getattr(self._lib, f"nfs_{function}")(self._context, *arguments)
        if result < 0:
            raise NfsError(-result, f"{function}: {self._error()}")
        return result

    def _error(self) -> str:
        return (self._lib.nfs_get_error(self._context) or b"").decode(errors="replace")
