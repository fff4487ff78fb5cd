"""Where the rows of a stored log come from: a SQLite file, a PostgreSQL schema, or an archive.

All commands that read a stored log read it here, on connections that cannot write.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Protocol

from share_actors.config import LogSettings
from share_actors.errors import LogError
from share_actors.events.checkpoints.check_archive import is_archive
from share_actors.events.log.archived_rows import ArchivedRow, merged
from share_actors.events.log.infrastructure import check_packages
from share_actors.events.log.log import Notification
from share_actors.events.log.rows import ReadRows, Row
from share_actors.events.log.sqlite.file import NAMED, READ


class Source(Protocol):
    """The rows of a stored log; each method raises `LogError`."""

    where: str
    """The place of the log, for messages, without a password."""

    def batch(self, after: int, limit: int) -> list[Notification]:
        """At most *limit* rows after the position *after*, in the order of the log."""

    def stream(self, name: str, after: int, limit: int) -> list[Notification]:
        """At most *limit* rows of a stream after the version *after*, in their order."""

    def by_stream(self, prefix: str, after: tuple[str, int], limit: int) -> list[Notification]:
        """At most *limit* rows of the streams that start with *prefix*, by stream and version."""

    def largest(self, limit: int) -> list[tuple[str, int]]:
        """The *limit* streams with the most events, and their numbers of events."""

    def archived(self, after: int, limit: int) -> Sequence[ArchivedRow]:
        """At most *limit* leaves of archived events after the position *after*, in order."""

    def head(self) -> int:
        """The position of the last row; 0 if there is none."""

    def size(self) -> int:
        """The bytes that the log occupies, its indexes included."""

    def moment(self) -> AbstractContextManager[None]:
        """A block whose reads all see the log as it was at the first of them.

        Raises `LogError` at its end if the log was not only read meanwhile, so that they did not.
        """

    def close(self) -> None:
        """Close the connection and remove what was made to read the log."""


def open_source(settings: LogSettings, path: Path, *, named: bool = True) -> Source:
    """Open the log of *settings*; *path* is a SQLite file or an archive. Raises `LogError` if it is none.

    *named*: by an option or a caller, and not by the configuration; messages say what to correct.
    """
    if settings.kind == "sqlite":
        from share_actors.audit.reading.reader_archive import ArchiveSource  # noqa: PLC0415 - one is needed
        from share_actors.audit.reading.reader_sqlite import SQLiteSource  # noqa: PLC0415 - one is needed

        advice = NAMED if named else READ
        return ArchiveSource(path) if is_archive(path) else SQLiteSource(path, advice)
    check_packages(settings)
    from share_actors.audit.reading.reader_postgres import PostgresSource  # noqa: PLC0415 - optional package

    return PostgresSource(settings, named=named)


@contextmanager
def open_rows(settings: LogSettings, path: Path, *, named: bool = True) -> Iterator[ReadRows]:
    """Open the log of *settings* to read all its rows as of one moment, with the leaves of archived events.

    *named*: see `open_source`. The cipher key is not needed. Raises `LogError`, also while reading, and for
    an archive, which has only a part of a log.
    """
    if settings.kind == "sqlite" and is_archive(path):
        raise LogError(
            f"{path}: is an archive, which has a part of a log: `share-actors log verify --log` verifies it;"
            " name the log that it was taken from",
            field="log",
            value=str(path),
        )
    source = open_source(settings, path, named=named)

    def read(after: int, limit: int) -> Sequence[Row]:
        return merged(source.batch(after, limit), source.archived(after, limit), limit)

    with closing(source), source.moment():
        yield read
