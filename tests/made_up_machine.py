"""A machine for tests of checks, of which each part can be set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from share_actors.drivers.machine import Listener


@dataclass(frozen=True)
class MadeUpMachine:
    """A machine that has what its fields say (`share_actors.drivers.machine.Machine`)."""

    commands: Mapping[str, str] = field(default_factory=dict)
    existing: Sequence[str] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    release: str = "6.1.0-18-amd64"
    held: Mapping[int | tuple[int, str], Sequence[Listener]] = field(default_factory=dict)
    """By port, or by port and network namespace."""
    free: int | None = None
    acls: bool | None = None

    def which(self, command: str) -> str | None:
        return self.commands.get(command)

    def paths(self, pattern: str) -> Sequence[str]:
        return [path for path in self.existing if fnmatch(path, pattern)]

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def kernel_release(self) -> str:
        return self.release

    def listeners(self, port: int, namespace: str | None = None) -> Sequence[Listener]:
        return self.held.get(port if namespace is None else (port, namespace), ())

    def free_bytes(self, path: Path) -> int | None:
        return self.free

    def supports_acls(self, path: Path) -> bool | None:
        return self.acls
