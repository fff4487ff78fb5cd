"""The log records of a process: without known secrets, credentials in URLs, and control characters."""

from __future__ import annotations

import logging
import traceback
from functools import cache
from typing import Any

from share_actors.redaction import scrubbed
from share_actors.values.checks.escaping import escaped


@cache
def mask_log_records() -> None:
    """Mask the records of all loggers of this process, also those of drivers and libraries."""
    make = logging.getLogRecordFactory()

    def masked(*args: Any, **kwargs: Any) -> logging.LogRecord:
        return _mask(make(*args, **kwargs))

    logging.setLogRecordFactory(masked)


def _mask(record: logging.LogRecord) -> logging.LogRecord:
    try:
        record.msg, record.args = safe_text(record.getMessage()), ()
    except (TypeError, ValueError):  # the caller's mistake, which `logging` reports
        return record
    if record.exc_info and record.exc_info[1] is not None:
        record.exc_text = safe_text(
            "".join(traceback.format_exception(record.exc_info[1])).rstrip()
        )
    return record


def safe_text(text: str) -> str:
    """*text* of a log, whose lines stay lines."""
    return escaped(scrubbed(text), keep="\n\t")
