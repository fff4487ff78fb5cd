"""The versions that processes of one system tell each other: of the program, of its messages, of the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

VERSION = "0.2.0"
"""The version of the program, as in `pyproject.toml`."""
PROTOCOL, OLDEST_PROTOCOL = 3, 2
"""The protocol of messages between processes that this version speaks, and the oldest that it understands.

1: processes do not tell their versions, and their messages have another form. 2: they do; see
docs/how-to/upgrade.md for what may change. 3: a command may carry its trace.
"""
TRACES_PROTOCOL = 3
"""The first protocol in which a command may carry its trace."""
FORMAT = 1
"""The newest format of the log that this version reads and writes; see `events/log/formats.py`."""
EARLIER = "0.2.0 or earlier"
"""The version of a program that does not tell its own."""


class Versions(NamedTuple):
    """What a process tells about itself. It is sent as a dictionary, so that other versions can read it.

    *program* is the version of the package, *protocol* and *oldest_protocol* are those of its messages, and
    *log_format* is the newest format of the log that it can read.
    """

    program: str = EARLIER
    protocol: int = 1
    oldest_protocol: int = 1
    log_format: int = 1

    @classmethod
    def of(cls, told: Mapping[str, Any] | None) -> Self:
        """The versions in what another process *told*; those of an earlier version if it told nothing."""
        earlier, told = cls(), told or {}
        fields = [told.get(name) for name in cls._fields]
        return cls._make(
            value if type(value) is type(default) else default
            for value, default in zip(fields, earlier, strict=True)
        )

    def told(self) -> dict[str, Any]:
        """What this process tells; a later version may add to it."""
        return self._asdict()

    def __str__(self) -> str:
        return (
            f"share_actors {self.program} (protocol {self.protocol}, log format {self.log_format})"
        )


OWN = Versions(VERSION, PROTOCOL, OLDEST_PROTOCOL, FORMAT)
"""The versions of this process."""


def mismatch(own: Versions, other: Versions, name: str) -> str | None:
    """Why *own* and the process called *name* cannot talk to each other; None if they can."""
    if other.protocol < own.oldest_protocol:
        return (
            f"{name} runs {other}, and this is {own}, which talks to protocol {own.oldest_protocol} or"
            f" later: upgrade {name}"
        )
    if own.protocol < other.oldest_protocol:
        return (
            f"{name} runs {other}, which talks to protocol {other.oldest_protocol} or later, and this is"
            f" {own}: upgrade this program"
        )
    return None
