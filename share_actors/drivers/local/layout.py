"""The directories of the local driver below its root, and atomic creation and removal of their entries.

shares/ID, snapshots/SHARE@SNAPSHOT: complete shares and snapshots. meta/ID.json: the size of a share;
meta/ID@rules: how far its access rules are applied, see `filesystem.granting`.
making/, trash/: incomplete copies and removals, with the same names. links/ID: copies of files of a share
that have several hard links, see `filesystem.linked_files`. locks/: see `filesystem.locks`.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from share_actors.drivers.base import ManageInvalidShare
from share_actors.drivers.fence import SUFFIX as FENCE
from share_actors.drivers.fence import is_fence
from share_actors.drivers.filesystem import acl
from share_actors.drivers.filesystem.copying import sync_filesystem
from share_actors.drivers.filesystem.exchanging import exchange
from share_actors.drivers.filesystem.granting_record import SavedRecord
from share_actors.drivers.filesystem.ids import checked_id
from share_actors.drivers.filesystem.locks import Lock, locked
from share_actors.drivers.filesystem.manage_options import is_snapshot_of, owner_by_name
from share_actors.drivers.filesystem.own_files import own_names, read_record, records
from share_actors.drivers.filesystem.removal import refuse_mounts, remove_tree
from share_actors.drivers.filesystem.tree import opened, opened_below

logger = logging.getLogger(__name__)
Area = Literal["shares", "snapshots"]
RULES = "@rules"
"""The end of the name of the file that says how far the rules of a share are applied."""
# Users of shares must be able to pass through `shares`, but not to list it.
MODES = {
    "shares": 0o711,
    "snapshots": 0o700,
    "meta": 0o700,
    "locks": 0o700,
    "making": 0o700,
    "trash": 0o700,
    "links": 0o700,
}


def snapshot_name(share_id: str, snapshot_id: str) -> str:
    """The unique name of a snapshot's directory; ids cannot contain `@`."""
    return f"{checked_id('share', share_id)}@{checked_id('snapshot', snapshot_id)}"


