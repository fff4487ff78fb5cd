"""A pytest plug-in for `tests.run`: writes each test report to a pipe, as one line of JSON.

`pytest -p tests.progress --progress-fd N`; a run whose reader has ended stops.
"""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

MAX_TEXT = 3000
"""Characters of the end of a failure's text."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--progress-fd`."""
    parser.addoption("--progress-fd", type=int, help="write test reports to this descriptor")


def pytest_configure(config: pytest.Config) -> None:
    """Register the reporter if a descriptor was given."""
    fd = config.getoption("--progress-fd")
    if fd is not None:
        config.pluginmanager.register(_Reporter(fd))


class _Reporter:
    """Writes what `tests.run` counts."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._write(started=nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._write(
            test=report.nodeid,
            phase=report.when,
            outcome=report.outcome,
            seconds=report.duration,
            text=report.longreprtext[-MAX_TEXT:] if report.failed else "",
        )

    def _write(self, **report: Any) -> None:
        try:
            os.write(self._fd, (json.dumps(report) + "\n").encode())
        except BrokenPipeError:
            pytest.exit("the run that reads the reports has ended", returncode=2)
