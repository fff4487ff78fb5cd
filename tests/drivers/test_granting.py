"""Changes of access rules that end in the middle: what users can do then, and where the next one goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from share_actors.drivers import DriverError
from share_actors.drivers.filesystem import acl, granting
from share_actors.drivers.filesystem.acl import USER, Principal
from share_actors.drivers.local import LocalDriver, LocalOptions
from share_actors.values import AccessRule
from tests.drivers.conftest import CONTEXT, SHARE, in_child
from tests.drivers.test_tree import mount
from tests.drivers.users_and_rules import ALICE, BOB, as_user, make_file, needs_root, rule

pytestmark = pytest.mark.usefixtures("keeps_acls")
FOLDERS, FILES = 20, 30


class CountingDriver(LocalDriver):
    """A local driver that counts the checks of its fence, one for each change, and may be killed at one."""

    checks: ClassVar[int] = 0
    killed_at: ClassVar[int] = -1

    @contextmanager
    def _share_lock(self, *args: Any, **options: Any) -> Iterator[Any]:
        with super()._share_lock(*args, **options) as fence:
            fence.check = self._check  # type: ignore[method-assign]
            yield fence

    def _check(self) -> None:
        type(self).checks += 1
        if self.checks == self.killed_at:
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def counting(driver: LocalDriver, monkeypatch: pytest.MonkeyPatch) -> CountingDriver:
    monkeypatch.setattr(CountingDriver, "checks", 0)
    monkeypatch.setattr(granting, "SAVE_EVERY", 20)
    return CountingDriver(configuration=driver.configuration, backend_name="here")


@pytest.fixture
def many(inside: Path) -> Path:
    """A share with files in several directories, none of which has changed lately."""
    for folder in range(FOLDERS):
        (inside / f"d{folder}").mkdir()
        for file in range(FILES):
            make_file(inside / f"d{folder}" / f"f{file}", 0o600)
    for path in [inside, *inside.iterdir()]:
        os.utime(path, (1, 1))
    return inside


def killed(driver: CountingDriver, at: int, *rules: AccessRule) -> None:
    """Apply *rules* in a process that is killed at the check number *at*."""
    if (child := os.fork()) == 0:
        type(driver).killed_at = at
        apply(driver, *rules)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def apply(driver: LocalDriver, *rules: AccessRule) -> None:
    assert not driver.update_access(CONTEXT, SHARE, rules, rules, ())


def entries(top: Path) -> list[Path]:
    return sorted(top.rglob("*"))


def granted(path: Path) -> dict[Principal, int]:
    return acl.named(acl.read(str(path), acl.ACCESS))


# -- where the next one goes on ------------------------------------------------------------------
def test_a_change_that_is_killed_again_and_again_is_completed_in_bounded_steps(
    counting: CountingDriver, many: Path
) -> None:
    for _ in range(5):
        killed(counting, 100, rule("61001"))

    apply(counting, rule("61001"))

    assert all(granted(p).get(Principal(USER, ALICE)) for p in entries(many))
    assert counting.checks < FOLDERS * FILES / 2


def test_a_change_to_other_rules_begins_anew(counting: CountingDriver, many: Path) -> None:
    killed(counting, 300, rule("61001"))

    killed(counting, 300, rule("61002", "ro"))
    apply(counting, rule("61001"))

    assert all(granted(p).keys() == {Principal(USER, ALICE)} for p in entries(many))


def test_a_change_that_fails_goes_on_at_the_entry_that_failed(
    counting: CountingDriver, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(granting, "SAVE_EVERY", 10_000)

    def fail_at(number: int) -> None:
        def check(driver: CountingDriver) -> None:
            type(driver).checks += 1
            if driver.checks == number:
                raise OSError(28, "No space left on device")

        monkeypatch.setattr(CountingDriver, "_check", check)

    fail_at(FOLDERS * FILES - 50)
    with pytest.raises(DriverError, match="No space left"):
        apply(counting, rule("61001"))
    counting.__class__.checks = 0
    fail_at(-1)
    apply(counting, rule("61001"))

    assert all(granted(p).get(Principal(USER, ALICE)) for p in entries(many))
    assert counting.checks < 200


def test_directories_that_moved_between_two_attempts_are_changed(
    counting: CountingDriver, many: Path
) -> None:
    killed(counting, 300, rule("61001"))
    (many / "d9").rename(many / "d0" / "moved")  # the walk has passed d0, and not reached d9
    (many / "d8" / "f1").rename(many / "d0" / "moved-file")

    apply(counting, rule("61001"))

    assert all(granted(p).get(Principal(USER, ALICE)) for p in entries(many))


def test_an_unreadable_position_is_not_used(counting: CountingDriver, many: Path) -> None:
    killed(counting, 300, rule("61001"))
    (position,) = (many.parent.parent / "meta").glob("*@rules")
    position.write_text(position.read_text()[:40])

    apply(counting, rule("61001"))

    assert all(granted(p).get(Principal(USER, ALICE)) for p in entries(many))


def test_a_position_is_forgotten_with_its_share(counting: CountingDriver, many: Path) -> None:
    killed(counting, 300, rule("61001"))

    counting.delete_share(CONTEXT, SHARE)

    assert not [p.name for p in (many.parent.parent / "meta").iterdir() if "@rules" in p.name]


@needs_root
def test_a_user_who_has_filled_the_disk_is_denied(tmp_path: Path) -> None:
    def deny() -> str:
        mount(tmp_path)
        options = LocalOptions(root=tmp_path / "root")
        driver = LocalDriver(configuration=options, backend_name="here")
        driver.do_setup(CONTEXT)
        (export,) = driver.create_share(CONTEXT, SHARE)
        apply(driver, rule("61001"))
        with pytest.raises(OSError, match="No space"):
            make_file(Path(export.path) / "full", 0o600).write_bytes(b"x" * 2**22)
        apply(driver)
        return ",".join(os.listxattr(export.path)) or "no access"

    assert in_child(deny) == "no access"


# -- what users can do meanwhile -----------------------------------------------------------------
@pytest.fixture
def root(passable: Path) -> Path:
    return passable / "root"


@needs_root
def test_a_user_who_keeps_ro_reads_what_is_changed_and_writes_nothing_meanwhile(
    counting: CountingDriver, many: Path
) -> None:
    apply(counting, rule("61001"), rule("61002"))
    type(counting).checks = 0
    killed(counting, 300, rule("61001", "ro"), rule("61002"))

    assert as_user(ALICE, (many / "d0" / "f0").read_text) == "content"
    assert as_user(ALICE, (many / "d9" / "f0").read_text).startswith("PermissionError")
    assert {as_user(ALICE, partial(os.open, p, os.O_RDWR))[:15] for p in many.glob("*/*")} == {
        "PermissionError"
    }
    assert as_user(BOB, (many / "d9" / "f0").read_text) == "content"


@needs_root
def test_a_member_of_another_group_writes_nothing_after_its_group_with_rw_is_denied(
    counting: CountingDriver, many: Path
) -> None:
    apply(counting, rule("@62001"), rule("@62002", "ro"))
    type(counting).checks = 0
    killed(counting, 100, rule("@62002", "ro"))

    def write() -> None:
        os.setgroups([62_001, 62_002])
        os.setuid(ALICE)
        (many / "d9" / "f0").write_text("forged")

    assert in_child(write).startswith("PermissionError")
