"""Access rules that are applied and cannot work: a directory above the share is closed to their users."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from share_actors.drivers.filesystem import acl
from share_actors.drivers.filesystem.acl import GROUP, USER, Entry, Principal
from share_actors.drivers.filesystem.reach import barrier, barrier_to_others
from share_actors.drivers.local import LocalDriver, LocalOptions
from tests.drivers.conftest import CONTEXT, SHARE
from tests.drivers.users_and_rules import ALICE, BOB, STAFF, allow, as_user, needs_root, rule

PERMS = st.integers(0, 7)
NAMED = st.builds(
    Entry, st.sampled_from((USER, GROUP)), PERMS, st.sampled_from((ALICE, BOB, STAFF, 0))
)


@pytest.fixture(scope="module")
def top() -> Iterator[Path]:
    """A directory that everybody can pass through."""
    with TemporaryDirectory(dir="/var/tmp") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@needs_root
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@example(bits=0o001, owner=0, named=[Entry(USER, 0, ALICE)], mask=0)
@given(
    bits=st.integers(0, 0o777),
    owner=st.sampled_from((0, ALICE, BOB)),
    named=st.lists(NAMED, max_size=3, unique_by=lambda e: (e.tag, e.id)),
    mask=PERMS,
)
def test_a_barrier_is_where_the_kernel_refuses_the_user(
    top: Path, bits: int, owner: int, named: list[Entry], mask: int
) -> None:
    with TemporaryDirectory(dir=top) as name:
        directory = Path(name)
        (directory / "inside").touch()
        os.chown(directory, owner, -1)
        directory.chmod(bits)
        entries = [*acl.from_mode(bits), *named, *([Entry(acl.MASK, mask)] if named else [])]
        acl.write_access(str(directory), acl.encode(entries), bits)

        found = as_user(ALICE, (directory / "inside").exists)
        enters = found == "True"

        assert (barrier(Principal(USER, ALICE), [top, directory]) is None) == enters


@needs_root
def test_a_rule_for_a_user_whom_a_directory_above_keeps_out_has_a_warning(top: Path) -> None:
    closed = top / "closed"
    closed.mkdir(0o700)
    driver = LocalDriver(configuration=LocalOptions(root=closed / "root"), backend_name="here")
    driver.do_setup(CONTEXT)
    driver.create_share(CONTEXT, SHARE)
    rules = [rule("nobody"), rule("root"), rule(f"@{STAFF}")]
    assert allow(driver, *rules) == {}

    warnings = driver.access_warnings(SHARE, rules)

    assert warnings.keys() == {rules[0].id, rules[2].id}
    assert f"nobody cannot pass through {closed} (mode 0700)" in warnings[rules[0].id]
    closed.chmod(0o711)
    assert driver.access_warnings(SHARE, rules) == {}


def test_a_root_that_users_cannot_reach_is_a_warning_of_the_set_up(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    closed = barrier_to_others([*tmp_path.parents][::-1]) or tmp_path
    driver = LocalDriver(configuration=LocalOptions(root=tmp_path / "r"), backend_name="b")

    (warning,) = driver.setup_warnings()

    assert warning.startswith(
        f"backends.b.options.root: users of shares cannot pass through {closed}"
    )
    assert f"chmod o+x {closed}" in warning


def test_a_root_that_everybody_reaches_has_no_warning(top: Path) -> None:
    driver = LocalDriver(configuration=LocalOptions(root=top / "not" / "yet"), backend_name="b")

    assert driver.setup_warnings() == ()
