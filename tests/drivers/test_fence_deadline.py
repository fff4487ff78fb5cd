"""A call whose attempt was given up stops at its next change, as if its process had died there."""

from __future__ import annotations

from pathlib import Path

import pytest

from share_actors.drivers import TransientError
from share_actors.drivers.fence import Fences, check_deadline, within_attempt
from share_actors.drivers.samba.programs import Programs
from share_actors.drivers.samba.settings import SambaSettings
from share_actors.drivers.storage_errors import STORAGE_ERRORS
from share_actors.values import RequestContext

CONTEXT = RequestContext(attempt=1, token="s:1")


def test_a_fence_stops_a_call_whose_time_is_over(tmp_path: Path) -> None:
    fences = Fences(tmp_path)

    with fences.enter("s", CONTEXT.ending_in(60)) as fence:
        fence.check()
    with (
        pytest.raises(TransientError, match="the time for this attempt is over"),
        fences.enter("s", CONTEXT.ending_in(-1)) as fence,
    ):
        fence.check()


def test_a_call_without_a_token_stops_as_well(tmp_path: Path) -> None:
    with (
        pytest.raises(TransientError, match="the time for this attempt is over"),
        Fences(tmp_path).enter("s", RequestContext().ending_in(-1)) as fence,
    ):
        fence.check()


def test_no_program_of_samba_is_started_when_the_time_is_over(tmp_path: Path) -> None:
    programs = Programs(SambaSettings(directory=tmp_path, address="127.0.0.1", port=4455))

    with (
        within_attempt(CONTEXT.ending_in(-1)),
        pytest.raises(TransientError, match="smbstatus: stopped"),
    ):
        programs.status()


def test_work_outside_of_an_attempt_has_no_deadline() -> None:
    check_deadline("work")


def test_each_error_of_storage_has_a_code_of_its_own() -> None:
    codes = {kind.code for kind in STORAGE_ERRORS.values()}

    assert codes == {
        "quota_exceeded",
        "no_space_left",
        "filesystem_read_only",
        "filesystem_busy",
    }
