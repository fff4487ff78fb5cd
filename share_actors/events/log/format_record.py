"""The record of the format in which a log is written."""

from __future__ import annotations

from share_actors.events.envelope import Envelope
from share_actors.events.formats import STREAM, FormatRaised
from share_actors.events.log.append_order import Conflict
from share_actors.events.log.log import Log
from share_actors.versions import FORMAT, VERSION


async def raise_format(log: Log, envelope: Envelope) -> bool:
    """Have the log written in this version's format from now on; returns whether that is new.

    Raises `LogTooNew` if the log is written in a newer format already, and `LogError`.
    """
    while log.format.read() < FORMAT:
        event = FormatRaised(format=FORMAT, program=VERSION)
        try:
            await log.append(STREAM, log.version(STREAM), [(envelope, event)])
        except Conflict:  # another process did the same
            continue
        log.format.read()
        return True
    return False
