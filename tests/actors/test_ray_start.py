"""A Ray that cannot be started: one error of this package, and no process is left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

START = """
import json, sys
import psutil
from share_actors.actors.runtime import lifecycle
from share_actors.errors import Unavailable

try:
    lifecycle.init(None, **json.loads(sys.argv[1]))
except Unavailable as error:
    message, next_step = str(error), error.details["next_step"]
left = [process.name() for process in psutil.Process().children(recursive=True)]
print(json.dumps([message, next_step, left, lifecycle.is_initialized()]))
"""
MAX_WAIT_S = 120


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"num_cpus": -1}, "must be nonnegative"),  # the GCS runs by then
        ({"_temp_dir": "/" + "x" * 120}, ""),
    ],
)
def test_a_ray_that_cannot_start_is_unavailable_and_leaves_no_process(
    options: dict[str, object], reason: str, tmp_path: Path
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", START, json.dumps(options)],
        capture_output=True,
        text=True,
        timeout=MAX_WAIT_S,
        check=False,
        cwd=tmp_path,
    )
    assert ended.returncode == 0, ended.stderr
    message, next_step, left, joined = json.loads(ended.stdout)

    assert message.startswith("Ray could not be started on this machine: ")
    assert reason in message
    assert next_step.startswith("Nothing was recorded, and no process of Ray was left running.")
    assert (left, joined) == ([], False)
