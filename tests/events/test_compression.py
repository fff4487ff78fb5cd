"""Events compressed with the dictionary: small, readable for ever, and refused by versions without it."""

from __future__ import annotations

import zlib
from contextlib import closing
from pathlib import Path

import pytest
from eventsourcing.persistence import StoredEvent

from share_actors.audit.reading.reader import open_reader
from share_actors.config import LogSettings
from share_actors.errors import LogError, LogTooNew
from share_actors.events.decider import Event
from share_actors.events.log import Log
from share_actors.events.log.codec import Codec
from share_actors.events.log.compression import CURRENT, DictionaryCompressor, decompressed
from tests.audit.conftest import HOME, write
from tests.golden.examples import ENVELOPE, EVENT_ID, EXAMPLES, STREAM, VERSION, recorded

DICTIONARY = LogSettings(compress="dictionary")
HOT = ("share.creation_requested", "share.attempt_started", "share.created")
UNKNOWN = b"\x68\xbf" + bytes(4)
"""The beginning of what is compressed with a dictionary of another number."""


def row_of(event: Event) -> StoredEvent:
    return Codec().encode(STREAM, VERSION, EVENT_ID, ENVELOPE, event)


def plain_forms() -> dict[str, bytes]:
    """The records of an event of every topic, not compressed."""
    return {row.topic: bytes(row.state) for row in map(row_of, EXAMPLES)}


def test_every_event_compressed_with_the_dictionary_is_read_as_it_was() -> None:
    compressor, codec = DictionaryCompressor(), Codec()
    for event in EXAMPLES:
        row = row_of(event)
        small = StoredEvent(
            row.originator_id, row.originator_version, row.topic, compressor.compress(row.state)
        )
        assert codec.decode(small) == recorded(event)


def test_the_dictionary_makes_every_event_smaller_than_zlib_alone_does() -> None:
    compressor, forms = DictionaryCompressor(), plain_forms()
    small = {topic: len(compressor.compress(plain)) for topic, plain in forms.items()}

    assert all(small[topic] < len(zlib.compress(plain)) for topic, plain in forms.items())
    assert sum(small[topic] for topic in HOT) < 0.4 * sum(len(forms[topic]) for topic in HOT)


def test_the_dictionary_never_changes() -> None:
    assert zlib.adler32(CURRENT) == 0x96DA608E
    assert (
        decompressed(bytes.fromhex("68bf96da608e43c91a04cbc3da5a0091d310ba"))
        == b'{"event_id":"","schema_version":1,"envelope":{}}'
    )


def test_an_event_with_an_unknown_dictionary_names_its_place_and_what_to_do(tmp_path: Path) -> None:
    row = row_of(EXAMPLES[0])
    newer = StoredEvent(row.originator_id, row.originator_version, row.topic, UNKNOWN + b"rest")

    with pytest.raises(LogTooNew, match="upgrade share_actors") as refused:
        Codec().decode(newer)
    assert f"{row.originator_id} version {row.originator_version}" in refused.value.message

    with closing(Log.open(DICTIONARY, tmp_path / "log.db")) as log:
        write(log, "share-s1", HOME)
    change_last_row(tmp_path / "log.db", UNKNOWN + b"rest")
    with open_reader(tmp_path / "log.db") as reader, pytest.raises(LogTooNew, match="upgrade"):
        [reader.plain(row) for row in reader.rows()]


@pytest.mark.parametrize("cut", [1, 5, -1])
def test_a_compressed_event_that_was_cut_is_an_error_that_names_it(cut: int) -> None:
    row = row_of(EXAMPLES[0])
    state = DictionaryCompressor().compress(row.state)[:cut]
    damaged = StoredEvent(row.originator_id, row.originator_version, row.topic, state)

    with pytest.raises(LogError, match=f"{row.originator_id} version {row.originator_version}"):
        Codec().decode(damaged)


def change_last_row(path: Path, state: bytes) -> None:
    import sqlite3

    with closing(sqlite3.connect(path)) as connection, connection:
        last = "(SELECT max(rowid) FROM stored_events)"
        connection.execute(f"UPDATE stored_events SET state = ? WHERE rowid = {last}", (state,))
