"""Files with several hard links when rules are taken away: links elsewhere keep no access to the share."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from share_actors.drivers import DriverError, RefusedByBackend
from share_actors.drivers.filesystem import acl, granting, linked_files
from share_actors.drivers.local import LocalDriver, LocalOptions
from share_actors.values import Share, Snapshot
from tests.drivers.conftest import CONTEXT, SHARE, in_child
from tests.drivers.test_granting import CountingDriver, killed
from tests.drivers.test_tree import mount
from tests.drivers.users_and_rules import ALICE, BOB, allow, as_user, make_file, needs_root, rule

pytestmark = [pytest.mark.usefixtures("keeps_acls"), needs_root]
OTHER = Share(id="s2", size=1)
ALICE_RW, ALICE_RO, BOB_RW = rule("61001"), rule("61001", "ro"), rule("61002")


@pytest.fixture
def root(passable: Path) -> Path:
    return passable / "root"


@pytest.fixture
def elsewhere(driver: LocalDriver, inside: Path) -> Path:
    """Another share, in which Alice has `rw`, as in the first one."""
    (export,) = driver.create_share(CONTEXT, OTHER)
    allow(driver, ALICE_RW, share=OTHER)
    allow(driver, ALICE_RW, BOB_RW)
    return Path(export.path)


def linked_by_alice(inside: Path, elsewhere: Path, *, owner: int = BOB) -> tuple[Path, Path]:
    """A file of *owner* in the first share, and a link to it in the other one."""
    file, link = inside / "file", elsewhere / "link"
    as_user(owner, lambda: file.write_text("before"))
    assert as_user(ALICE, lambda: os.link(file, link)) == "None"
    return file, link


@pytest.mark.parametrize("owner", [ALICE, BOB])
def test_a_denied_user_neither_reads_nor_changes_a_file_through_a_link_in_another_share(
    driver: LocalDriver, inside: Path, elsewhere: Path, owner: int
) -> None:
    file, link = linked_by_alice(inside, elsewhere, owner=owner)

    allow(driver, BOB_RW)
    as_user(BOB, lambda: file.write_text("secret"))
    allow(driver, ALICE_RW, BOB_RW, share=OTHER)

    assert as_user(ALICE, link.read_text) == "before"
    assert as_user(ALICE, lambda: link.write_text("forged")) == "6"
    assert file.read_text() == "secret"


def test_the_inode_that_another_share_has_a_link_to_is_not_changed(
    driver: LocalDriver, inside: Path, elsewhere: Path
) -> None:
    _, link = linked_by_alice(inside, elsewhere)
    before = link.stat()

    allow(driver, BOB_RW)

    after = link.stat()
    assert (after.st_ino, after.st_mode, after.st_uid) == (
        before.st_ino,
        before.st_mode,
        before.st_uid,
    )
    assert as_user(ALICE, link.read_text) == "before"


def test_a_user_who_keeps_ro_writes_to_no_link_and_links_in_the_share_stay_one_file(
    driver: LocalDriver, inside: Path
) -> None:
    allow(driver, ALICE_RW, BOB_RW)
    links = [inside / "one", inside / "below" / "two", inside / "three"]
    links[1].parent.mkdir()
    as_user(BOB, lambda: links[0].write_text("before"))
    for link in links[1:]:
        os.link(links[0], link)

    allow(driver, ALICE_RO, BOB_RW)

    assert {as_user(ALICE, link.read_text) for link in links} == {"before"}
    assert {as_user(ALICE, partial(link.write_text, "x"))[:15] for link in links} == {
        "PermissionError"
    }
    assert as_user(BOB, lambda: links[2].write_text("after")) == "5"
    assert [link.read_text() for link in links] == ["after"] * 3
    assert links[0].stat().st_nlink == 3


def test_a_file_that_nobody_in_the_rules_may_read_is_not_copied(
    driver: LocalDriver, inside: Path, passable: Path, caplog: pytest.LogCaptureFixture
) -> None:
    foreign = make_file(passable / "foreign", 0o600)
    os.chown(foreign, 61_009, 61_009)
    os.link(foreign, inside / "link")

    allow(driver, ALICE_RW, BOB_RW)
    allow(driver, BOB_RW)

    assert foreign.samefile(inside / "link")
    assert as_user(BOB, (inside / "link").read_text).startswith("PermissionError")
    assert "1 files with several hard links" in caplog.text


def test_links_are_still_one_file_after_a_change_that_was_killed(
    driver: LocalDriver, inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = CountingDriver(configuration=driver.configuration, backend_name="here")
    monkeypatch.setattr(granting, "SAVE_EVERY", 1)
    allow(driver, ALICE_RW)
    files = [make_file(inside / f"a{n:02}", 0o600) for n in range(20)]
    allow(driver, ALICE_RW)
    for file in files:
        os.link(file, inside / file.name.replace("a", "z"))

    for _ in range(3):
        monkeypatch.setattr(CountingDriver, "checks", 0)
        killed(counting, 25, BOB_RW)
    allow(driver, BOB_RW)

    assert {file.stat().st_nlink for file in files} == {2}
    assert {as_user(ALICE, file.read_text)[:15] for file in files} == {"PermissionError"}
    assert not [*(inside.parent.parent / "links").iterdir()]


def test_rules_from_before_an_interrupted_change_say_what_may_be_copied(
    driver: LocalDriver, inside: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, link = linked_by_alice(inside, elsewhere, owner=ALICE)
    counting = CountingDriver(configuration=driver.configuration, backend_name="here")
    monkeypatch.setattr(CountingDriver, "checks", 0)
    killed(counting, 4, rule("61009"))
    assert link.samefile(file)

    allow(driver)

    assert not link.samefile(file)


class ReplacingDriver(LocalDriver):
    """A local driver; the first file is replaced by a user at each check that a change makes."""

    replaced: ClassVar[Callable[[], None]]

    @contextmanager
    def _share_lock(self, *args: Any, **options: Any) -> Iterator[Any]:
        with super()._share_lock(*args, **options) as fence:
            fence.check = type(self).replaced  # type: ignore[method-assign]
            yield fence


def test_a_file_by_which_a_user_replaces_a_link_meanwhile_is_kept(
    driver: LocalDriver, inside: Path, elsewhere: Path
) -> None:
    file, _ = linked_by_alice(inside, elsewhere)
    replacing = ReplacingDriver(configuration=driver.configuration, backend_name="here")

    def replace() -> None:
        if list((inside.parent.parent / "links").glob("*/*.new")) and file.stat().st_nlink > 1:
            file.with_name("new").write_text("of a user")
            os.replace(file.with_name("new"), file)

    ReplacingDriver.replaced = replace
    allow(replacing, BOB_RW)

    assert file.read_text() == "of a user"
    assert as_user(BOB, file.read_text) == "of a user"


def test_without_room_for_a_copy_the_change_fails_and_says_which_file_is_left(
    tmp_path: Path,
) -> None:
    def deny() -> str:
        mount(tmp_path)
        driver = LocalDriver(configuration=LocalOptions(root=tmp_path / "root"))
        driver.do_setup(CONTEXT)
        (export,) = driver.create_share(CONTEXT, SHARE)
        file, plain = (make_file(Path(export.path) / name, 0o600) for name in ("big", "plain"))
        allow(driver, ALICE_RW)
        file.write_bytes(b"x" * 600_000)
        os.link(file, file.with_name("again"))
        with pytest.raises(DriverError) as raised:
            allow(driver)
        assert not [path for path in (plain, export.path) if os.listxattr(path)]
        return str(raised.value)

    assert re.search("several hard links.*'again'", in_child(deny))


def test_a_file_that_cannot_be_exchanged_is_replaced(
    driver: LocalDriver, inside: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RefusedByBackend("cannot exchange two entries in one step")

    file, link = linked_by_alice(inside, elsewhere)
    monkeypatch.setattr(linked_files, "exchange", refuse)

    allow(driver, BOB_RW)

    assert as_user(BOB, file.read_text) == "before"
    assert not link.samefile(file)


def test_a_rule_for_a_user_counts_before_that_of_a_group_also_through_a_link(
    driver: LocalDriver, inside: Path, elsewhere: Path
) -> None:
    allow(driver, rule("@62001"))
    file = make_file(inside / "file", 0o660)
    allow(driver, rule("@62001"))
    allow(driver, rule("@62001"), ALICE_RW)
    os.link(file, elsewhere / "link")
    os.removexattr(file, acl.ACCESS)
    group_alone = acl.granting({acl.Principal(acl.GROUP, 62_001): 7}, executable=False)
    os.setxattr(file, acl.ACCESS, acl.encode(group_alone))

    allow(driver, rule("@62001"), ALICE_RO)

    assert not file.samefile(elsewhere / "link")


def test_a_share_from_a_snapshot_has_no_file_with_the_rules_of_the_first_share(
    driver: LocalDriver, inside: Path
) -> None:
    allow(driver, ALICE_RW)
    as_user(ALICE, lambda: (inside / "one").write_text("text"))
    os.link(inside / "one", inside / "two")
    snapshot = Snapshot(id="snap", share_id=SHARE.id, size=1)
    driver.create_snapshot(CONTEXT, snapshot)

    (export,) = driver.create_share_from_snapshot(CONTEXT, OTHER, snapshot)
    allow(driver, ALICE_RO, share=OTHER)

    copy = Path(export.path) / "two"
    assert as_user(ALICE, lambda: copy.write_text("x")).startswith("PermissionError")
    assert copy.samefile(Path(export.path) / "one")
