"""Files and directories of others beside those of a driver, as they are found on real filesystems."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

_YEAR_S = 365 * 24 * 3600
_COPIED = b'{"id": "another", "share_id": "another", "size": 7, "addresses": ["192.0.2.77"]}'
FILES: Mapping[bytes, bytes] = {
    b"notes.txt~": b"saved by an editor",
    b".notes.json.swp": b"\0\1",
    b"list.json": b"[1, 2, 3]",
    b"half-written.json": b'{"id": "half',
    b"binary.json": b"\xff\xfe",
    b"copy.json": _COPIED,
    b"copy (1).json": _COPIED,
    b"caf\xe9.json": b"{}",  # a name in Latin-1
    b"temporary.12345": b"left by a killed process",
    b"old@fence": b"not a number",
}
"""Names and contents of the files."""
FOLDERS = (b"lost+found", b".snapshot", b"my share (old)", b"caf\xe9@fence")
"""Names of the directories."""


def put_strays(folders: Iterable[Path]) -> dict[bytes, object]:
    """Put strays that are a year old into each of *folders*; returns what each path has."""
    paths = [path for folder in folders for path in _put(os.fsencode(folder))]
    return {path: _contents(path) for path in paths}


def changed(strays: Mapping[bytes, object]) -> list[bytes]:
    """The paths of the strays, as `put_strays` returned them, that are not there or have other contents."""
    return [path for path, contents in strays.items() if _contents(path) != contents]


def _put(folder: bytes) -> list[bytes]:
    paths = {
        name: os.path.join(folder, name) for name in (*FILES, *FOLDERS, b"link.json", b"pipe.json")
    }
    for name, content in FILES.items():
        Path(os.fsdecode(paths[name])).write_bytes(content)
        os.utime(paths[name], (time.time() - _YEAR_S,) * 2)
    for name in FOLDERS:
        os.mkdir(paths[name])
        Path(os.fsdecode(paths[name]), "content").write_bytes(name)
    os.symlink(b"nowhere", paths[b"link.json"])
    os.mkfifo(paths[b"pipe.json"])
    return list(paths.values())


def _contents(path: bytes) -> object:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISREG(mode):
        return Path(os.fsdecode(path)).read_bytes()
    return os.listdir(path) if stat.S_ISDIR(mode) else stat.S_IFMT(mode)
