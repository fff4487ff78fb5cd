"""Makes the README and every page of the docs a test, which `tests/docs/docs_runner.py` runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.docs_runner import DocsPage, reader_of_running_system
from tests.docs.pages import pages

__all__ = ["pytest_addoption", "pytest_collect_file", "reader_of_running_system"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all-steps",
        action="store_true",
        help="let drivers crash and stall at all steps that their contract asks for, not at a few",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> DocsPage | None:
    """One test per page."""
    return DocsPage.from_parent(parent, path=file_path) if file_path in pages() else None
