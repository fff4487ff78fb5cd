"""Logs with a short story and checkpoints, of which some shares were deleted."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from share_actors.audit.reading.reader_source import open_rows
from share_actors.config import Config, LogSettings
from share_actors.events.log import Log
from share_actors.events.log.rows import Row, rows_in_order
from tests.audit.conftest import write_story
from tests.command_tree import invoke
from tests.events.conftest import postgres_server, postgres_settings

__all__ = ["postgres_server", "postgres_settings"]


class Site:
    """A system's home with a log, and the command line in it; no system runs."""

    def __init__(self, path: Path, log: LogSettings | None = None) -> None:
        self.path, self.file, self.audit = path, path / "old.gz", path / "audit"
        self.config = Config(
            home=path,
            backends={"b": {"driver": "dummy"}},
            log=log or LogSettings(),
            audit={"checkpoints": self.audit},
        )
        self._file = path / "site.toml"
        self._file.write_text(
            f'home = "{path}"\n[backends.b]\ndriver = "dummy"\n[audit]\ncheckpoints = "{self.audit}"\n[log]\n'
            + "".join(f"{name} = {json.dumps(value)}\n" for name, value in _given(log).items())
        )

    @contextmanager
    def log(self) -> Iterator[Log]:
        with closing(Log.open(self.config.log, self.config.log_path)) as log:
            yield log

    def rows(self) -> list[Row]:
        """All rows, archived ones included."""
        with open_rows(self.config.log, self.config.log_path) as read:
            return list(rows_in_order(read))

    def run(self, *arguments: str, code: int = 0) -> str:
        result = invoke(["--config", str(self._file), *arguments])
        assert result.exit_code == code, result.output
        return result.output

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code))


def _given(log: LogSettings | None) -> dict[str, Any]:
    if log is None:
        return {}
    names = ("kind", "host", "database", "user", "schema_name", "partitions", "compress")
    return {name: value for name in names if (value := getattr(log, name)) is not None}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SHARE_ACTORS_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A SQLite log with the story: 9 events of the share s1, and 6 of s2, which is deleted."""
    site = Site(tmp_path)
    with site.log() as log:
        write_story(log)
    return site


@pytest.fixture
def postgres_site(tmp_path: Path, postgres_settings: LogSettings) -> Site:
    """The same log in PostgreSQL."""
    site = Site(tmp_path, postgres_settings)
    with site.log() as log:
        write_story(log)
    return site


@pytest.fixture
def compressed_site(tmp_path: Path) -> Site:
    """The same log in SQLite, compressed with the dictionary."""
    site = Site(tmp_path, LogSettings(compress="dictionary"))
    with site.log() as log:
        write_story(log)
    return site


@pytest.fixture(params=["site", "compressed_site", "postgres_site"])
def either(request: pytest.FixtureRequest) -> Site:
    """The log in SQLite, compressed, and in PostgreSQL."""
    found: Site = request.getfixturevalue(request.param)
    return found
