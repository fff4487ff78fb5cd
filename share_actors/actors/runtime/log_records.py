"""The log records of a process: without known secrets, credentials in URLs, and control characters."""

from __future__ import annotations

import logging
import traceback
from functools import cache
from typing import Any

import ray

from share_actors.config import Config
from share_actors.observability.log_lines import write_logs
from share_actors.observability.tracing import PROCESS
from share_actors.redaction import scrubbed
from share_actors.values.checks.escaping import escaped


def begin_log(config: Config) -> None:
    """Mask the log records of this process, and write them as *config* says, for the actor that it is."""
    mask_log_records()
    settings = config.logging
    actor = PROCESS["actor"] = ray.get_runtime_context().get_actor_name() or "process"
    if not settings.is_default:
        write_logs(actor, settings.format, settings.level, settings.directory)


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
