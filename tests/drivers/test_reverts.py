"""Reverts of the driver `local`: the content of the snapshot or that from before, never a mixture."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from share_actors.drivers import DriverError, RefusedByBackend
from share_actors.drivers.abilities import Reverts
from share_actors.drivers.dummy.driver import DummyDriver, DummyOptions
from share_actors.drivers.filesystem import acl, exchanging
from share_actors.drivers.filesystem.removal import MOUNTS
from share_actors.drivers.local import LocalDriver
from share_actors.drivers.local.servers import LocalServersDriver
from share_actors.values import AccessRule, Snapshot
from tests.drivers.conftest import CONTEXT, SHARE, in_child
from tests.drivers.snapshots import CallbackDriver, with_callback

__all__ = ["with_callback"]

SNAPSHOT = Snapshot(id="x1", share_id=SHARE.id)
RULE = AccessRule(id="r1", access_type="user", access_to="daemon")


@pytest.fixture
def changed(driver: LocalDriver, inside: Path) -> Path:
    """The directory of a share that has changed since its snapshot was taken."""
    (inside / "file").write_text("before")
    (inside / "below").mkdir()
    (inside / "below" / "deleted later").write_text("x")
    driver.create_snapshot(CONTEXT, SNAPSHOT)
    (inside / "file").write_text("after")
    (inside / "new").write_text("y")
    (inside / "below" / "deleted later").unlink()
    return inside


def revert(driver: LocalDriver) -> bool:
    return driver.revert_to_snapshot(CONTEXT, SHARE, SNAPSHOT)


def content(directory: Path) -> dict[str, str]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_text() for path in files}


BEFORE = {"file": "before", "below/deleted later": "x"}
AFTER = {"file": "after", "new": "y"}


@pytest.mark.parametrize("kind", [LocalDriver, LocalServersDriver, DummyDriver])
def test_the_drivers_have_the_ability(kind: type) -> None:
    assert issubclass(kind, Reverts)


def test_a_reverted_share_has_the_content_of_the_snapshot(
    driver: LocalDriver, changed: Path, root: Path
) -> None:
    assert revert(driver) is False

    assert content(changed) == BEFORE
    assert content(root / "snapshots" / "s1@x1") == BEFORE
    assert not list((root / "making").iterdir())


def test_an_open_file_stays_that_from_before(driver: LocalDriver, changed: Path) -> None:
    with (changed / "file").open() as file:
        revert(driver)

        assert file.read() == "after"
    assert (changed / "file").read_text() == "before"


@pytest.mark.usefixtures("keeps_acls")
def test_the_rules_in_force_apply_to_the_content_of_the_snapshot(
    driver: LocalDriver, changed: Path
) -> None:
    driver.update_access(CONTEXT, SHARE, [RULE], [RULE], ())
    fd = os.open(changed, os.O_RDONLY)
    granted = acl.grants_of(fd)
    os.close(fd)

    revert(driver)

    for path in (changed, changed / "file", changed / "below"):
        fd = os.open(path, os.O_RDONLY)
        assert acl.grants_of(fd).keys() == granted.keys()
        os.close(fd)


@pytest.mark.usefixtures("keeps_acls")
def test_a_rule_that_was_in_force_at_the_snapshot_is_not_brought_back(
    driver: LocalDriver, inside: Path
) -> None:
    (inside / "file").write_text("x")
    driver.update_access(CONTEXT, SHARE, [RULE], [RULE], ())
    driver.create_snapshot(CONTEXT, SNAPSHOT)
    driver.update_access(CONTEXT, SHARE, [], [], [RULE])

    revert(driver)

    fd = os.open(inside / "file", os.O_RDONLY)
    assert acl.grants_of(fd) == {}
    os.close(fd)


def test_a_killed_revert_changes_nothing_and_can_be_repeated(
    with_callback: Callable[..., CallbackDriver], driver: LocalDriver, changed: Path, root: Path
) -> None:
    dying = with_callback(lambda done, total: os.kill(os.getpid(), signal.SIGKILL))

    in_child(lambda: revert(dying))

    assert content(changed) == AFTER
    assert list((root / "making").iterdir())
    revert(driver)
    assert content(changed) == BEFORE
    assert not list((root / "making").iterdir())


def test_a_revert_that_was_killed_after_the_exchange_can_be_repeated(
    driver: LocalDriver, changed: Path, root: Path
) -> None:
    revert(driver)
    (root / "making" / "s1").mkdir()  # the process died before it removed the former content
    (root / "making" / "s1" / "file").write_text("after")

    revert(driver)

    assert content(changed) == BEFORE
    assert not list((root / "making").iterdir())


@pytest.mark.parametrize("missing", ["shares/s1", "snapshots/s1@x1"])
def test_a_missing_share_or_snapshot_is_an_error(
    driver: LocalDriver, changed: Path, root: Path, missing: str
) -> None:
    (root / missing).rename(root / "elsewhere")

    with pytest.raises(DriverError, match=f"{missing} does not exist"):
        revert(driver)


def test_a_share_with_a_mounted_filesystem_inside_is_refused(
    driver: LocalDriver, changed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(f"1 0 0:1 / {changed}/below rw - ext4 /dev/x rw\n{MOUNTS.read_text()}")
    monkeypatch.setattr("share_actors.drivers.filesystem.removal.MOUNTS", table)

    with pytest.raises(RefusedByBackend, match="unmount it and repeat the revert"):
        revert(driver)
    assert content(changed) == AFTER


def test_a_filesystem_that_cannot_exchange_directories_refuses_and_changes_nothing(
    driver: LocalDriver, changed: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchanging, "_RENAME_EXCHANGE", 1 << 30)  # the kernel answers EINVAL

    with pytest.raises(RefusedByBackend, match="cannot exchange two entries in one step"):
        revert(driver)

    assert content(changed) == AFTER
    assert not list((root / "making").iterdir())


def test_the_simulated_backend_records_the_revert_and_reports_whether_to_mount_again(
    tmp_path: Path,
) -> None:
    options = DummyOptions(directory=tmp_path, remount=True)
    driver = DummyDriver(configuration=options, backend_name="dummy")
    driver.do_setup(CONTEXT)
    driver.create_share(CONTEXT, SHARE)

    with pytest.raises(DriverError, match="snapshot x1 does not exist"):
        driver.revert_to_snapshot(CONTEXT, SHARE, SNAPSHOT)
    driver.create_snapshot(CONTEXT, SNAPSHOT)

    assert driver.revert_to_snapshot(CONTEXT, SHARE, SNAPSHOT) is True
