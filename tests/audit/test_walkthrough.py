"""The auditor's walk-through of docs/how-to/audit.md, without Ray and without a running system.

The copy of the log is another user's and cannot be written, and its newest events are in its `-wal` file.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from share_actors.config import LogSettings
from share_actors.events.log import Log
from share_actors.events.share.access import AccessAllowed, AccessDenied, AccessRulesApplied
from tests.audit.conftest import write
from tests.events.share_events import created, requested

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "audit.md"
AUDITOR = 65534
PROGRAM = """
import json, sys
from importlib.abc import MetaPathFinder

class NoRay(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("ray", "psycopg"):
            raise ModuleNotFoundError(f"{name} is not on this machine", name=name)

sys.meta_path.insert(0, NoRay())
from share_actors.cli import main

for words in json.loads(sys.argv[1]):
    sys.argv = words
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise SystemExit(f"{words} ended with {end.code}")
"""


@pytest.fixture(params=["", "-wal", "-wal -shm"], ids=["closed", "wal", "wal-shm"])
def evidence(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy that only its owner could write; of a log that was closed, or in use."""
    directory, suffixes = tmp_path / "evidence", request.param.split()
    directory.mkdir()
    with closing(Log.open(LogSettings(), tmp_path / "log.db")) as log:
        write(log, "share-s1", [(0, requested("s1", name="audited"), "c-1"), (1, created())])
        for number, (user, level) in enumerate((("nobody", "ro"), ("daemon", "rw"))):
            rule = f"r{number}"
            allowed = AccessAllowed(
                access_id=rule, access_type="user", access_to=user, access_level=level
            )
            write(log, "share-s1", [(5, allowed, "c-2"), (6, AccessRulesApplied(applied=(rule,)))])
        denied = AccessDenied(access_id="r1")
        write(log, "share-s1", [(9, denied, "c-3"), (10, AccessRulesApplied(removed=("r1",)))])
        for suffix in ["", *suffixes]:
            shutil.copy(tmp_path / f"log.db{suffix}", directory / f"evidence.db{suffix}")
    if not suffixes:
        shutil.copy(tmp_path / "log.db", directory / "evidence.db")
    for file in directory.iterdir():
        file.chmod(0o444)
    directory.chmod(0o555)
    return directory / "evidence.db"


def lines_of_page(evidence: Path) -> list[list[str]]:
    """The words of each command of the page that names the copy."""
    lines = re.findall(
        r"^\$ (share-actors log .*--log evidence\.db.*)$", PAGE.read_text(), re.MULTILINE
    )
    return [shlex.split(line.replace("evidence.db", str(evidence))) for line in lines]


def as_auditor(program: list[str]) -> list[str]:
    """*program* run by a user who may read everything, such as the packages, and write nothing."""
    if os.geteuid():
        return program
    capability = "-all,+dac_read_search"
    user = [f"--reuid={AUDITOR}", f"--regid={AUDITOR}", "--clear-groups"]
    rights = [f"--inh-caps={capability}", f"--ambient-caps={capability}"]
    return ["setpriv", *user, *rights, *program]


def test_the_walk_through_needs_neither_ray_nor_a_system_nor_a_log_that_it_may_write(
    evidence: Path, tmp_path: Path
) -> None:
    desk = tmp_path / "desk"
    desk.mkdir()
    if not os.geteuid():
        os.chown(desk, AUDITOR, AUDITOR)
    before = {path.name: path.read_bytes() for path in evidence.parent.iterdir()}
    lines = lines_of_page(evidence)
    assert len(lines) == 4

    ran = subprocess.run(
        as_auditor([sys.executable, "-c", PROGRAM, json.dumps(lines)]),
        cwd=desk,
        env={"HOME": "/nonexistent", "TMPDIR": str(desk), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr + ran.stdout
    for expected in ("user nobody", "revoked", "Wrote a page with 2 rules."):
        assert expected in ran.stdout
    assert "Error" not in ran.stderr
    assert [path.name for path in desk.iterdir()] == ["audited.html"]
    assert {path.name: path.read_bytes() for path in evidence.parent.iterdir()} == before
