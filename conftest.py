"""README and docs are tests, too: what they show is run (`tests/docs/trial.py`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import pages
from tests.docs.trial import Page, reader_of_running_system

__all__ = ["pytest_collect_file", "reader_of_running_system"]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Page | None:
    """One item a page."""
    return Page.from_parent(parent, path=file_path) if file_path in pages() else None
