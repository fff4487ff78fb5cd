"""The program that supervises daemons: what it reads and what it loads."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from share_actors.drivers import DriverError
from share_actors.drivers.filesystem.locks import locked, open_locked
from share_actors.drivers.supervision import supervisor
from share_actors.drivers.supervision.files import UnitFiles
from share_actors.drivers.supervision.plan import Plan, plan_of
from share_actors.drivers.supervision.probes import OFFERS, listens_at
from share_actors.drivers.supervision.specs import PartSpec, UnitSpec
from share_actors.drivers.supervision.status import PAUSING, Status, read_status, write_status
from share_actors.drivers.supervision.unit import SupervisedUnit
from tests.waiting import until

SPEC = UnitSpec(
    name="a unit",
    parts=(
        PartSpec(name="bus", command=("bus", "--fork"), creates="/run/bus"),
        PartSpec(
            name="main", command=("main",), environment={"A": "b"}, marker="main", start_s=5.0
        ),
    ),
    listen=("::1", 2049),
    protocol="nfs4",
    logs=("/var/log/main",),
)


def test_the_description_of_a_unit_is_read_as_it_was_written() -> None:
    assert UnitSpec.from_json(SPEC.to_json()) == SPEC
    assert SPEC.main.name == "main"
    assert SPEC.start_s == 15.0
    assert SPEC.protocol in OFFERS


def test_a_unit_without_a_plan_has_the_default(tmp_path: Path) -> None:
    assert type(plan_of(tmp_path, SPEC)) is Plan


def test_a_status_is_read_as_it_was_written_and_a_damaged_one_is_none(tmp_path: Path) -> None:
    path, status = tmp_path / "status.json", Status(PAUSING, 2, 3, "it ended")
    assert read_status(path) is None
    write_status(path, status)
    assert read_status(path) == status
    for text in ("", "{", "[]", '{"states": 1}'):
        path.write_text(text)
        assert read_status(path) is None


def test_the_supervisor_starts_without_what_takes_long_to_load() -> None:
    code = (
        "import sys, share_actors.drivers.supervision.supervisor;"
        "print({'pydantic', 'jeepney', 'share_actors.values'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_socket_whose_daemon_does_not_listen_yet_accepts_nothing(short_path: Path) -> None:
    path = short_path / "socket"
    assert not listens_at(path)
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(path))
        assert path.exists()
        assert not listens_at(path)
        daemon.listen()
        assert listens_at(path)


def test_a_launch_of_a_killed_process_keeps_its_lock_until_the_supervisor_is_recorded(
    tmp_path: Path,
) -> None:
    unit = unit_in(tmp_path)
    files, folder = UnitFiles(tmp_path), os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    earlier = open_locked(folder, files.lock.name, fcntl.LOCK_EX)  # the launch waits for it
    try:
        if (caller := os.fork()) == 0:
            with suppress(BaseException), locked(folder, "change.lock"):
                unit.start()
            os._exit(0)
        until(lambda: launching(tmp_path))
        os.kill(caller, signal.SIGKILL)
        os.waitpid(caller, 0)
        assert is_held(folder, "change.lock")
        assert not unit.is_supervised

        os.close(earlier)
        until(lambda: not is_held(folder, "change.lock"))

        assert unit.is_supervised
    finally:
        unit.stop()
        os.close(folder)


def test_a_supervisor_does_not_keep_the_locks_of_the_process_that_started_it(
    tmp_path: Path,
) -> None:
    unit, folder = unit_in(tmp_path), os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with locked(folder, "change.lock"):
            unit.start()

        assert unit.serves
        assert not is_held(folder, "change.lock")
    finally:
        unit.stop()
        os.close(folder)


def test_a_unit_that_hangs_after_the_first_answer_is_started_again(tmp_path: Path) -> None:
    unit = unit_in(tmp_path, most_answers=1, heartbeat_limit_s=0.5)
    try:
        unit.start()
        first = unit.process()

        until(lambda: first is None or not first.is_running())

        until(lambda: unit.process() not in (None, first))
    finally:
        unit.stop()


def test_a_supervisor_that_has_ended_before_it_was_seen_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = unit_in(tmp_path, network_namespace="no-such")
    monkeypatch.setattr(SupervisedUnit, "is_supervised", False)  # as if it was looked at too late

    with pytest.raises(DriverError, match=r"a unit cannot start: network_namespace .no-such"):
        unit.start()


ANSWERING = """
import socket, sys, time
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    for _ in range(int(sys.argv[2])):
        connection, _ = server.accept()
        with connection:
            connection.recv(44)
            connection.sendall(bytes(28))
    time.sleep(600)
"""


def unit_in(directory: Path, *, most_answers: int = 10_000, **changes: Any) -> SupervisedUnit:
    """A unit that answers on so many connections, and then hangs."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = (sys.executable, "-c", ANSWERING, str(port), str(most_answers))
    spec = UnitSpec(
        name="a unit",
        parts=(PartSpec(name="main", command=command),),
        listen=("127.0.0.1", port),
        protocol="nfs4",
        **changes,
    )
    return SupervisedUnit(directory, spec)


def launching(directory: Path) -> bool:
    """Whether a program that becomes the supervisor of *directory* runs."""
    arguments = [supervisor.__name__, str(directory)]
    return any(arguments == arguments_of(each) for each in psutil.process_iter())


def arguments_of(process: psutil.Process) -> list[str]:
    """Those after `python -m`; none of a process that has ended."""
    with suppress(psutil.Error):
        return process.cmdline()[2:4]
    return []


def is_held(folder: int, name: str) -> bool:
    try:
        with locked(folder, name, wait=False):
            return False
    except BlockingIOError:
        return True
