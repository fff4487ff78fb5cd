"""The subvolumes of a backend, in the top subvolume of its filesystem, which is mounted at POOL.

POOL/shares/ID: a share. POOL/snapshots/SHARE@SNAPSHOT: a snapshot, read-only. POOL/making/ID: a share that is
not complete. POOL/before/ID: the state of a share before it was reverted last. Other entries are not ours.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from share_actors.drivers.base import DriverError, RefusedByBackend
from share_actors.drivers.btrfs import ioctls
from share_actors.drivers.btrfs.image import GIB
from share_actors.drivers.fence import check_deadline
from share_actors.drivers.filesystem.mounts import is_mounted
from share_actors.drivers.filesystem.own_files import is_own_name, own_names
from share_actors.drivers.filesystem.tree import DIRECTORY, opened

Area = Literal["shares", "snapshots", "making", "before"]
AREAS: tuple[Area, ...] = ("shares", "snapshots", "making", "before")


def area_of(name: str) -> Area:
    """The area of what is exported as *name*, a share's id or SHARE@SNAPSHOT."""
    return "snapshots" if "@" in name else "shares"


def share_of(name: str) -> str:
    """The id of the share that *name* is, or is a snapshot of."""
    return name.partition("@")[0]


def label_of(name: str) -> str:
    """What is exported as *name*, in words."""
    share, _, snapshot = name.partition("@")
    return f"snapshot {snapshot} of share {share}" if snapshot else f"share {share}"


