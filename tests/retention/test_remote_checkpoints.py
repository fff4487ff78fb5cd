"""Checkpoints are the same in a directory and in any store that fsspec reaches: one contract for all."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from share_actors.audit.proofs import verify
from share_actors.audit.reading.reader_source import open_rows
from share_actors.config import Config, LogSettings
from share_actors.errors import ConfigError, LogError
from share_actors.events.checkpoints.check_bundle import BadProof, Checkpoint
from share_actors.events.checkpoints.directory import CheckpointDirectory
from share_actors.events.checkpoints.keys import SigningKey
from share_actors.events.checkpoints.remote import open_checkpoints
from share_actors.events.checkpoints.writer import CheckpointWriter
from share_actors.events.log.rows import rows_in_order
from tests.proofs.logs import write_log
from tests.retention.conftest import Site

_numbers = count(1)


@pytest.fixture(params=["directory", "file", "memory"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | str]:
    """A place for checkpoints of each kind."""
    path = tmp_path / "checkpoints"
    if request.param == "directory":
        yield path
        return
    fsspec = pytest.importorskip("fsspec")
    if request.param == "file":
        yield path.as_uri()
        return
    url = f"memory://checkpoints-{next(_numbers)}"
    yield url
    files, root = fsspec.core.url_to_fs(url)
    with suppress(FileNotFoundError):
        files.rm(root, recursive=True)


class Written:
    """A log with checkpoints in a place."""

    def __init__(self, where: Path | str, home: Path) -> None:
        self.log, self.directory = home / "log.db", open_checkpoints(where)
        self.key = SigningKey.load_or_create(home / "checkpoint.key", "test/log")
        self.writer = CheckpointWriter(self.directory, self.key)

    def grow(self, events: int) -> Checkpoint:
        write_log(self.log, events, seed=events)
        with open_rows(LogSettings(), self.log) as read:
            self.writer.write_all(read)
        return self.newest()

    def newest(self) -> Checkpoint:
        note = self.directory.newest()
        assert note is not None
        return Checkpoint.parse(note, self.key.public)

    def covered(self, checkpoint: Checkpoint) -> int:
        with open_rows(LogSettings(), self.log) as read:
            leaves = self.directory.leaves(checkpoint.size)
            report = verify(rows_in_order(read), checkpoint, leaves, contiguous=True)
        assert (report.ok, report.notes) == (True, ())
        return report.covered


@pytest.fixture
def written(where: Path | str, tmp_path: Path) -> Written:
    return Written(where, tmp_path)


def test_checkpoints_grow_and_each_is_covered(written: Written) -> None:
    sizes = [written.grow(events) for events in (1, 210, 301, 256)]

    assert [written.covered(checkpoint) for checkpoint in sizes] == [1, 211, 512, 768]
    assert len(list(written.directory.history())) == 4
    assert written.directory.read("public.key").decode().strip() == written.key.public_text


def test_a_new_writer_goes_on_without_the_cache(written: Written, tmp_path: Path) -> None:
    written.grow(300)
    written.directory._write("resume.json", b"nonsense")

    assert written.covered(written.grow(77)) == 377


def test_an_empty_place_has_no_checkpoint(written: Written) -> None:
    assert written.directory.newest() is None
    assert list(written.directory.history()) == []
    with pytest.raises(BadProof, match="missing"):
        list(written.directory.leaves(1))


def test_damaged_and_missing_leaves_are_named(written: Written) -> None:
    checkpoint = written.grow(300)
    written.directory._write("tile/entries/000", b"\0\2[]")

    with pytest.raises(BadProof, match=r"tile/entries/000 is damaged"):
        list(written.directory.leaves(checkpoint.size))


def test_no_checkpoint_is_signed_for_another_log(written: Written, tmp_path: Path) -> None:
    written.grow(300)
    written.log.unlink()

    with pytest.raises(LogError, match="the log is not the one of the checkpoints in"):
        written.grow(400)


@pytest.mark.parametrize("last", [1, 2, 3])
def test_a_crash_between_two_writes_leaves_a_usable_checkpoint(
    written: Written, monkeypatch: pytest.MonkeyPatch, last: int
) -> None:
    written.grow(300)
    kind, names = type(written.directory), list[str]()
    write = kind._write

    def ends(directory: CheckpointDirectory, name: str, content: bytes) -> None:
        write(directory, name, content)
        names.append(name)
        if len(names) == last:
            raise LogError("the process ends here")

    with monkeypatch.context() as patch:
        patch.setattr(kind, "_write", ends)
        with pytest.raises(LogError, match="ends here"):
            written.grow(10)

    assert written.covered(written.newest()) in (300, 310)
    assert written.covered(written.grow(1)) == 311


def test_incomplete_files_are_dropped_when_their_leaves_are_in_complete_ones(
    written: Written, tmp_path: Path
) -> None:
    for events in (300, 700, 10):  # the second ends two files later
        written.grow(events)

    if (tmp_path / "checkpoints").exists():
        left = {path.parent.name for path in (tmp_path / "checkpoints").rglob("*.p/*")}
        assert left == {"003.p"}
    assert written.covered(written.newest()) == 1010


def test_the_commands_write_and_verify_checkpoints_at_a_url(site: Site) -> None:
    pytest.importorskip("fsspec")
    url = (site.path / "far").as_uri()
    file = site.path / "site.toml"
    file.write_text(file.read_text().replace(str(site.audit), url))

    site.run("log", "checkpoint")

    assert site.json("log", "verify")["covered"] == 15
    named = ("--checkpoint", f"{url}/checkpoint", "--key", str(site.path / "far" / "public.key"))
    assert site.json("log", "verify", *named)["covered"] == 15
    assert "Verified: the signature of the checkpoint of 15 events" in site.run("config", "check")
    text = site.run("log", "verify", "--checkpoint", f"{url}/none", code=3)
    assert "nothing was verified" in " ".join(text.split())


@pytest.mark.parametrize("url", ["nowhere://bucket/path", "s3://bucket/path"])
def test_a_url_that_no_package_reaches_is_refused(tmp_path: Path, url: str) -> None:
    pytest.importorskip("fsspec")
    config = Config(home=tmp_path, backends={"b": {"driver": "dummy"}}, audit={"checkpoints": url})
    with pytest.raises(ConfigError, match="no installed package reaches it"):
        CheckpointWriter.configured(config)


def test_without_fsspec_the_error_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ConfigError, match=r"share-actors\[remote-checkpoints\]"):
        open_checkpoints("memory://x")
