"""The demo: what a newcomer sees first must work, and leave nothing behind."""

from __future__ import annotations

import signal
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
    assert [step["step"] for step in told["steps"]] == list(range(1, 14))
    assert any("its state was rebuilt from the log" in fact for fact in told["steps"][7]["facts"])
    assert any("its address is free again" in fact for fact in told["steps"][9]["facts"])
    assert any("its files are as they were" in fact for fact in told["steps"][10]["facts"])
    assert [fact.split()[0] for fact in told["steps"][11]["facts"]] == ["local", "tenants"]
    assert left == []


@pytest.mark.timeout(120)
def test_the_demo_clears_up_when_it_is_stopped_in_the_middle() -> None:
    with tempfile.TemporaryDirectory(prefix="sa") as top:
        demo = CommandLine(Path(top) / "untouched", {"TMPDIR": top}).start("demo")
        assert demo.stdout is not None
        while "Two shares" not in demo.stdout.readline():
            assert demo.poll() is None
        demo.send_signal(signal.SIGINT)
        _, said = demo.communicate(timeout=60)
        left = list(Path(top).iterdir())

    assert (demo.returncode, left) == (130, [])
    assert "cleared up after itself" in said