class SubvolumePool:
    """The subvolumes below *path*, a directory of the top subvolume. Methods raise `OSError`.

    *mount_point*: where the top subvolume is mounted. Default: at *path*.
    """

    def __init__(self, path: Path, mount_point: Path | None = None) -> None:
        self.path, self.mount_point = path, mount_point or path

    def prepare(self) -> None:
        """Create the directories of the areas unless they exist."""
        for area in AREAS:
            with suppress(FileExistsError):
                (self.path / area).mkdir(0o700)

    @property
    def is_mounted(self) -> bool:
        """Whether the filesystem is mounted."""
        return is_mounted(self.mount_point)

    @property
    def is_read_only(self) -> bool:
        """Whether the mounted filesystem accepts no changes."""
        return bool(os.statvfs(self.mount_point).f_flag & os.ST_RDONLY)

    @contextmanager
    def folder(self, *names: str) -> Iterator[int]:
        """Open a directory of the filesystem, never through a symbolic link; yields a file descriptor."""
        top = os.open(self.path, DIRECTORY)
        try:
            with opened(top, names) as fd:
                yield fd
        finally:
            os.close(top)

    def location(self, area: Area, name: str) -> Path:
        """The path of a subvolume, whether or not it exists."""
        return self.path / area / name

    def exists(self, area: Area, name: str) -> bool:
        """Whether there is a subvolume *name*; an ordinary directory is none."""
        try:
            return os.lstat(self.path / area / name).st_ino == ioctls.FIRST_INODE
        except FileNotFoundError:
            return False

    def names(self, area: Area) -> list[str]:
        """The names of all subvolumes of an area, sorted."""
        return [name for name in own_names(self.path / area) if self.exists(area, name)]

    def tree(self, area: Area, name: str) -> int | None:
        """The id of the subvolume; None if it does not exist."""
        if not self.exists(area, name):
            return None
        with self.folder(area, name) as fd:
            return ioctls.tree_id(fd)

    # -- creation and removal ------------------------------------------------------------------
    def make(
        self, name: str, size: int | None, source: str | None, check: Callable[[], None]
    ) -> None:
        """Make `making`/*name* of *size* bytes, empty or with the content of the snapshot *source*."""
        self.destroy("making", name, check)
        check()
        with self.folder("making") as making, self.folder() as top:
            if source is None:
                ioctls.create_subvolume(making, name)
            else:
                with self.folder("snapshots", source) as original:
                    ioctls.snapshot_subvolume(original, making, name, read_only=False)
            with opened(making, (name,)) as fd:
                ioctls.set_limit(top, ioctls.tree_id(fd), size)
                if source is None:
                    os.fchmod(fd, 0o777)  # which users may write is for the clients to say

    def complete(self, name: str) -> None:
        """Move the share from `making` to `shares`, where it exists completely."""
        with self.folder("making") as making, self.folder("shares") as shares:
            os.rename(name, name, src_dir_fd=making, dst_dir_fd=shares)

    def swap(self, name: str) -> None:
        """Exchange the subvolumes *name* of `making` and `shares` in one step."""
        with self.folder("making") as making, self.folder("shares") as shares:
            ioctls.exchange((making, name), (shares, name))

    def keep_before(self, name: str, check: Callable[[], None]) -> None:
        """Move `making`/*name* to `before`, instead of what is there."""
        self.destroy("before", name, check)
        check()
        with self.folder("making") as making, self.folder("before") as before:
            os.rename(name, name, src_dir_fd=making, dst_dir_fd=before)

    def destroy(self, area: Area, name: str, check: Callable[[], None]) -> None:
        """Destroy the subvolume in one step, unless it does not exist.

        Raises `RefusedByBackend`, and destroys nothing, if another subvolume is inside it.
        """
        if not self.exists(area, name):
            return
        if inside := self.nested(area, name):
            raise RefusedByBackend(
                f"there is a subvolume inside it, {inside[0]}: nothing was destroyed; delete or move that"
                " subvolume, and repeat the deletion"
            )
        check()
        with self.folder(area) as fd:
            ioctls.destroy_subvolume(fd, name)

    def take_snapshot(self, share: str, name: str) -> None:
        """Make the read-only snapshot *name* of *share*."""
        with self.folder("shares", share) as source, self.folder("snapshots") as snapshots:
            ioctls.snapshot_subvolume(source, snapshots, name, read_only=True)

    def nested(self, *names: str) -> list[str]:
        """The paths of the subvolumes directly inside the subvolume at the path *names*."""
        with self.folder(*names) as fd:
            below = sorted({path for _, path in ioctls.children(fd)})
        return [str(found) for path in below for found in self._subvolumes_in(*names, path)]

    def other_subvolumes(self) -> list[tuple[str, ...]]:
        """The paths, as names, of the subvolumes of the top one that are not the driver's.

        One that is directly in an area is not the driver's if it has a name that the driver does not give.
        """
        with self.folder() as top:
            below = sorted({path for _, path in ioctls.children(top)})
        found = [place for path in below for place in self._subvolumes_in(path)]
        paths = [place.relative_to(self.path).parts for place in found]
        return [path for path in paths if not _is_own(path)]

    def _subvolumes_in(self, *names: str) -> list[Path]:
        check_deadline(f"search for subvolumes in {self.path}")
        with os.scandir(self.path.joinpath(*names)) as entries:
            found = [Path(entry) for entry in entries if entry.is_dir(follow_symlinks=False)]
        return [path for path in found if path.lstat().st_ino == ioctls.FIRST_INODE]

    # -- sizes ---------------------------------------------------------------------------------
    def sync(self) -> None:
        """Commit: what was done survives a power failure, and the quotas are exact."""
        check_deadline(f"commit of {self.mount_point}")
        with self.folder() as top:
            ioctls.sync(top)

    def quota_mode(self) -> ioctls.QuotaMode | None:
        """The mode of the quotas that are in force; None if they are off."""
        with self.folder() as top:
            return ioctls.quota_mode(ioctls.filesystem_id(top))

    def use_and_limit(self, *names: str) -> tuple[int, int | None]:
        """The bytes that count for the subvolume at the path *names* as of the last commit, and its limit.

        The limit is in bytes; None if it has none.
        """
        with self.folder(*names) as fd:
            filesystem, tree = ioctls.filesystem_id(fd), ioctls.tree_id(fd)
            return ioctls.used(filesystem, tree), ioctls.limit(filesystem, tree)

    def used(self, name: str) -> int:
        """The bytes that count for the share, as of the last commit."""
        return self.use_and_limit("shares", name)[0]

    def limit(self, name: str) -> int | None:
        """The limit of the share in bytes; None if it has none."""
        return self.use_and_limit("shares", name)[1]

    def set_limit(self, name: str, size: int | None) -> None:
        """Limit the share to *size* bytes; None: no limit. Raises `DriverError` if that had no effect."""
        with self.folder() as top, self.folder("shares", name) as fd:
            ioctls.set_limit(top, ioctls.tree_id(fd), size)
        if (found := self.limit(name)) != size:
            raise DriverError(
                f"share {name} has a limit of {found} bytes after setting {size} bytes"
            )

    def size_gib(self, name: str) -> int | None:
        """The whole GiB of the share's limit, which an operator may have edited; None if it has none."""
        limit = self.limit(name)
        return None if limit is None else limit // GIB


def _is_own(path: tuple[str, ...]) -> bool:
    return len(path) == 2 and path[0] in AREAS and is_own_name(path[1])
