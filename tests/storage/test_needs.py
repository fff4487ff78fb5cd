"""Tests that need a package or root say so when they are skipped."""

from __future__ import annotations

import pytest

from tests.made_up_machine import MadeUpMachine
from tests.storage.needs import PACKAGES, lacking, needs

MACHINE = MadeUpMachine(
    commands={"smbd": "/usr/sbin/smbd"}, existing=("/usr/lib/x86_64-linux-gnu/libnfs.so.13.0.0",)
)


def test_nothing_is_lacking_if_commands_and_libraries_are_there() -> None:
    assert lacking(MACHINE, "smbd", "libnfs.so.13") == ""


def test_the_reason_names_root_and_the_package_of_what_is_missing() -> None:
    reason = lacking(MACHINE, "smbd", "ganesha.nfsd", root=True)

    assert reason == "needs root and the Debian package nfs-ganesha (ganesha.nfsd)"


def test_a_package_of_several_missing_commands_is_named_once() -> None:
    reason = lacking(MACHINE, "mkfs.btrfs", "btrfs", "libnss_wrapper.so")

    assert reason.count("btrfs-progs") == 1
    assert "the Debian package libnss-wrapper (libnss_wrapper.so)" in reason


def test_a_name_without_a_package_is_refused() -> None:
    assert "ganesha" not in PACKAGES
    with pytest.raises(KeyError, match="ganesha"):
        needs("ganesha")


@needs("ip", root=False)
def test_a_marked_test_runs_where_everything_is_there() -> None:
    assert needs("ip", root=False).args == (False,)
