"""Puts the clock of this system's processes an hour ahead if this directory is in their `PYTHONPATH`.

libfaketime, which could do so for all programs, breaks the `time.sleep` of Python.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta, tzinfo

from share_actors.values import base

AHEAD_S = 3600.0
_time = time.time


class _Ahead(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        """The time in an hour."""
        return datetime.now(tz) + timedelta(seconds=AHEAD_S)


time.time = lambda: _time() + AHEAD_S
base.datetime = _Ahead  # type: ignore[attr-defined]