class Layout:
    """The directories below *root*. Methods raise `OSError`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def prepare(self) -> None:
        """Create the root and its directories unless they exist."""
        self.root.mkdir(mode=0o711, parents=True, exist_ok=True)
        for name, mode in MODES.items():
            with suppress(FileExistsError):
                (self.root / name).mkdir(mode)
                (self.root / name).chmod(mode)  # whatever the umask is
                acl.remove_default(self.root / name)  # shares would inherit it from the root
        _sync(self.root)

    def path(self, area: Area, name: str) -> Path:
        """The path of a share or snapshot, whether or not it exists."""
        return self.root / area / name

    @contextmanager
    def folder(self, *names: str) -> Iterator[int]:
        """Open a directory below the root; yields a file descriptor."""
        with opened_below(self.root, *names) as fd:
            yield fd

    def exists(self, area: Area, name: str) -> bool:
        """Whether the share or snapshot exists completely."""
        with self.folder(area) as fd:
            return _is_directory(fd, name)

    def leftovers(self, name: str) -> bool:
        """Whether an interrupted attempt left an incomplete copy, removal, or record of a size."""
        with self.folder("making") as making, self.folder("trash") as trash:
            if _is_directory(making, name) or _is_directory(trash, name):
                return True
        with self.folder("meta") as meta:
            return _has(meta, f"{name}.new", _is_file)

    @contextmanager
    def lock(self, name: str, *, shared: bool = False, wait: bool = True) -> Iterator[Lock]:
        """Lock *name*; see `filesystem.locks.locked`."""
        with self.folder("locks") as fd, locked(fd, name, shared=shared, wait=wait) as lock:
            yield lock

    # -- creation and removal ------------------------------------------------------------------
    def make_share(self, name: str) -> None:
        """Create an empty share that only its owner can access."""
        with self.folder("shares") as fd:
            os.mkdir(name, 0o700, dir_fd=fd)
            os.fsync(fd)

    @contextmanager
    def appearing(self, area: Area, name: str) -> Iterator[int]:
        """Yield an empty directory to fill; it becomes *name* at the end of the block, unless that raises."""
        with self.folder("making") as making, self.folder(area) as target:
            remove_tree(making, name)  # left by an interrupted attempt
            os.mkdir(name, 0o700, dir_fd=making)
            try:
                with opened(making, (name,)) as fd:
                    yield fd
                    sync_filesystem(fd)
                os.rename(name, name, src_dir_fd=making, dst_dir_fd=target)
            except BaseException:
                with suppress(OSError):
                    remove_tree(making, name)
                raise
            os.fsync(target)

    @contextmanager
    def replacing(
        self, name: str, changing: Callable[[], AbstractContextManager[None]]
    ) -> Iterator[int]:
        """Yield an empty directory to fill; at the end of the block it takes the place of the share *name*.

        There is a share at every moment. What it had before is removed, and with it whatever an interrupted
        attempt left; *changing* is around the exchange, and may raise. Raises `RefusedByBackend`, and
        changes nothing, if a filesystem is mounted inside or the two cannot be exchanged at once.
        """
        with self.folder("making") as making, self.folder("shares") as shares:
            refuse_mounts(shares, name, "revert")
            remove_tree(making, name)
            os.mkdir(name, 0o700, dir_fd=making)
            try:
                with opened(making, (name,)) as fd:
                    yield fd
                    sync_filesystem(fd)
                with changing():
                    exchange(making, shares, name)
                    os.fsync(shares)
            finally:
                _discard(making, name)

    def remove(self, area: Area, name: str, check: Callable[[], None] = lambda: None) -> None:
        """Remove *name* atomically, then free its space and that of earlier interrupted attempts.

        *check* is called just before the removal, and may raise. Raises `RefusedByBackend`, and removes
        nothing, if a filesystem is mounted inside.
        """
        with (
            self.folder("making") as making,
            self.folder("trash") as trash,
            self.folder(area) as fd,
        ):
            for parent in (fd, trash):
                refuse_mounts(parent, name)
            remove_tree(trash, name)
            remove_tree(making, name)
            check()
            with suppress(FileNotFoundError):
                os.rename(name, name, src_dir_fd=fd, dst_dir_fd=trash)
                os.fsync(fd)
            remove_tree(trash, name)

    def adoptable(self, path: str, *, snapshot: bool = False) -> Path:
        """The absolute path of the directory *path*; raises `ManageInvalidShare` if it cannot be adopted.

        *snapshot*: it may be a snapshot of a share that is not there.
        """
        *parents, last = self._adoptable_names(path, snapshot=snapshot)
        with self.folder(*parents) as source:
            if not _is_directory(source, last):
                raise ManageInvalidShare(f"path {path!r} is not a directory under {self.root}")
        return Path(self.root, *parents, last)

    def adopt(
        self,
        path: str,
        name: str,
        area: Area = "shares",
        *,
        snapshot: bool = False,
        check: Callable[[], None],
    ) -> None:
        """Move the directory *path*, absolute or relative to the root, to the share or snapshot *name*.

        *snapshot*: as for `adoptable`. *check* is called before it is moved and may raise. Raises
        `ManageInvalidShare` if it cannot be adopted.
        """
        *parents, last = self._adoptable_names(path, snapshot=snapshot)
        self.adoptable(path, snapshot=snapshot)
        with self.folder(*parents) as source, self.folder(area) as target:
            check()
            os.rename(last, name, src_dir_fd=source, dst_dir_fd=target)
            os.fsync(source)
            os.fsync(target)

    def _adoptable_names(self, path: str, *, snapshot: bool) -> tuple[str, ...]:
        try:
            names = PurePosixPath(self.root, path).relative_to(self.root).parts
        except ValueError:
            names = ()
        if "\0" in path:
            names = ()
        areas = {"shares", "snapshots"} if snapshot else {"shares"}
        inside = names[1:] if names[:1] in {(area,) for area in areas} else names
        if not inside or ".." in names or names[0] in MODES.keys() - areas:
            raise ManageInvalidShare(
                f"path {path!r} is not a directory that can be managed under {self.root}"
            )
        if names[0] == "shares" and self.size(names[1]) is not None:
            raise ManageInvalidShare(f"path {path!r} belongs to the share {names[1]}")
        owner = owner_by_name(names)
        if owner and self.exists("shares", owner):
            raise ManageInvalidShare(f"path {path!r} {is_snapshot_of(owner)}")
        return names

    # -- sizes ---------------------------------------------------------------------------------
    def size(self, name: str) -> int | None:
        """The recorded size of a share in GiB; None if it is missing or unreadable."""
        record = read_record(self.root / "meta" / f"{name}.json")
        return None if record is None else _size_in(record, name)

    def record_size(self, name: str, size: int) -> None:
        """Record the size of a share in GiB; it survives a power failure."""
        with self.folder("meta") as fd:
            new = os.open(f"{name}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600, dir_fd=fd)
            with open(new, "w", encoding="utf-8") as file:
                json.dump({"id": name, "size": size}, file)
                file.flush()
                os.fsync(new)
            os.rename(f"{name}.new", f"{name}.json", src_dir_fd=fd, dst_dir_fd=fd)
            os.fsync(fd)

    def applied_rules(self, name: str) -> SavedRecord:
        """The record of how far the access rules of a share are applied."""
        return SavedRecord(self.root / "meta" / f"{name}{RULES}", self.root / "links" / name)

    def forget(self, name: str) -> None:
        """Remove the recorded size of a share, and what a change of its rules left, if there is any."""
        with self.folder("meta") as fd:
            for suffix in (".new", ".json", f"{RULES}.new", RULES):
                with suppress(FileNotFoundError):
                    os.unlink(name + suffix, dir_fd=fd)
        with self.folder("links") as fd:
            remove_tree(fd, name)

    def sizes(self) -> dict[str, int]:
        """The recorded size of each share in GiB, by id."""
        found = records(self.root / "meta").items()
        sizes = {name: _size_in(record, name) for name, record in found if record.get("id") == name}
        return {name: size for name, size in sizes.items() if size is not None}

    def share_ids(self) -> list[str]:
        """The ids of the shares that exist; other directories beside them are not shares."""
        return sorted(name for name in self.sizes() if self.exists("shares", name))

    # -- the end of a root without shares --------------------------------------------------------
    def clear(self) -> None:
        """Remove all directories with what the driver made in them; there must be no shares.

        Entries of others stay, with the directories that they are in.
        """
        for folder in MODES:
            with suppress(FileNotFoundError), self.folder(folder) as fd:
                for name in self._own_entries(folder, fd):
                    remove_tree(fd, name)
            try:
                (self.root / folder).rmdir()
            except OSError as error:
                if error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.ENOTEMPTY}:
                    raise

    def _own_entries(self, folder: str, fd: int) -> list[str]:
        """The names of what the driver made in *folder*, open as *fd*, except shares."""
        if folder == "meta":
            temporary = [f"{name}.new" for name in own_names(fd, ".new")]
            fences = [f"{name}{FENCE}" for name in own_names(fd, FENCE)]
            rules = [f"{name}{RULES}" for name in own_names(fd, RULES)]
            return [
                *(f"{name}.json" for name in self.sizes()),
                *(name for name in (*temporary, *rules) if _has(fd, name, _is_file)),
                *(name for name in fences if _has(fd, name, is_fence)),
            ]
        if folder == "locks":
            return [name for name in own_names(fd) if _has(fd, name, _is_empty)]
        return [n for n in own_names(fd) if _is_directory(fd, n)] if folder != "shares" else []


def _size_in(record: Mapping[str, Any], name: str) -> int | None:
    try:
        return int(record["size"])
    except (ValueError, KeyError, TypeError) as error:
        logger.warning("cannot read the size of share %s: %r", name, error)
        return None


def _discard(parent: int, name: str) -> None:
    """Remove the tree *name*; what cannot be removed goes with the next attempt, or with the share."""
    try:
        remove_tree(parent, name)
    except OSError as error:
        logger.warning("what share %s had before is not removed yet: %s", name, error)


def _is_directory(parent: int, name: str) -> bool:
    return _has(parent, name, lambda status: stat.S_ISDIR(status.st_mode))


def _has(parent: int, name: str, kind: Callable[[os.stat_result], bool]) -> bool:
    """Whether the entry *name* of the open directory *parent* exists and is of this kind."""
    try:
        return kind(os.stat(name, dir_fd=parent, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _is_file(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode)


def _is_empty(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and not status.st_size


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
