"""A key store in a directory: one file for each subject, for this user only.

index.key         the key from which the ids of subjects are made
keys/ID           the key of a subject, and its name
forgotten/ID      says that the key of a subject was destroyed, and when
closing/ID        says that the subject is being forgotten: what a crash left is finished or undone

A byte of `index.key` is the lock of a stripe. The locks belong to open files, so a process has both kinds.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from share_actors.durable_files import create_file, sync_directory
from share_actors.errors import LogError
from share_actors.events.subjects.keys import KEY_BYTES

_FLOCK = struct.Struct("hhqqi4x")
"""The C structure of a lock on bytes of a file."""


class KeyDirectory:
    """A `KeyStore` in the directory *path*, which is created with the first key."""

    def __init__(self, path: Path) -> None:
        self._path, self.where = path, str(path)
        self.session = 0
        self._keys, self._forgotten = path / "keys", path / "forgotten"
        self._closing = path / "closing"
        self._locks: dict[bool, int] = {}
        """The open files whose locks are shared, and whose are not."""

    def index_key(self, *, create: bool) -> bytes | None:
        """See `KeyStore`."""
        path = self._path / "index.key"
        with self._errors():
            if create and not path.exists():
                create_file(path, os.urandom(KEY_BYTES))
            key = _read(path)
        if key is not None and len(key) != KEY_BYTES:
            raise self._error(f"index.key is not a key of {KEY_BYTES} bytes")
        return key

    def read(self, subject_ids: Sequence[str]) -> Mapping[str, str]:
        """See `KeyStore`."""
        with self._errors():
            found = {i: _read(self._keys / i) for i in subject_ids}
        return {i: content.decode() for i, content in found.items() if content is not None}

    def create(self, subject_id: str, document: str) -> str:
        """See `KeyStore`."""
        path = self._keys / subject_id
        with self._errors():
            if path.exists() or not create_file(path, document.encode()):
                return path.read_text()
        return document

    def markers(self) -> Mapping[str, str]:
        """See `KeyStore`."""
        with self._errors():
            return {i: (_read(self._forgotten / i) or b"").decode() for i in _ids(self._forgotten)}

    def mark_forgotten(self, subject_id: str, marker: str) -> None:
        """See `KeyStore`."""
        with self._errors():
            create_file(self._forgotten / subject_id, marker.encode())

    def destroy(self, subject_id: str) -> None:
        """Overwrite the key and remove its file. A file system that copies on write keeps the old blocks."""
        path = self._keys / subject_id
        with self._errors(), suppress(FileNotFoundError):
            with path.open("r+b") as file:
                file.write(b"\0" * os.fstat(file.fileno()).st_size)
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
            sync_directory(path.parent)

    def documents(self) -> Iterator[tuple[str, str]]:
        """See `KeyStore`."""
        ids = _ids(self._keys)
        yield from self.read(ids).items()

    def change(self) -> object:
        """See `KeyStore`: when the directories of markers and marks changed last, and how many there are."""
        with self._errors():
            return _change(self._forgotten), _change(self._closing)

    # -- being forgotten ---------------------------------------------------------------------------
    def closing(self) -> Mapping[str, str]:
        """See `KeyStore`."""
        with self._errors():
            return {i: (_read(self._closing / i) or b"").decode() for i in _ids(self._closing)}

    def mark_closing(self, subject_id: str, mark: str) -> None:
        """See `KeyStore`."""
        with self._errors():
            create_file(self._closing / subject_id, mark.encode())

    def unmark_closing(self, subject_id: str) -> None:
        """See `KeyStore`."""
        with self._errors(), suppress(FileNotFoundError):
            (self._closing / subject_id).unlink()
            sync_directory(self._closing)

    def ping(self) -> None:
        """See `KeyStore`; the kernel keeps the locks as long as the process lives."""

    def hold(self, stripes: Collection[int]) -> bool:
        """See `KeyStore`."""
        with self._errors():
            taken: list[int] = []
            for stripe in stripes:
                if not self._set_lock(fcntl.F_RDLCK, stripe):
                    self.release(taken)
                    return False
                taken.append(stripe)
        return True

    def release(self, stripes: Collection[int]) -> None:
        """See `KeyStore`."""
        with self._errors():
            for stripe in stripes:
                self._set_lock(fcntl.F_UNLCK, stripe)

    def lock(self, stripe: int) -> bool:
        """See `KeyStore`."""
        with self._errors():
            return self._set_lock(fcntl.F_WRLCK, stripe, alone=True)

    def unlock(self, stripe: int) -> None:
        """See `KeyStore`."""
        with self._errors():
            self._set_lock(fcntl.F_UNLCK, stripe, alone=True)

    def _set_lock(self, kind: int, stripe: int, *, alone: bool = False) -> bool:
        """Change the lock of a byte; False if another open file has it."""
        file = self._locks.get(alone)
        if file is None and kind == fcntl.F_UNLCK:
            return True
        if file is None:
            file = self._locks[alone] = os.open(self._path / "index.key", os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, _FLOCK.pack(kind, os.SEEK_SET, stripe, 1, 0))
        except (BlockingIOError, PermissionError):  # POSIX allows either
            return False
        return True

    def close(self) -> None:
        """See `KeyStore`; its locks are freed."""
        while self._locks:
            os.close(self._locks.popitem()[1])

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._error(f"{error.filename}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise self._error("a file in it is not text, so it is damaged") from None

    def _error(self, problem: str) -> LogError:
        return LogError(
            f"erasure.store {self._path}: {problem}; the key store was left as it is; check that this"
            " user may read and write it, or restore it from its backup",
            field="erasure.store",
            value=self.where,
        )


def _change(directory: Path) -> object:
    with suppress(FileNotFoundError):
        return directory.stat().st_mtime_ns, len(os.listdir(directory))
    return None


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _ids(directory: Path) -> list[str]:
    """The names of the files in *directory* but for those that a crash left unfinished."""
    try:
        return sorted(name for name in os.listdir(directory) if not name.startswith("."))
    except FileNotFoundError:
        return []
