"""Walks and removals of trees: depth, directories that move, and mounted filesystems."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from share_actors.drivers import RefusedByBackend
from share_actors.drivers.filesystem import granting, removal, tree
from share_actors.drivers.filesystem.removal import remove_tree
from share_actors.drivers.filesystem.tree import OtherFilesystem, walk
from share_actors.drivers.local import LocalDriver, LocalOptions
from share_actors.values import Snapshot
from tests.drivers.conftest import CONTEXT, SHARE, in_child

needs_mount = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")


@pytest.fixture
def deep() -> Iterator[LocalDriver]:
    """A driver with the share `SHARE` at a place where pytest does not try to remove deep trees."""
    place = Path(tempfile.mkdtemp(prefix="share-actors-"))
    driver = LocalDriver(configuration=LocalOptions(root=place / "root"), backend_name="here")
    driver.do_setup(CONTEXT)
    driver.create_share(CONTEXT, SHARE)
    yield driver
    parent = os.open(place.parent, os.O_RDONLY)
    remove_tree(parent, place.name)
    os.close(parent)


def test_a_walk_reaches_the_end_of_a_very_deep_tree_that_has_siblings(deep: LocalDriver) -> None:
    inside = deep._layout.path("shares", SHARE.id)
    make_deep_tree(inside, 3000)
    for name in ("a", "z"):
        (inside / "below" / "below" / name / "leaf").mkdir(parents=True)

    with deep._layout.folder("shares", SHARE.id) as fd, few_descriptors(48):
        assert sum(1 for _ in walk(fd)) == 3005


@contextmanager
def few_descriptors(more: int) -> Iterator[None]:
    """Let this process open *more* descriptors above the highest one that it has open."""
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    limited = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1 + more, limited[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limited)


def test_a_directory_that_moves_during_a_walk_does_not_lead_out_of_the_tree(
    inside: Path, tmp_path: Path
) -> None:
    for name in ("a/deep", "b/deep", "c/deep"):
        (inside / name).mkdir(parents=True)
    (tmp_path / "outside" / "secret").mkdir(parents=True)
    top = os.open(inside, os.O_RDONLY)
    seen = []
    for folder in walk(top):
        seen.append([name for name, _ in folder.path])
        if folder.name == "deep" and len(seen) == 3:
            Path(inside, *seen[-1]).rename(tmp_path / "outside" / "moved")
    os.close(top)

    assert len(seen) == 7
    assert not any("secret" in names for names in seen)


@needs_mount
def test_a_filesystem_mounted_inside_a_share_is_not_granted(
    driver: LocalDriver, inside: Path
) -> None:
    (inside / "mounted").mkdir()

    def unmanage() -> tuple[int, str]:
        mount(inside / "mounted")
        (inside / "mounted" / "file").write_text("kept")
        (inside / "mounted").chmod(0o755)
        driver.unmanage(SHARE)
        mounted = inside / "mounted"
        return mounted.stat().st_mode & 0o777, (mounted / "file").read_text()

    assert in_child(unmanage) == str((0o755, "kept"))


@needs_mount
@pytest.mark.parametrize("where", ["z/last", "a space \\ and\ttab", "."])
def test_a_share_with_a_filesystem_mounted_inside_is_deleted_after_the_unmount_and_not_before(
    driver: LocalDriver, inside: Path, where: str
) -> None:
    place = inside / where
    place.mkdir(parents=True, exist_ok=True)

    def delete() -> str:
        mount(place)
        (place / "file").write_text("kept")
        with pytest.raises(RefusedByBackend) as refused:
            driver.delete_share(CONTEXT, SHARE)
        assert (place / "file").read_text() == "kept"
        subprocess.run(["umount", place], check=True)
        (inside / "first").write_text("kept, too")
        driver.delete_share(CONTEXT, SHARE)
        return str(refused.value)

    (inside / "first").write_text("kept, too")
    message = in_child(delete)

    assert f"mounted inside it, at {place}: nothing was removed; unmount it" in message
    assert not inside.exists()


@needs_mount
def test_a_filesystem_that_is_mounted_during_a_removal_keeps_its_content(
    driver: LocalDriver, inside: Path, tmp_path: Path
) -> None:
    (inside / "below").mkdir()

    def remove() -> str:
        mount(inside / "below")
        (inside / "below" / "file").write_text("kept")
        with driver._layout.folder("shares") as fd, pytest.raises(OtherFilesystem):
            remove_tree(fd, SHARE.id)
        return (inside / "below" / "file").read_text()

    assert in_child(remove) == "kept"


def mount(place: Path) -> None:
    """Mount an empty filesystem at *place* for this process alone; it ends with the process."""
    if ctypes.CDLL(None).unshare(0x00020000):  # CLONE_NEWNS
        raise AssertionError("a private namespace of mounts is not permitted here")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=True)


@pytest.mark.parametrize("operation", ["snapshot", "measure", "rules", "delete"])
def test_the_work_on_a_deep_tree_is_linear_in_its_depth(
    deep: LocalDriver, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = count_opened(monkeypatch)
    snapshot = Snapshot(id="x", share_id=SHARE.id)
    work: dict[str, Callable[[], object]] = {
        "snapshot": lambda: deep.create_snapshot(CONTEXT, snapshot),
        "measure": lambda: deep._measure_share(SHARE.id),
        "rules": lambda: deep.unmanage(SHARE),
        "delete": lambda: deep.delete_share(CONTEXT, SHARE),
    }
    make_deep_tree(deep._layout.path("shares", SHARE.id), 3000, hard_links=operation == "snapshot")
    del opened[:]

    work[operation]()

    assert len(opened) < 3000 * 12


def count_opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that are opened from now on, one for each step of a path."""
    names: list[str] = []

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def count(*args: Any, **options: Any) -> Any:
            names.extend(a for a in args if isinstance(a, str))
            return real(*args, **options)

        return count

    monkeypatch.setattr(os, "open", counted(os.open))
    for module in (tree, removal, granting):
        monkeypatch.setattr(module, "open_inside", counted(tree.open_inside))
    return names


def make_deep_tree(top: Path, levels: int, *, hard_links: bool = False) -> None:
    """Make a chain of directories deeper than a path can be long, as a share's users can.

    With *hard_links* each directory has a link to one file.
    """
    fd = os.open(top, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("below", dir_fd=fd)
        parent, fd = fd, os.open("below", os.O_RDONLY, dir_fd=fd)
        if hard_links:
            (top / "file").touch()
            os.link(top / "file", "file", dst_dir_fd=fd)
        os.close(parent)
    os.close(fd)
