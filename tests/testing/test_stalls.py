"""Stalls at every change: which changes are seen, and that an unguarded one is found wherever it is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from share_actors.drivers.base import ShareDriver
from share_actors.drivers.filesystem.exchanging import exchange
from share_actors.drivers.local import LocalDriver, LocalOptions
from share_actors.testing.contracts.late import LATE, LATER, Calls, LateCallContract
from share_actors.testing.stalls import StalledCall, count_changes, spread
from share_actors.values import AccessRule, RequestContext, Share

FILES = 12


def exchanged(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY)
    exchange(fd, fd, "one", other_name="two")
    os.close(fd)


CHANGES: dict[str, Callable[[Path], object]] = {
    "a directory is made": lambda path: (path / "new").mkdir(),
    "a file is created": lambda path: (path / "new").touch(),
    "a file is emptied": lambda path: os.close(os.open(path / "one", os.O_WRONLY | os.O_TRUNC)),
    "a file is renamed": lambda path: (path / "one").rename(path / "new"),
    "a mode is changed": lambda path: (path / "one").chmod(0o600),
    "two files are exchanged": exchanged,
    "a program is run": lambda path: subprocess.run(["touch", path / "new"], check=True),
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "one").write_text("1")
    (tmp_path / "two").write_text("2")
    return tmp_path


def content(directory: Path) -> list[Any]:
    found = [(path.name, path.stat()) for path in sorted(directory.iterdir())]
    return [(name, status.st_mode, status.st_ino, status.st_size) for name, status in found]


@pytest.mark.parametrize("change", CHANGES)
def test_a_call_stalls_before_its_change(directory: Path, change: str) -> None:
    before = content(directory)

    stalled = StalledCall(1, partial(CHANGES[change], directory))

    assert content(directory) == before
    stalled.wake()
    assert stalled.error is None
    assert content(directory) != before


def test_reading_is_no_change(directory: Path) -> None:
    assert count_changes(lambda: [path.read_text() for path in directory.iterdir()]) == 0


def test_each_write_is_a_change_and_its_call_may_fail(directory: Path) -> None:
    def write() -> None:
        with (directory / "one").open("r+") as file:
            file.write("3")
        raise ValueError("failed")

    with pytest.raises(ValueError, match="failed"):
        count_changes(write)
    stalled = StalledCall(9, write)
    assert stalled.changes == 1
    assert isinstance(stalled.error, ValueError)


def test_a_sample_of_changes_has_the_first_and_the_last() -> None:
    assert spread(3, 5) == [1, 2, 3]
    assert spread(100, 4) == [1, 34, 67, 100]
    assert spread(0, 4) == []


# -- an unguarded change ------------------------------------------------------------------------------
class Writing(LocalDriver):
    """A driver that writes the size to many files, one of them unguarded."""

    unguarded: ClassVar[int]

    def extend_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        with self._fences.enter(share.id, context) as fence:
            for n in range(FILES):
                with nullcontext() if n == self.unguarded else fence.changing():
                    (self.folder / str(n)).write_text(str(new_size))

    @property
    def folder(self) -> Path:
        assert isinstance(self.configuration, LocalOptions)
        return self.configuration.root.parent


class Contract(LateCallContract):
    """The contract on the files of `Writing`."""

    def state_of(self, driver: ShareDriver, share: Share) -> Any:
        assert isinstance(driver, Writing)
        return [(driver.folder / str(n)).read_text() for n in range(FILES)]


def prepared(driver: ShareDriver, _: list[AccessRule]) -> Calls:
    share = Share(id="s1", size=1)
    assert isinstance(driver, Writing)
    for path in driver.folder.glob("*@fence"):
        path.unlink()
    driver._fences.path(share.id).unlink(missing_ok=True)
    return (
        share,
        lambda d: d.extend_share(LATE, share, 6),
        lambda d: d.extend_share(LATER, share, 8),
    )


@pytest.mark.parametrize("unguarded", [0, 5, FILES - 1, FILES])
def test_an_unguarded_change_is_found_wherever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unguarded: int
) -> None:
    monkeypatch.setattr(Writing, "unguarded", unguarded, raising=False)
    monkeypatch.setattr(LateCallContract, "most_stalls", 1000)
    driver = Writing(configuration=LocalOptions(root=tmp_path / "root"), backend_name="here")
    driver.do_setup(RequestContext())
    check = partial(Contract().late_calls_change_nothing, driver, prepared)

    if unguarded == FILES:  # there is none
        check()
    else:
        with pytest.raises(AssertionError, match="stalled before its change"):
            check()
