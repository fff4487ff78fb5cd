"""A program that is forked from a process with imported modules behaves like one of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.acceptance.systems import eventually
from tests.preloaded import programs
from tests.preloaded.ray_worker import MODULES

SCRIPT = """
import os, sys
print(sys.argv[1:], os.getcwd(), os.environ["GREETING"], sys.stdin.read(), "ray" in sys.modules)
print("a complaint", file=sys.stderr)
sys.exit(7)
"""


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """The command that runs `SCRIPT` in a fork of the server of `share-actors`."""
    (tmp_path / "script.py").write_text(SCRIPT)
    return [*programs.forked(), str(tmp_path / "script.py")]


def test_a_forked_program_has_the_arguments_directory_environment_and_streams_of_its_client(
    command: list[str], tmp_path: Path
) -> None:
    environment = {**os.environ, "GREETING": "hello"}
    ran = subprocess.run(
        [*command, "one", "two words"],
        cwd=tmp_path,
        env=environment,
        input="typed",
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.stdout == f"['one', 'two words'] {tmp_path} hello typed True\n"
    assert ran.stderr == "a complaint\n"
    assert ran.returncode == 7


def test_a_forked_program_dies_by_the_kill_of_its_client(tmp_path: Path) -> None:
    with sleeping(tmp_path) as (client, pid):
        client.kill()

        eventually(lambda: not psutil.pid_exists(pid))


def test_a_client_ends_with_the_signal_that_killed_its_program(tmp_path: Path) -> None:
    with sleeping(tmp_path) as (client, pid):
        psutil.Process(pid).kill()

        assert client.wait() == 128 + 9


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_program_gets_the_signals_that_its_client_gets(number: signal.Signals) -> None:
    script = (
        "import signal, sys\n"
        f"signal.signal({number:d}, lambda number, _: sys.exit(100 + number))\n"
        "print('ready', flush=True)\n"
        "signal.pause()\n"
    )
    command = [*programs.forked(), "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "ready\n"

        client.send_signal(number)

        assert client.wait() == 100 + number


def test_a_forked_command_line_has_its_arguments_and_a_main_module_of_its_own() -> None:
    script = (
        "import sys\n"
        "own = [name for name in vars(sys.modules['__main__']) if not name.startswith('_')]\n"
        "print(sys.argv, own)\n"
    )

    ran = subprocess.run(
        [*programs.forked(), "-c", script, "one"], capture_output=True, text=True, check=True
    )

    assert ran.stdout == "['-c', 'one'] ['sys']\n"


@contextmanager
def sleeping(directory: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A client, and the id of the process of its program, which runs until it is killed."""
    script = directory / "script.py"
    script.write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)\n")
    command = [*programs.forked(), str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        try:
            yield client, int(client.stdout.readline())
        finally:
            client.kill()


def test_the_python_of_tests_has_the_packages_of_this_one_and_names_itself_for_its_children() -> (
    None
):
    program = "import sys, ray, share_actors; print(sys.executable)"

    ran = subprocess.run(
        [programs.python(), "-c", program], capture_output=True, text=True, check=True
    )

    assert ran.stdout.strip() == programs.python() != sys.executable


@pytest.mark.usefixtures("cluster")
def test_workers_of_the_test_cluster_are_forks_of_one_process_that_has_imported_the_actors() -> (
    None
):
    import ray

    @ray.remote
    class Worker:
        def parent(self) -> tuple[int, bool]:
            return os.getppid(), MODULES[-1] in sys.modules

    workers = [Worker.remote() for _ in range(2)]  # type: ignore[attr-defined]
    parents = ray.get([worker.parent.remote() for worker in workers])
    for worker in workers:
        ray.kill(worker)

    assert parents[0] == parents[1]
    assert all(imported for _, imported in parents)
