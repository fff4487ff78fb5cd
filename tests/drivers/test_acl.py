"""Access control lists: their encoding, and how rules become entries of files."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from share_actors.drivers import DriverError, UnsupportedAccess
from share_actors.drivers.filesystem import acl
from share_actors.drivers.filesystem.acl import GROUP, OTHER, USER, USER_OBJ, Entry, Principal
from share_actors.drivers.local import LocalDriver
from tests.drivers.conftest import CONTEXT, SHARE
from tests.drivers.users_and_rules import ALICE, BOB, STAFF, allow, make_file, named_entries, rule

PERMS, IDS = st.integers(0, 7), st.integers(0, acl.NOBODY - 1)
ENTRIES = st.lists(st.builds(Entry, st.sampled_from([USER, GROUP]), PERMS, IDS), max_size=9)
GRANTS = st.dictionaries(
    st.builds(Principal, st.sampled_from([USER, GROUP]), IDS), PERMS, max_size=9
)


# -- the format ------------------------------------------------------------------------------------
@given(ENTRIES)
def test_a_decoded_list_has_the_encoded_entries_in_the_kernels_order(entries: list[Entry]) -> None:
    assert acl.decode(acl.encode(entries)) == tuple(sorted(entries, key=lambda e: (e.tag, e.id)))


@given(st.binary(max_size=64))
def test_invalid_bytes_are_a_driver_error(raw: bytes) -> None:
    try:
        acl.decode(raw)
    except DriverError:
        return
    assert raw[:4] == b"\x02\0\0\0"


LEVELS = st.sampled_from([5, 7])
FEW = [Principal(USER, ALICE), Principal(USER, BOB), Principal(GROUP, 1), Principal(GROUP, 2)]
RULES = st.dictionaries(st.sampled_from(FEW), LEVELS)


@given(GRANTS, GRANTS)
def test_a_user_who_loses_permissions_has_none_until_the_change_is_complete(
    old: dict[Principal, int], new: dict[Principal, int]
) -> None:
    before = acl.meanwhile(old, new)

    assert before.keys() == old.keys() | new.keys()
    for principal, perm in before.items():
        assert perm in (0, new.get(principal))
        if old.get(principal, 0) & ~new.get(principal, 0):
            assert perm == 0


@given(st.lists(RULES, min_size=2, max_size=4), st.booleans(), st.sampled_from([(), (1,), (1, 2)]))
def test_who_enters_during_interrupted_changes_has_no_more_on_any_file_than_the_new_rules_give(
    history: list[dict[Principal, int]], complete: bool, groups: tuple[int, ...]
) -> None:
    gate: dict[Principal, int] = history[0]
    for new in history[1:]:
        gate = acl.meanwhile(gate, new, complete=complete)

    entering = effective(gate, ALICE, groups)
    for on_file in history:  # each change before the last was interrupted anywhere
        used = effective(on_file, ALICE, groups) if entering else 0
        assert not used & ~effective(history[-1], ALICE, groups)


def test_new_rules_and_kept_ones_take_effect_before_the_files_are_changed() -> None:
    old = {Principal(USER, ALICE): 7, Principal(GROUP, STAFF): 5}

    assert acl.meanwhile(old, {**old, Principal(USER, BOB): 7}) == {
        **old,
        Principal(USER, BOB): 7,
    }


def effective(grants: dict[Principal, int], user: int, groups: tuple[int, ...]) -> int:
    """The permissions of *user*, a member of *groups*, as the kernel finds them in *grants*."""
    if (own := grants.get(Principal(USER, user))) is not None:
        return own
    found = 0
    for group in groups:
        found |= grants.get(Principal(GROUP, group), 0)
    return found


@pytest.mark.usefixtures("keeps_acls")
def test_the_kernel_accepts_an_encoded_list(tmp_path: Path) -> None:
    grants = {Principal(USER, BOB): 7, Principal(GROUP, STAFF): 5}
    expected = acl.granting(grants, executable=True)

    os.setxattr(tmp_path, acl.ACCESS, acl.encode(expected))

    assert acl.decode(os.getxattr(tmp_path, acl.ACCESS)) == expected
    assert tmp_path.stat().st_mode & 0o777 == 0o770
    assert Entry(USER_OBJ, 7) in expected
    assert Entry(OTHER, 0) in expected


# -- names -----------------------------------------------------------------------------------------
def test_users_and_groups_are_found_by_name_and_by_number() -> None:
    user, group = pwd.getpwall()[-1], grp.getgrall()[-1]

    assert acl.resolve(user.pw_name) == Principal(USER, user.pw_uid)
    assert acl.resolve(f"@{group.gr_name}") == Principal(GROUP, group.gr_gid)
    assert acl.resolve("61001") == Principal(USER, ALICE)
    assert acl.resolve("@62001") == Principal(GROUP, STAFF)


@pytest.mark.parametrize(
    "name",
    ["no-such-user", "@no-such-group", "", "@", "a\0b", "\udc80", "-1", "4294967295", "\u0661"],
)
def test_an_unknown_name_is_a_driver_error(name: str) -> None:
    with pytest.raises(DriverError, match="does not exist on this machine"):
        acl.resolve(name)


# -- rules -----------------------------------------------------------------------------------------
@pytest.mark.usefixtures("keeps_acls", "inside")
def test_an_invalid_rule_does_not_block_the_others(driver: LocalDriver, inside: Path) -> None:
    failed = allow(driver, rule("no-such-user"), rule("192.0.2.1", kind="ip"), rule("61001"))

    assert failed == {
        "user-no-such-user-rw": "user 'no-such-user' does not exist on this machine",
        "ip-192.0.2.1-rw": "access_type 'ip': only 'user' is supported",
    }
    assert named_entries(inside) == {Principal(USER, ALICE): 7}


@pytest.mark.usefixtures("inside")
def test_a_single_rule_of_another_type_is_not_supported(driver: LocalDriver) -> None:
    with pytest.raises(UnsupportedAccess, match="'ip'"):
        driver.allow_access(CONTEXT, SHARE, rule("192.0.2.1", kind="ip"))


@pytest.mark.usefixtures("keeps_acls")
def test_updated_rules_replace_the_previous_ones(driver: LocalDriver, inside: Path) -> None:
    allow(driver, rule("61001"), rule("@62001", "ro"))

    allow(driver, rule("61002", "ro"))

    assert named_entries(inside) == {Principal(USER, BOB): 5}


@pytest.mark.usefixtures("keeps_acls")
def test_a_user_named_by_two_rules_gets_the_permissions_of_both(
    driver: LocalDriver, inside: Path
) -> None:
    allow(driver, rule("61001", "rw"), rule("61001", "ro"))

    assert named_entries(inside) == {Principal(USER, ALICE): 7}


@pytest.mark.usefixtures("keeps_acls")
def test_single_rules_do_not_change_the_others(driver: LocalDriver, inside: Path) -> None:
    driver.allow_access(CONTEXT, SHARE, rule("61001"))
    driver.allow_access(CONTEXT, SHARE, rule("61002"))

    driver.deny_access(CONTEXT, SHARE, rule("61001"))

    assert named_entries(inside) == {Principal(USER, BOB): 7}


@pytest.mark.usefixtures("keeps_acls")
def test_existing_files_are_accessible_and_executable_only_if_they_were(
    driver: LocalDriver, inside: Path
) -> None:
    plain, program = make_file(inside / "plain", 0o600), make_file(inside / "program", 0o700)

    allow(driver, rule("61001"))

    assert named_entries(plain) == {Principal(USER, ALICE): 6}
    assert named_entries(program) == {Principal(USER, ALICE): 7}


@pytest.mark.usefixtures("keeps_acls")
def test_without_rules_the_content_is_the_owners_alone(driver: LocalDriver, inside: Path) -> None:
    (inside / "below").mkdir(mode=0o777)
    content = [make_file(inside / "file", 0o666), inside / "below", inside]

    allow(driver, rule("61001"))
    allow(driver)

    assert [path.stat().st_mode & 0o7777 for path in content] == [0o600, 0o700, 0o700]
    assert not any(os.listxattr(path) for path in content)


@pytest.mark.usefixtures("keeps_acls")
def test_a_file_with_links_out_of_the_share_is_not_changed(
    driver: LocalDriver, inside: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    foreign = make_file(tmp_path / "foreign", 0o4640)
    os.link(foreign, inside / "linked")
    os.chown(foreign, BOB, STAFF) if os.geteuid() == 0 else None
    foreign.chmod(0o4640)
    before = foreign.stat()

    allow(driver, rule("61001"))

    assert not named_entries(foreign)
    assert (foreign.stat().st_mode, foreign.stat().st_uid) == (before.st_mode, before.st_uid)
    assert "1 files with several hard links" in caplog.text


@pytest.mark.usefixtures("keeps_acls")
def test_a_managed_directory_keeps_no_access_of_its_own(driver: LocalDriver, root: Path) -> None:
    (root / "open" / "below").mkdir(parents=True)
    path = make_file(root / "open" / "below" / "file", 0o666)
    acl_of_another = acl.encode(acl.granting({Principal(USER, ALICE): 7}, executable=True))
    for changed in (path, path.parent, path.parent.parent):
        changed.chmod(0o777)
        os.setxattr(changed, acl.ACCESS, acl_of_another)

    driver.manage_existing(SHARE, {"path": "open"})

    content = [root / "shares" / "s1", *(root / "shares" / "s1").rglob("*")]
    assert len(content) == 3
    assert all(p.stat().st_mode & 0o077 == 0 and not os.listxattr(p) for p in content)


@pytest.mark.usefixtures("keeps_acls")
def test_an_unmanaged_share_keeps_no_rules(driver: LocalDriver, inside: Path) -> None:
    make_file(inside / "file", 0o600)
    allow(driver, rule("61001"))

    driver.unmanage(SHARE)

    assert not os.listxattr(inside)
    assert not os.listxattr(inside / "file")


@pytest.mark.usefixtures("keeps_acls")
def test_links_out_of_the_share_are_not_followed(
    driver: LocalDriver, inside: Path, tmp_path: Path
) -> None:
    outside = make_file(tmp_path / "outside", 0o600)
    (inside / "file").symlink_to(outside)
    (inside / "folder").symlink_to(tmp_path)

    allow(driver, rule("61001"))

    assert not named_entries(outside)
    assert not named_entries(tmp_path)


@pytest.mark.usefixtures("keeps_acls")
def test_rules_are_applied_to_a_fifo(driver: LocalDriver, inside: Path) -> None:
    os.mkfifo(inside / "fifo", 0o600)

    allow(driver, rule("61001"))

    assert named_entries(inside / "fifo") == {Principal(USER, ALICE): 6}


def test_a_filesystem_without_acls_is_a_driver_error() -> None:
    reading, writing = os.pipe()  # pipes never support ACLs
    try:
        with pytest.raises(DriverError, match="does not support POSIX ACLs"):
            acl._write(reading, acl.ACCESS, acl.encode(acl.from_mode(0o600)))
    finally:
        os.close(reading)
        os.close(writing)


def test_rules_of_a_missing_share_can_only_be_removed(driver: LocalDriver) -> None:
    assert not allow(driver)

    with pytest.raises(DriverError, match="does not exist"):
        allow(driver, rule("61001"))
