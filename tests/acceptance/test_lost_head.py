"""The head of Ray is killed under load: no answer is lost, nothing is done twice, and clients go on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil
import pytest

from share_actors.actors.runtime.system_state import read
from share_actors.cli import ray_session
from tests import redis_server
from tests.acceptance.cli import CommandLine
from tests.faults.lost_head import ONE_MACHINE, TWO_NODES

pytestmark = pytest.mark.timeout(400)
SHORT = "GCS, manager and share actors killed, with Redis"
"""The case that is not only for `make soak`."""


def measured(case: str) -> dict[str, Any]:
    """The row of *case*, which is measured in a process of its own: it joins a cluster."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "SHARE_ACTORS_"))}
    ended = subprocess.run(
        [sys.executable, "-m", "tests.faults.lost_head", case, "--answers", "10"],
        env=clean,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=360,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    row: dict[str, Any] = json.loads(ended.stdout)
    return row


@pytest.mark.parametrize(
    "case",
    [
        case if case == SHORT else pytest.param(case, marks=pytest.mark.soak)
        for case in (*ONE_MACHINE, *TWO_NODES)
    ],
)
def test_no_request_is_lost_or_done_twice_when_the_head_is_killed_under_load(case: str) -> None:
    if "with Redis" in case:
        redis_server.needs_redis()

    row = measured(case)

    assert (row["lost"], row["stuck"], row["duplicated"]) == (0, 0, 0), row
    assert row["awaited"] > 0, row


@pytest.mark.soak
def test_two_systems_on_one_redis_keep_apart_and_show_no_password() -> None:
    redis_server.needs_redis()
    with tempfile.TemporaryDirectory(prefix="sa") as name, redis_server.server(Path(name)) as redis:
        top = Path(name)
        with (
            CommandLine(top / "one", redis.environment) as one,
            CommandLine(top / "two", redis.environment) as two,
        ):
            for system in (one, two):
                system.json("up")
                system.json("share", "create", "--size", "1", "--name", system.home.name)
            state = read(one.home)
            assert state is not None
            assert state.pid is not None
            session = ray_session.session_processes(state.pid, state.created)
            assert not [p for p in session if redis.password in str(command_of(p))]
            one.json("down")
            assert [s["name"] for s in two.json("share", "list")["shares"]] == ["two"]
            two.json("down")


def command_of(process: psutil.Process) -> list[str]:
    """The command line of *process*; empty if it has ended."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
