"""Users of this machine, access rules for them, and what they may do."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from share_actors.drivers.filesystem import acl
from share_actors.drivers.filesystem.acl import Principal
from share_actors.drivers.local import LocalDriver
from share_actors.values import AccessLevel, AccessRule, AccessType, Share
from tests.drivers.conftest import CONTEXT, SHARE, in_child

ALICE, BOB, STAFF = 61_001, 61_002, 62_001
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def rule(to: str, level: AccessLevel = "rw", kind: AccessType = "user") -> AccessRule:
    return AccessRule(id=f"{kind}-{to}-{level}", access_type=kind, access_to=to, access_level=level)


def allow(driver: LocalDriver, *rules: AccessRule, share: Share = SHARE) -> dict[str, str]:
    return dict(driver.update_access(CONTEXT, share, rules, rules, ()))


def make_file(path: Path, mode: int) -> Path:
    path.write_text("content")
    path.chmod(mode)
    return path


def named_entries(path: Path) -> dict[Principal, int]:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return acl.grants_of(fd)
    finally:
        os.close(fd)


def as_user(uid: int, run: Callable[[], object], group: int = 61_000) -> str:
    def run_as_user() -> object:
        os.setgroups([])
        os.setgid(group)
        os.setuid(uid)
        return run()

    return in_child(run_as_user)
