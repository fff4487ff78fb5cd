"""The demo: what a newcomer sees first must work, and leave nothing behind."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.acceptance.cli import CommandLine


@pytest.mark.timeout(180)
def test_the_demo_tells_its_story_and_clears_up_after_itself() -> None:
    with tempfile.TemporaryDirectory(prefix="sa") as top:
        Path(top).chmod(0o711)  # users who may use a share pass through here
        ended = CommandLine(Path(top) / "untouched", {"TMPDIR": top})("demo", "--json")
        left = list(Path(top).iterdir())

    assert ended.code == 0, ended
    told = ended.document
    assert told["ok"] is True
    assert [step["step"] for step in told["steps"]] == list(range(1, 11))
    assert any("its state was rebuilt from the log" in fact for fact in told["steps"][7]["facts"])
    assert left == []
