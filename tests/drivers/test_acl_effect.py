"""The effect of access control lists on users, who try what they may do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from share_actors.drivers.local import LocalDriver, LocalOptions
from tests.drivers.conftest import CONTEXT, SHARE
from tests.drivers.users_and_rules import (
    ALICE,
    BOB,
    STAFF,
    allow,
    as_user,
    make_file,
    needs_root,
    rule,
)


@pytest.fixture
def shared(passable: Path) -> tuple[LocalDriver, Path]:
    options = LocalOptions(root=passable / "root")
    driver = LocalDriver(configuration=options, backend_name="here")
    driver.do_setup(CONTEXT)
    (export,) = driver.create_share(CONTEXT, SHARE)
    make_file(Path(export.path) / "old", 0o600)
    return driver, Path(export.path)


@needs_root
@pytest.mark.usefixtures("keeps_acls")
def test_a_user_with_rw_can_write_existing_and_new_files(shared: tuple[LocalDriver, Path]) -> None:
    driver, inside = shared

    allow(driver, rule("61001"))

    assert as_user(ALICE, lambda: (inside / "old").write_text("x")) == "1"
    assert as_user(ALICE, lambda: (inside / "new").write_text("x")) == "1"


@needs_root
@pytest.mark.usefixtures("keeps_acls")
def test_a_user_with_ro_can_read_but_not_write(shared: tuple[LocalDriver, Path]) -> None:
    driver, inside = shared

    allow(driver, rule("61001", "ro"))

    assert as_user(ALICE, (inside / "old").read_text) == "content"
    assert as_user(ALICE, lambda: (inside / "old").write_text("x")).startswith("PermissionError")
    assert as_user(ALICE, lambda: (inside / "new").write_text("x")).startswith("PermissionError")


@needs_root
@pytest.mark.usefixtures("keeps_acls")
def test_a_file_that_one_user_creates_is_readable_by_another(
    shared: tuple[LocalDriver, Path],
) -> None:
    driver, inside = shared
    allow(driver, rule("61001"), rule("61002", "ro"))

    as_user(ALICE, (inside / "folder").mkdir)
    as_user(ALICE, lambda: (inside / "folder" / "file").write_text("hers"))

    assert as_user(BOB, (inside / "folder" / "file").read_text) == "hers"


@needs_root
@pytest.mark.usefixtures("keeps_acls")
def test_a_denied_user_cannot_read_their_own_files(
    shared: tuple[LocalDriver, Path],
) -> None:
    driver, inside = shared
    allow(driver, rule("61001"))
    as_user(ALICE, lambda: (inside / "hers").write_text("x"))

    allow(driver, rule("61002"))

    assert as_user(ALICE, (inside / "hers").read_text).startswith("PermissionError")
    assert as_user(BOB, (inside / "hers").read_text) == "x"


@needs_root
@pytest.mark.usefixtures("keeps_acls")
def test_members_of_an_allowed_group_have_access(shared: tuple[LocalDriver, Path]) -> None:
    driver, inside = shared

    allow(driver, rule("@62001"))

    assert as_user(BOB, (inside / "old").read_text, group=STAFF) == "content"
    assert as_user(BOB, (inside / "old").read_text).startswith("PermissionError")


@needs_root
def test_a_user_without_a_rule_can_list_neither_the_share_nor_the_shares(
    shared: tuple[LocalDriver, Path],
) -> None:
    _, inside = shared

    assert as_user(ALICE, lambda: os.listdir(inside)).startswith("PermissionError")
    assert as_user(ALICE, lambda: os.listdir(inside.parent)).startswith("PermissionError")
