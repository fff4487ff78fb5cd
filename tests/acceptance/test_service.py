"""A system as a service: in the foreground, joined by a plain Ray program, killed, and stopped in order."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from share_actors.actors.runtime import system_state
from share_actors.actors.runtime.system_state import SystemState
from share_actors.cli import ray_session
from tests.acceptance.cli import PROGRAM_WITH_SIGINT, CommandLine
from tests.preloaded import programs

pytestmark = pytest.mark.timeout(400)
PLAIN_PROGRAM = """
import os, ray
ray.init(log_to_driver=False)
manager = ray.get_actor("manager", os.environ["SHARE_ACTORS_NAMESPACE"])
print(sorted(ray.get(manager.status.remote())["backends"]))
"""
JOIN = 'eval "$("$0" -m share_actors.cli env)"; exec "$0" -c "$1"'
PATIENT_PROGRAM = """
import os, time, share_actors
system = share_actors.connect()
print(int(os.environ["RAY_gcs_rpc_server_reconnect_timeout_s"]) > 86400, flush=True)
while True:
    try:
        system.count_shares()
        time.sleep(0.2)
    except share_actors.Unavailable as error:
        print("unavailable:", error, flush=True)
        break
while True:
    try:
        print(share_actors.connect().count_shares(), flush=True)
        break
    except share_actors.Unavailable:
        time.sleep(0.5)
"""


@pytest.fixture(scope="module")
def cli() -> Iterator[CommandLine]:
    with tempfile.TemporaryDirectory(prefix="sa") as top, CommandLine(Path(top) / "home") as line:
        yield line


def wait_for_system(cli: CommandLine, service: subprocess.Popen[str]) -> None:
    while cli("--json", "status").code != 0:
        assert service.poll() is None, service.communicate()
        time.sleep(0.5)


def left_of(state: SystemState) -> list[psutil.Process]:
    """The processes of the system that still run."""
    assert state.pid is not None
    session = ray_session.session_processes(state.pid, state.created)
    return [process for process in session if not ray_session.has_ended(process)]


def test_a_service_ends_when_its_system_dies_and_a_program_goes_on_with_the_next(
    cli: CommandLine,
) -> None:
    service = cli.start("up", "--foreground")
    wait_for_system(cli, service)
    program = cli.start_program([sys.executable], PATIENT_PROGRAM)
    assert program.stdout is not None
    assert program.stdout.readline() == "True\n"

    cli.kill_everything()
    _, err = service.communicate(timeout=60)
    assert (service.returncode, "the system died" in err) == (11, True), err
    said = next(line for line in program.stdout if line.startswith("unavailable: "))
    assert "call share_actors.connect() again" in said
    service = cli.start("up", "--foreground")
    out, err = program.communicate(timeout=180)
    assert (program.returncode, out.splitlines()[-1]) == (0, "{}"), err

    plain = subprocess.run(
        [
            "sh",
            "-c",
            'eval "$("$0" -m share_actors.cli env)"; exec "$0" -c "$1"',
            sys.executable,
            PLAIN_PROGRAM,
        ],
        env=cli.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert plain.stdout == "['local']\n", plain.stderr
    service.send_signal(signal.SIGTERM)
    out, err = service.communicate(timeout=120)
    assert service.returncode == 0, err
    assert "The system is down; its log is kept.\n" in out  # no process had to be killed
    assert system_state.read(cli.home) is None


def start_unforked(cli: CommandLine) -> subprocess.Popen[str]:
    """A service that imports Ray after the address of its Ray is known, as a real one does."""
    return cli.start_program([programs.python()], PROGRAM_WITH_SIGINT, "up", "--foreground")


def address_is_known(state: SystemState) -> bool:
    return state.address is not None


def actors_start(state: SystemState) -> bool:
    return any("Catalog" in process.name() for process in left_of(state))


def all_runs(state: SystemState) -> bool:
    return sum("ShareHost" in process.name() for process in left_of(state)) > 0


@pytest.mark.parametrize(
    "reached",
    [
        pytest.param(address_is_known, marks=pytest.mark.soak),
        actors_start,
        pytest.param(all_runs, marks=pytest.mark.soak),
    ],
)
def test_a_service_whose_system_dies_during_the_start_says_so(
    cli: CommandLine, reached: Callable[[SystemState], bool]
) -> None:
    service = start_unforked(cli)
    if reached is all_runs:
        wait_for_system(cli, service)
    while not ((state := system_state.read(cli.home)) and state.alive and reached(state)):
        assert service.poll() is None, service.communicate()
        time.sleep(0.01)

    cli.kill_everything()

    _, err = service.communicate(timeout=120)
    assert (service.returncode, "the system died" in err) == (11, True), err
    assert left_of(state) == []


def test_env_without_a_system_says_so_at_once(tmp_path: Path) -> None:
    result = CommandLine(tmp_path)("--json", "env")

    assert (result.code, result.error["code"]) == (11, "unavailable")


def test_a_failed_up_leaves_no_process_behind(tmp_path: Path) -> None:
    unusable = {"SHARE_ACTORS_CATALOG_PATH": str(tmp_path)}  # a directory

    with CommandLine(tmp_path / "home", unusable) as cli:
        up = cli.start("up")
        state = None
        while up.poll() is None:
            state = system_state.read(cli.home) or state
            time.sleep(0.01)

    assert up.returncode != 0
    assert state is not None
    assert left_of(state) == []
    assert system_state.read(cli.home) is None


def test_up_starts_no_ray_if_its_log_cannot_be_reached(tmp_path: Path) -> None:
    unreachable = {"SHARE_ACTORS_LOG__KIND": "postgresql", "SHARE_ACTORS_LOG__PORT": "1"}

    with CommandLine(tmp_path / "home", unreachable) as cli:
        refused = cli("--json", "up")
        assert not (cli.home / "ray.log").exists()

    assert (refused.code, refused.error["field"]) == (12, "log.host"), refused
