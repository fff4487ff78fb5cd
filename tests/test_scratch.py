"""What a killed process left in a scratch directory is removed by the next one, and nothing else is."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from share_actors.scratch import Scratch, scratch_beside


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def killed_with_a_scratch() -> None:
    if (child := os.fork()) == 0:
        (Scratch("log").path / "copy").write_bytes(b"personal")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    killed_with_a_scratch()
    assert len(list(tmp_path.glob("*/copy"))) == 1

    with Scratch("log"):
        assert list(tmp_path.glob("*/copy")) == []

    assert list(tmp_path.iterdir()) == []


def test_a_directory_in_use_and_those_of_other_purposes_and_programs_stay(tmp_path: Path) -> None:
    (tmp_path / "share-actors-log-x").mkdir()
    with Scratch("log") as used, Scratch("drill") as other:
        with Scratch("log"):
            pass
        assert used.exists()
        assert other.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["share-actors-log-x"]


def test_one_process_makes_a_file_at_a_time(tmp_path: Path) -> None:
    with scratch_beside(tmp_path / "new.db") as scratch:
        (scratch / "part").touch()
        with pytest.raises(
            BlockingIOError, match=r"another process or user has \.new\.db\.share-actors-new"
        ):
            scratch_beside(tmp_path / "new.db").__enter__()
        assert (scratch / "part").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_symbolic_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (kept := tmp_path / "kept").mkdir()
    (kept / "file").touch()
    (tmp_path / ".new.db.share-actors-new").symlink_to(kept)

    with pytest.raises(OSError, match="another process or user"):
        scratch_beside(tmp_path / "new.db").__enter__()

    assert (kept / "file").exists()


def test_a_directory_of_the_user_with_a_common_name_stays(tmp_path: Path) -> None:
    (own := tmp_path / ".new.db.new").mkdir()
    (own / "file").touch()

    with scratch_beside(tmp_path / "new.db"):
        pass

    assert (own / "file").exists()
