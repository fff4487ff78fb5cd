"""Calls of the local driver that stall, time out, and go on after later calls have succeeded."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from share_actors.config import BackendSettings, Config
from share_actors.drivers.base import ShareDriver
from share_actors.drivers.fence import Fences, Overtaken
from share_actors.drivers.filesystem import acl
from share_actors.drivers.filesystem.granting import set_grants
from share_actors.drivers.local import LocalDriver, LocalOptions
from share_actors.testing import SyncInProcessSystem, sync_system
from share_actors.values import RequestContext, Share, Snapshot
from tests.drivers.conftest import keeps_acls
from tests.waiting import until

__all__ = ["keeps_acls"]
USER = "1001"


class StallingDriver(LocalDriver):
    """A local driver whose storage stalls in the first two calls of some operations."""

    left: ClassVar[Counter[str]] = Counter()
    """Operations to the number of calls that stall."""
    stalled = threading.Semaphore(0)
    recovered = threading.Event()
    ends: ClassVar[list[threading.Event]] = []

    @contextmanager
    def _share_lock(
        self, operation: str, share_id: str, *args: Any, **options: Any
    ) -> Iterator[Any]:
        ended = None
        if self.left[operation] > 0:
            self.left[operation] -= 1
            self.ends.append(ended := threading.Event())
            self.stalled.release()
            self.recovered.wait()
        try:
            with super()._share_lock(operation, share_id, *args, **options) as fence:
                yield fence
        finally:
            if ended is not None:
                ended.set()


@pytest.fixture
def system(tmp_path: Path) -> Iterator[SyncInProcessSystem]:
    StallingDriver.left.clear()
    StallingDriver.ends.clear()
    StallingDriver.recovered.clear()
    backend = BackendSettings(
        driver="stalling", options={"root": str(tmp_path / "root")}, timeout_s=0.5, backoff_s=0.01
    )
    config = Config(backends={"here": backend})
    with sync_system(config, drivers={"stalling": StallingDriver}) as running:
        yield running
        StallingDriver.recovered.set()


def stall(operation: str) -> None:
    StallingDriver.left[operation] = 2


def two_calls_stalled() -> None:
    for _ in range(2):
        assert StallingDriver.stalled.acquire(timeout=20)


def storage_recovers() -> None:
    """Wake the stalled calls, and wait until they have ended."""
    StallingDriver.recovered.set()
    for ended in StallingDriver.ends:
        assert ended.wait(20)


@pytest.mark.usefixtures("keeps_acls")
def test_a_denied_user_has_no_access_after_stalled_calls_that_allowed_it_go_on(
    system: SyncInProcessSystem, tmp_path: Path
) -> None:
    share = system.create_share(size=1)
    stall("set access of share")
    rule = share.allow_access(USER, wait=False)
    two_calls_stalled()
    share.deny_access(rule)

    storage_recovers()

    assert share.refresh().access_rules == ()
    with _driver(tmp_path)._layout.folder("shares", share.id) as fd:
        assert acl.grants_of(fd) == {}


def test_a_stalled_extension_that_goes_on_does_not_undo_a_later_one(
    system: SyncInProcessSystem, tmp_path: Path
) -> None:
    share = system.create_share(size=1)
    stall("extend share")
    share.extend(6, wait=False)
    two_calls_stalled()
    until(lambda: share.refresh().status == "available")
    share.extend(8)

    storage_recovers()

    assert share.refresh().size == 8
    assert _driver(tmp_path)._layout.size(share.id) == 8


def _driver(tmp_path: Path) -> LocalDriver:
    driver = LocalDriver(configuration=LocalOptions(root=tmp_path / "root"), backend_name="here")
    driver.do_setup(RequestContext())
    return driver


def attempt(number: int) -> RequestContext:
    return RequestContext(token=f"test:{number}")


# -- long walks that are overtaken stop -------------------------------------------------------------
class CopyingDriver(LocalDriver):
    """A local driver that calls `during` at each progress of a copy."""

    during: ClassVar[Callable[[], None]]

    def progress(self, what: str, done: int, total: int) -> None:
        type(self).during()


def test_an_overtaken_copy_stops_at_the_next_file(tmp_path: Path) -> None:
    driver = CopyingDriver(configuration=LocalOptions(root=tmp_path / "root"))
    driver.do_setup(RequestContext())
    (export,) = driver.create_share(attempt(1), Share(id="s1", size=1))
    for n in range(20):
        (Path(export.path) / str(n)).write_text("data")
    reported = []

    def later_attempt_begins() -> None:
        reported.append(1)
        with driver._fences.enter("s1", attempt(3)):
            pass

    CopyingDriver.during = later_attempt_begins
    with pytest.raises(Overtaken, match="overtaken by a later attempt"):
        driver.create_snapshot(attempt(2), Snapshot(id="snap", share_id="s1", size=1))

    assert len(reported) == 1
    assert not driver._layout.leftovers("s1@snap")


@pytest.mark.usefixtures("keeps_acls")
def test_an_overtaken_walk_stops_at_the_next_file(tmp_path: Path) -> None:
    driver = _driver(tmp_path)
    (export,) = driver.create_share(attempt(1), Share(id="s1", size=1))
    for n in range(20):
        (Path(export.path) / str(n)).write_text("data")
    checked = []

    with (
        driver._layout.folder("shares", "s1") as fd,
        driver._fences.enter("s1", attempt(2)) as fence,
    ):

        def check() -> None:
            checked.append(1)
            if len(checked) == 5:
                driver.extend_share(attempt(3), Share(id="s1", size=1), 2)
            fence.check()

        with pytest.raises(Overtaken):
            set_grants(fd, {acl.resolve(USER): 7}, check)

    assert len(checked) == 5


def test_a_deletion_overtaken_while_it_frees_earlier_leftovers_keeps_the_content(
    tmp_path: Path,
) -> None:
    driver = _driver(tmp_path)
    (export,) = driver.create_share(attempt(1), Share(id="s1", size=1))
    (Path(export.path) / "file").write_text("data")

    with driver._fences.enter("s1", attempt(2)) as fence:
        driver.create_share(attempt(3), Share(id="s1", size=1))
        with pytest.raises(Overtaken):
            driver._layout.remove("shares", "s1", fence.check)

    assert (Path(export.path) / "file").read_text() == "data"


# -- fences ---------------------------------------------------------------------------------------
def test_a_fence_outlives_its_share_and_the_process(tmp_path: Path) -> None:
    share = Share(id="s1", size=1)
    _driver(tmp_path).create_share(attempt(1), share)
    _driver(tmp_path).delete_share(attempt(3), share)

    with pytest.raises(Overtaken):
        _driver(tmp_path).create_share(attempt(2), share)

    assert _driver(tmp_path).probe_share(attempt(2), share).state == "absent"


def test_old_fences_of_deleted_shares_are_forgotten_and_others_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shares" / "there").mkdir(parents=True)
    fences = Fences(tmp_path)
    for name in ("there", "deleted"):
        with fences.enter(name, attempt(7)):
            pass
    fences.forget_old(tmp_path / "shares")
    assert fences.greatest("deleted") == 7

    monkeypatch.setattr("share_actors.drivers.fence.KEEP_S", -1.0)
    fences.forget_old(tmp_path / "shares")

    assert (fences.greatest("there"), fences.greatest("deleted")) == (7, 0)


def test_a_call_without_a_token_is_not_refused(tmp_path: Path) -> None:
    driver: ShareDriver = _driver(tmp_path)
    share = Share(id="s1", size=1)
    driver.create_share(attempt(5), share)

    driver.extend_share(RequestContext(), share, 2)
