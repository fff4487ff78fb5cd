"""The page of the design names the functions that a create calls, in at most six files."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from types import FrameType

from share_actors.testing import system
from tests.actors.in_process import config

ROOT = Path(__file__).parents[2]
MOST_FILES = 6
ROW = re.compile(r"^\| `(share_actors/[\w/]+\.py)` \| (.+?) \|", re.MULTILINE)


def documented() -> dict[str, list[str]]:
    """The functions by file, in the table of the page."""
    page = (ROOT / "docs/design.md").read_text(encoding="utf-8")
    section = page.partition("## Follow `create_share`")[2].partition("\n## ")[0]
    return {file: re.findall(r"`([\w.]+)`", names) for file, names in ROW.findall(section)}


def called_by_a_create(directory: Path) -> set[tuple[str, str]]:
    """The file and the name of each function of ours that one create calls on the event loop."""
    calls = set[tuple[str, str]]()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and "/share_actors/" in frame.f_code.co_filename:
            calls.add((frame.f_code.co_filename, frame.f_code.co_name))

    async def create() -> None:
        async with system(config(directory)) as running:
            sys.setprofile(note)
            try:
                await running.create_share(size=1)
            finally:
                sys.setprofile(None)

    asyncio.run(create())
    return {(str(Path(file).relative_to(ROOT)), name) for file, name in calls}


def test_a_create_calls_the_functions_that_the_design_names_in_at_most_six_files(
    tmp_path: Path,
) -> None:
    files = documented()

    assert 0 < len(files) <= MOST_FILES
    called = called_by_a_create(tmp_path)
    for file, names in files.items():
        for name in names:
            if name == "sentence":  # what a history shows of it
                continue
            assert (file, name.rpartition(".")[2]) in called, f"{file}: {name}"
