"""The log of each process of the system: plain text as before, or a JSON object a line."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any
from urllib.parse import quote

from share_actors.errors import LogError
from share_actors.observability.log_context import current

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonLines(logging.Formatter):
    """One JSON object a line: what happened, in which process, and what it is about."""

    def __init__(self, actor: str) -> None:
        super().__init__()
        self._actor = actor

    def format(self, record: logging.LogRecord) -> str:
        """The line of *record*, whose message and traceback were masked when it was made."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "actor": self._actor,
            "pid": record.process,
            "message": record.getMessage(),
            **current(),
        }
        if record.exc_info:
            line["exception"] = record.exc_text or self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def write_logs(actor: str, form: str, level: str, directory: Path | None) -> None:
    """Write what all loggers of this process log, from *level* on, to `ACTOR.log` in *directory*, or stderr.

    *form*: `text` or `json`. A file that is renamed, as by logrotate, is opened again. Raises `LogError` if
    the file cannot be written.
    """
    handler = _handler(actor, directory)
    handler.setFormatter(JsonLines(actor) if form == "json" else logging.Formatter(TEXT))
    root = logging.getLogger()
    for earlier in [h for h in root.handlers if h.get_name() == handler.get_name()]:
        root.removeHandler(earlier)
        earlier.close()
    root.addHandler(handler)
    root.setLevel(level.upper())


def _handler(actor: str, directory: Path | None) -> logging.Handler:
    handler: logging.Handler
    if directory is None:
        handler = logging.StreamHandler(sys.stderr)
    else:
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            handler = WatchedFileHandler(
                directory / f"{quote(actor, safe='@ ')}.log", encoding="utf-8", errors="replace"
            )
        except OSError as error:
            raise LogError(
                f"logging.directory {directory} can't be written by process {os.getpid()}:"
                f" {error.strerror}",
                field="logging.directory",
                value=str(directory),
            ) from None
    handler.set_name("share_actors")
    return handler
