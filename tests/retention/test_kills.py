"""`kill -9` at every step of the commands that write logs and files: nothing is lost or half made."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from share_actors.audit.archives import archive
from share_actors.audit.reading.reader_source import open_rows
from share_actors.config import LogSettings
from share_actors.events.log import Log
from share_actors.events.log.rows import Row, rows_in_order
from share_actors.values import OPERATOR
from tests.audit.conftest import HOME, write, write_story
from tests.kills import kill_at, steps_of
from tests.retention.archives import NOW, check_after_crash, leaves
from tests.retention.conftest import Site

AT = "2026-03-01T12:00:20Z"
END = "2100-01-01T00:00:00Z"


class Killed:
    """A command on a log with the story, in a directory of its own; subclasses say what it is."""

    def __init__(self, home: Path, settings: LogSettings | None = None) -> None:
        home.mkdir()
        (home / "tmp").mkdir()
        self.home, self.site, self.copy = home, Site(home, settings), home / "copy.db"
        with self.site.log() as log:
            write_story(log)
        if settings is None:
            shutil.copy(self.site.config.log_path, self.copy)
        self.prepare()

    def prepare(self) -> None:
        """Make what the command needs."""

    def run(self) -> None:
        """The command that is killed."""
        raise NotImplementedError

    def check(self) -> None:
        """Check that nothing is lost, and that nothing half made is there; then that repeating succeeds."""
        raise NotImplementedError

    def litter(self) -> list[Path]:
        """What is left over in the end."""
        return [*(self.home / "tmp").iterdir(), *self.home.glob(".*.*")]


class Archive(Killed):
    """`log archive`."""

    def prepare(self) -> None:
        self.before = leaves(self.site)

    def run(self) -> None:
        archive(self.site.config, NOW, self.site.file, OPERATOR)

    def check(self) -> None:
        check_after_crash(self.site, self.before)


class Index(Killed):
    """`log index`, of which there is none."""

    def prepare(self) -> None:
        self.index, self.content = self.home / "copy.db.index", self.copy.read_bytes()

    def listed(self, *options: str) -> str:
        return self.site.run("log", "list", "--at", AT, "--log", str(self.copy), *options)

    def run(self) -> None:
        self.site.run("log", "index", "--log", str(self.copy))

    def check(self) -> None:
        (empty := self.home / "none").mkdir()
        expected = self.site.run("log", "list", "--at", AT, "--log", str(self.alone(empty)))
        assert self.listed() == expected
        self.run()
        assert self.listed("--index", str(self.index)) == expected
        assert self.copy.read_bytes() == self.content

    def alone(self, directory: Path) -> Path:
        """The same log without an index."""
        return Path(shutil.copy(self.copy, directory / "copy.db"))


class IndexOfGrownLog(Index):
    """`log index`, of which there is one of the shorter log."""

    def prepare(self) -> None:
        self.site.run("log", "index", "--log", str(self.copy))
        log = Log.open(LogSettings(), self.copy)
        write(log, "share-s3", HOME)
        log.close()
        super().prepare()


class Drill(Killed):
    """`log restore-drill --into`, of a copied file."""

    def prepare(self) -> None:
        self.new, self.backup = self.home / "new.db", self.copy
        self.expected = rows_of(self.copy)

    def run(self) -> None:
        self.site.run("log", "restore-drill", str(self.backup), "--into", str(self.new))

    def check(self) -> None:
        if self.new.exists():
            assert rows_of(self.new) == self.expected
            self.new.unlink()
        self.run()
        assert rows_of(self.new) == self.expected


class DrillOfExport(Drill):
    """The same of an export."""

    def prepare(self) -> None:
        super().prepare()
        self.backup = self.home / "log.jsonl"
        self.site.run("log", "export", "--output", str(self.backup))


class Import(Drill):
    """`log import`."""

    def prepare(self) -> None:
        super().prepare()
        self.new, self.export = self.site.config.log_path, self.home / "log.jsonl"
        self.site.run("log", "export", "--output", str(self.export))
        self.new.unlink()

    def run(self) -> None:
        self.site.run("log", "import", str(self.export))


class Export(Killed):
    """`log export`."""

    def prepare(self) -> None:
        self.file, whole = self.home / "log.jsonl", self.home / "whole"
        self.site.run("log", "export", "--output", str(whole))
        self.whole = whole.read_bytes()

    def run(self) -> None:
        self.site.run("log", "export", "--output", str(self.file))

    def check(self) -> None:
        if self.file.exists():
            assert self.file.read_bytes() == self.whole
            self.file.unlink()
        self.run()
        assert self.file.read_bytes() == self.whole


COMMANDS = (Archive, Index, IndexOfGrownLog, Drill, DrillOfExport, Import, Export)


def rows_of(path: Path) -> list[Row]:
    with open_rows(LogSettings(), path) as read:
        return list(rows_in_order(read))


@pytest.fixture(params=COMMANDS, ids=lambda kind: kind.__name__)
def made(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Killed]:
    """Makes a command on a log of its own, with a directory of its own for temporary files."""

    def make(name: str) -> Killed:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / name / "tmp"))
        killed: Killed = request.param(tmp_path / name)
        return killed

    return make


def check_kills(made: Callable[[str], Killed], *, all_steps: bool) -> None:
    steps = steps_of(made("count").run, all_steps=all_steps)
    for number, step in enumerate(steps):
        command = made(str(number))
        if kill_at(step, command.run):
            try:
                command.check()
                assert command.litter() == []
            except BaseException as error:
                error.add_note(f"killed before {step}")
                raise
        shutil.rmtree(command.home)


def test_a_kill_at_some_steps_loses_nothing_and_leaves_nothing_half_made(
    made: Callable[[str], Killed],
) -> None:
    check_kills(made, all_steps=False)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_kill_at_every_step_loses_nothing_and_leaves_nothing_half_made(
    made: Callable[[str], Killed],
) -> None:
    check_kills(made, all_steps=True)
