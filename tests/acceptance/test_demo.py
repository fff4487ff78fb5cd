"""The demo, the first thing that a new user tries: it works and leaves nothing behind."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path

import pytest

from share_actors.testing.leftovers import is_abandoned
from tests.acceptance.cli import CommandLine
from tests.storage.needs import needs


@pytest.mark.timeout(180)
def test_the_demo_passes_its_checks_and_leaves_nothing_behind() -> None:
    with tempfile.TemporaryDirectory(prefix="sa") as top:
        Path(top).chmod(0o711)  # users with access to a share must be able to pass
        result = CommandLine(Path(top) / "untouched", {"TMPDIR": top})("demo", "--json")
        remaining = list(Path(top).iterdir())

    assert result.code == 0, result
    document = result.document
    facts = [step["facts"] for step in document["steps"]]
    assert document["ok"] is True
    assert [step["step"] for step in document["steps"]] == list(range(1, 14))
    assert any("its state was replayed from the log" in fact for fact in facts[7])
    assert any("the address is free again" in fact for fact in facts[9])
    assert any("its files are unchanged" in fact for fact in facts[10])
    assert [fact.split()[0] for fact in facts[11]] == ["local", "tenants"]
    assert remaining == []


@needs("ganesha.nfsd", "mkfs.btrfs", "libnfs.so.13", "ip")
@pytest.mark.timeout(300)
def test_the_demo_of_real_storage_passes_its_checks_and_leaves_nothing_behind() -> None:
    with tempfile.TemporaryDirectory(prefix="sa") as top:
        environment = {"TMPDIR": top}
        result = CommandLine(Path(top) / "untouched", environment)(
            "demo", "--backend", "btrfs", "--json"
        )
        remaining = list(Path(top).iterdir())
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8")

    assert result.code == 0, result
    facts = [" ".join(step["facts"]) for step in result.document["steps"]]
    assert [step["step"] for step in result.document["steps"]] == list(range(1, 10))
    assert "refused, then read and write, then read only; the first client wrote on" in facts[2]
    assert "the client mounted again" in facts[4]
    assert "writes succeeded, none failed" in facts[5]
    assert [path.name for path in remaining] in ([], ["share-actors-leftovers.lock"])
    assert top not in mounts


@needs("ganesha.nfsd", "mkfs.btrfs", "libnfs.so.13", "ip")
@pytest.mark.soak
@pytest.mark.timeout(300)
def test_the_demo_of_real_storage_leaves_nothing_behind_after_ctrl_c() -> None:
    with tempfile.TemporaryDirectory(prefix="sa") as top:
        with CommandLine(Path(top) / "untouched", {"TMPDIR": top}) as cli:
            demo = cli.start("demo", "--backend", "btrfs")
            assert demo.stdout is not None
            while "Fill the share" not in demo.stdout.readline():
                assert demo.poll() is None
            demo.send_signal(signal.SIGINT)
            _, message = demo.communicate(timeout=90)
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8")

    assert demo.returncode == 130, message
    assert top not in mounts
    assert not [path for path in Path("/run/netns").glob("sa-test-*") if is_abandoned(path.name)]


@pytest.mark.timeout(120)
def test_the_demo_leaves_nothing_behind_after_ctrl_c() -> None:
    with tempfile.TemporaryDirectory(prefix="sa") as top:
        with CommandLine(Path(top) / "untouched", {"TMPDIR": top}) as cli:
            demo = cli.start("demo")
            assert demo.stdout is not None
            while "Create two shares" not in demo.stdout.readline():
                assert demo.poll() is None
            demo.send_signal(signal.SIGINT)
            _, message = demo.communicate(timeout=60)
        remaining = list(Path(top).iterdir())

    assert (demo.returncode, remaining) == (130, [])
    assert "The demo has removed everything that it started." in message
