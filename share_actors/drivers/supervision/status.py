"""What the supervisor tells of its unit, in a file, and the ends of the daemons' logs."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

STARTING, SERVING, PAUSING = "starting", "serving", "pausing"
_LOG_LIMIT = 16 * 1024 * 1024
_END = 1500
"""How much of the end of a log is shown, in characters."""
_PREFIX = re.compile(r"^\S+ \S+ : epoch \S+ : \S+ : [^\[]*\[\w*\] ", re.MULTILINE)
"""What NFS-Ganesha writes before each message."""


@dataclass(frozen=True)
class Status:
    """The state of a unit."""

    state: str
    """`STARTING`, `SERVING`, or `PAUSING` before the next start."""
    failures: int = 0
    """How often in succession the unit ended before it served."""
    restarts: int = 0
    """How often the unit was started again since the supervisor began."""
    reason: str = ""
    """Why the unit ended last."""


def write_status(path: Path, status: Status) -> None:
    """Replace the file *path*; after a crash of the machine it may be missing or empty."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(json.dumps(asdict(status)), encoding="utf-8")
    new.replace(path)


def read_status(path: Path) -> Status | None:
    """The status in the file *path*; None if there is none."""
    try:
        return Status(**json.loads(path.read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def log_end(path: Path, start: int = 0) -> str:
    """The last lines of the log *path*, none from before the byte *start*."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(start, size - 4 * _END))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return _PREFIX.sub("", text)[-_END:].strip()


def shorten_log(path: Path) -> int:
    """Move a log that has grown large to `NAME.1`; returns the size of what is left, in bytes."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return 0
    if size <= _LOG_LIMIT:
        return size
    path.replace(path.with_name(f"{path.name}.1"))
    return 0
