"""Walks and removals of trees: depth, directories that move, and mounted filesystems."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from share_actors.drivers import DriverError
from share_actors.drivers.filesystem.tree import walk
from share_actors.drivers.local import LocalDriver
from tests.drivers.conftest import CONTEXT, SHARE

needs_mount = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")


def test_a_walk_reaches_the_end_of_a_very_deep_tree_that_has_siblings(
    driver: LocalDriver, inside: Path
) -> None:
    make_deep_tree(inside, 3000)
    for name in ("a", "z"):
        (inside / "below" / "below" / name / "leaf").mkdir(parents=True)

    with driver._layout.folder("shares", SHARE.id) as fd:
        limited = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, limited[1]))
        try:
            assert sum(1 for _ in walk(fd)) == 3005
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limited)
    driver.delete_share(CONTEXT, SHARE)  # pytest cannot remove a tree of this depth


def test_a_directory_that_moves_during_a_walk_does_not_lead_out_of_the_tree(
    inside: Path, tmp_path: Path
) -> None:
    for name in ("a/deep", "b/deep", "c/deep"):
        (inside / name).mkdir(parents=True)
    (tmp_path / "outside" / "secret").mkdir(parents=True)
    top = os.open(inside, os.O_RDONLY)
    seen = []
    for folder in walk(top):
        seen.append(folder.names)
        if folder.name == "deep" and len(seen) == 3:
            Path(inside, *folder.names).rename(tmp_path / "outside" / "moved")
    os.close(top)

    assert len(seen) == 7
    assert not any("secret" in names for names in seen)


@needs_mount
def test_a_filesystem_mounted_inside_a_share_is_neither_removed_nor_granted(
    driver: LocalDriver, inside: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir(mode=0o755)
    (other / "file").write_text("kept")
    (inside / "mounted").mkdir()
    with bind_mounted(other, inside / "mounted"):
        driver.unmanage(SHARE)
        with pytest.raises(DriverError, match="mounted"):
            driver.delete_share(CONTEXT, SHARE)

        assert other.stat().st_mode & 0o777 == 0o755
        assert (other / "file").read_text() == "kept"

    driver.delete_share(CONTEXT, SHARE)
    assert (other / "file").read_text() == "kept"


@contextmanager
def bind_mounted(source: Path, target: Path) -> Iterator[None]:
    """Mount *source* at *target*, which may move meanwhile: the mount is found by its inode."""
    subprocess.run(["mount", "--bind", source, target], check=True)
    try:
        yield
    finally:
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        places = [line.split()[4] for line in mounts]
        (place,) = [p for p in places if Path(p).is_dir() and Path(p).samefile(source)]
        subprocess.run(["umount", place], check=True)


def make_deep_tree(top: Path, levels: int) -> None:
    """Make a chain of directories deeper than a path can be long, as a share's users can."""
    fd = os.open(top, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("below", dir_fd=fd)
        parent, fd = fd, os.open("below", os.O_RDONLY, dir_fd=fd)
        os.close(parent)
    os.close(fd)
