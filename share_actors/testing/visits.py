"""Clients of a share in tests: what `ClientContract` does through a mount, and how it may fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from share_actors.values import ExportLocation


class VisitError(Exception):
    """What a client asked for failed; the message is that of its protocol."""


class Refused(VisitError):
    """The server does not let the client in, or no longer."""


class ReadOnly(VisitError):
    """The client may read and not write."""


class Full(VisitError):
    """The share has no room for what was written."""


class Gone(VisitError):
    """What the client mounted or opened does not exist any more."""


class OpenFile(Protocol):
    """A file that a client holds open. Each method raises `VisitError`."""

    def write(self, data: bytes) -> None:
        """Write *data* at the beginning of the file; the server has it when this returns."""

    def fill(self, size: int) -> None:
        """Append *size* bytes that are not zero; the server has counted them when this returns.

        Raises `Full` if there is no room for all of them.
        """

    def close(self) -> None:
        """Close the file; succeeds also if the file is gone."""


class Visit(Protocol):
    """A share that one client has mounted. Names are of files at the top of the share.

    Each method asks the server, never a cache of the client, and raises `VisitError`.
    """

    def write(self, name: str, data: bytes) -> None:
        """Create the file, unless it exists, and write *data* at its beginning."""

    def read(self, name: str) -> bytes:
        """The content of the file, of some kilobytes at most."""

    def names(self) -> list[str]:
        """The names of all files that the client sees, sorted."""

    def hold(self, name: str) -> OpenFile:
        """Create the file, unless it exists, and hold it open for writing."""


Mount = Callable[[ExportLocation, str], Visit]
"""Mounts an export location as a client that a rule can name (`access_to`); raises `VisitError`."""
