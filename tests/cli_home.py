"""A home without a system, and the command line run in this process."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.command_tree import invoke


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a system, and an environment without variables of this machine's user."""
    for name in [name for name in os.environ if name.startswith("SHARE_ACTORS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHARE_ACTORS_HOME", str(tmp_path))
    return tmp_path


def run(*args: str) -> Any:
    """The result of the command line with *args*, run in this process."""
    return invoke(list(args))


def error_of(result: Any) -> Any:
    """The error in the JSON document on stdout."""
    return json.loads(result.stdout)["error"]
