"""A stored log, read without a system: the live one or a copy, on a connection that cannot write.

Memory does not grow with the log: rows are fetched in batches, each by a query of its own, so a reader
holds no transaction open while its caller works.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Self

from share_actors.audit.reading.reader_source import Source, open_source
from share_actors.config import Config, LogSettings
from share_actors.errors import LogError, LogTooNew
from share_actors.events.decider import Event
from share_actors.events.envelope import Recorded
from share_actors.events.formats import STREAM as FORMAT_STREAM
from share_actors.events.formats import format_of
from share_actors.events.log.archived_rows import ArchivedRow
from share_actors.events.log.infrastructure import check_packages, codec_of
from share_actors.events.log.log import Notification
from share_actors.events.log.subject_keys import record_opener, record_sealer
from share_actors.events.subjects.sealing import RecordSealer

BATCH_SIZE = 1_000


class LogReader:
    """Reads a stored log and writes nothing; a context manager. It belongs to one thread at a time."""

    def __init__(
        self, source: Source, settings: LogSettings, subjects: RecordSealer | None = None
    ) -> None:
        self._source, self._subjects = source, subjects
        self._codec = codec_of(settings, subjects)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def where(self) -> str:
        """The place of the log, for messages, without a password."""
        return self._source.where

    def head(self) -> int:
        """The position of the last event; 0 if the log is empty."""
        return self._source.head()

    def size(self) -> int:
        """The bytes that the log occupies, its indexes included."""
        return self._source.size()

    def rows(self, after: int = 0, upto: int | None = None) -> Iterator[Notification]:
        """The stored rows after position *after*, up to and including *upto*, as they are in the log.

        Ends at the last row there is when it gets there, which may have been written meanwhile.
        """
        while batch := self._source.batch(after, BATCH_SIZE):
            for row in batch:
                if upto is not None and row.position > upto:
                    return
                yield row
            after = batch[-1].position

    def archived_rows(self, upto: int) -> Iterator[ArchivedRow]:
        """The leaves of the archived events up to position *upto*, in the order of the log."""
        after = 0
        while batch := self._source.archived(after, BATCH_SIZE):
            yield from (row for row in batch if row.position <= upto)
            after = batch[-1].position

    def stream_rows(self, stream: str, after: int = 0) -> Iterator[Notification]:
        """The stored rows of one stream after the version *after*, by its index, in their order."""
        while batch := self._source.stream(stream, after, BATCH_SIZE):
            yield from batch
            after = batch[-1].version

    def rows_by_stream(self, prefix: str) -> Iterator[Notification]:
        """The stored rows of all streams that start with *prefix*, stream by stream, each in its order."""
        after = ("", 0)
        while batch := self._source.by_stream(prefix, after, BATCH_SIZE):
            yield from batch
            after = (batch[-1].stream, batch[-1].version)

    def largest_streams(self, limit: int) -> list[tuple[str, int]]:
        """The *limit* streams with the most events, and how many events they have."""
        return self._source.largest(limit)

    def plain(self, row: Notification) -> bytes:
        """The JSON of *row*, decrypted and decompressed; raises `LogError` with its place."""
        try:
            return self._codec.unseal(row.state)
        except LogTooNew as error:
            text = (
                f"{self.where}: position {row.position}, stream {row.stream} version {row.version}:"
            )
            raise LogTooNew(f"{text} {error.reason}: upgrade share_actors") from None
        except Exception as error:
            raise LogError(
                f"{self.where}: position {row.position}, stream {row.stream} version {row.version}:"
                f" cannot be decrypted or decompressed: {error or type(error).__name__}; check that"
                " log.cipher_key is the key that the log was written with",
                field="log.cipher_key",
            ) from None

    @property
    def is_encrypted(self) -> bool:
        """Whether the log has a cipher key."""
        return self._codec.encrypts

    def seal(self, plain: bytes) -> bytes:
        """Compress and encrypt the JSON *plain* as the log's records are, for what is written beside it."""
        return self._codec.seal(plain)

    def unseal(self, sealed: bytes) -> bytes:
        """The reverse of `seal`; raises any exception if *sealed* was not sealed with the log's key."""
        return self._codec.unseal(sealed)

    def opened(self, row: Notification) -> bytes:
        """The same with the texts of data subjects opened, or erased."""
        return self._codec.opened(row.stream, row.version, row.topic, self.plain(row))

    def decode(self, row: Notification) -> Recorded:
        """The event of *row*; raises `LogTooNew` or `LogError` with its stream and version."""
        return self._codec.decode_row(row.stream, row.version, row.topic, row.state, row.position)

    def decode_event(self, row: Notification) -> Event:
        """The event of *row* without its envelope, faster than `decode`; raises as that does."""
        return self._codec.decode_event(row.stream, row.version, row.topic, row.state)

    def time_of(self, row: Notification) -> datetime:
        """When the event of *row* was recorded; raises as `decode`, and for a time without a zone."""
        return self._codec.time_of(row.stream, row.version, row.topic, row.state)

    def stream(self, stream: str) -> Iterator[Recorded]:
        """The events of one stream, the oldest first."""
        return map(self.decode, self.stream_rows(stream))

    def close(self) -> None:
        """Close the log; closing again does nothing."""
        with suppress(LogError):
            self._source.close()
        if self._subjects is not None:
            self._subjects.ring.store.close()


def open_reader(
    where: str | Path, settings: LogSettings | None = None, subject_keys: Path | None = None
) -> LogReader:
    """Open a SQLite file, an archive or a `postgresql://` URL; the cipher key is that of *settings*.

    A URL may name the schema of the log as `?schema=NAME`. *subject_keys* is the directory of the keys of
    data subjects (default: `subjects` beside the file; for PostgreSQL they are in its schema); texts whose
    keys are missing read as `no-key-...`. Raises `LogError` if there is no log.
    """
    settings = settings or LogSettings()
    if isinstance(where, str) and "://" in where:
        from share_actors.audit.reading.postgres_url import (  # noqa: PLC0415 - one of two is needed
            settings_of,
        )

        settings, path = settings_of(where, settings), Path()
    else:
        settings, path = settings.model_copy(update={"kind": "sqlite"}), Path(where)
    check_packages(settings)
    subjects = record_opener(settings, subject_keys or path.parent / "subjects")
    return _opened(open_source(settings, path), settings, subjects)


def open_configured_reader(config: Config) -> LogReader:
    """Open the log of *config*, which a system may be using; raises `LogError` if there is none."""
    check_packages(config.log)
    source = open_source(config.log, config.log_path, named=False)
    return _opened(source, config.log, record_sealer(config))


def _opened(source: Source, settings: LogSettings, subjects: RecordSealer) -> LogReader:
    try:
        reader = LogReader(source, settings, subjects)
        _check_format(reader)
    except BaseException:
        source.close()
        raise
    return reader


def _check_format(reader: LogReader) -> None:
    """Raise `LogTooNew` if the log is written in a format that this version cannot read."""
    try:
        format_of([recorded.event for recorded in reader.stream(FORMAT_STREAM)])
    except LogTooNew as error:
        raise LogTooNew(f"{reader.where}: {error.reason}", **error.details) from None
