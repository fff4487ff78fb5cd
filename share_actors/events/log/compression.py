"""Compression of stored events: zlib, alone or with a dictionary of what all events have in common."""

from __future__ import annotations

import zlib
from pathlib import Path

from eventsourcing.persistence import Compressor

from share_actors.errors import LogTooNew

_LEVEL, _WINDOW_BITS, _MEMORY_LEVEL = 6, 14, 6
"""A window that holds the dictionary, and little memory: its state is copied for each event."""
_METHOD = 0x68
"""The first byte that zlib writes for that window."""
_HAS_DICTIONARY = 0x20
"""The flag in the second byte of zlib's form; the number of the dictionary follows it (RFC 1950)."""


def _read(name: str) -> bytes:
    """A dictionary. It never changes: what was written with it needs it. A better one gets another name."""
    return (Path(__file__).parent / "dictionaries" / name).read_bytes()


CURRENT = _read("1.txt")
"""The fields of every event, the most frequent last: zlib finds those the fastest."""
_DICTIONARIES = {zlib.adler32(dictionary): dictionary for dictionary in (CURRENT,)}


class DictionaryCompressor(Compressor):
    """Compresses with the current dictionary."""

    def __init__(self) -> None:
        strategy = zlib.Z_DEFAULT_STRATEGY
        self._primed = zlib.compressobj(
            _LEVEL, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL, strategy, CURRENT
        )

    def compress(self, plaintext: bytes) -> bytes:
        """Return *plaintext*, compressed."""
        compressing = self._primed.copy()
        return compressing.compress(plaintext) + compressing.flush()

    def decompress(self, ciphertext: bytes) -> bytes:
        """Return what was compressed, with any dictionary or none; see `decompressed`."""
        return decompressed(ciphertext)


def decompressed(stored: bytes) -> bytes:
    """Decompress *stored*; raises `LogTooNew` for an unknown dictionary, and `zlib.error` for other bytes."""
    decompressing = zlib.decompressobj(zdict=_dictionary_of(stored))
    plain = decompressing.decompress(stored)
    if not decompressing.eof or decompressing.unused_data:
        raise zlib.error("the compressed form is not complete, or something follows it")
    return plain


def _dictionary_of(stored: bytes) -> bytes:
    """The dictionary that *stored* names; an empty one if it names none."""
    if len(stored) < 6 or not _names_dictionary(stored[0], stored[1]):
        return b""
    number = int.from_bytes(stored[2:6])
    if number not in _DICTIONARIES:
        raise LogTooNew(
            f"compressed with dictionary {number:08x}, which this version does not have"
        )
    return _DICTIONARIES[number]


def _names_dictionary(method: int, flags: int) -> bool:
    """Whether these first bytes are zlib's and say so: encrypted bytes, which are random, hardly ever are."""
    is_zlib = method == _METHOD and (256 * method + flags) % 31 == 0
    return is_zlib and bool(flags & _HAS_DICTIONARY)
