"""A unit whose processes die or hang at any moment serves the same exports again."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest

from share_actors.drivers import DriverError, TransientError
from share_actors.drivers.ganesha import GaneshaSettings
from share_actors.drivers.ganesha.exports import ExportFiles
from share_actors.drivers.ganesha.rendering import ExportRecord, export_file
from share_actors.drivers.supervision.probes import OfferHeartbeat, answers_nfs
from share_actors.drivers.supervision.processes import end, recorded
from share_actors.drivers.supervision.supervisor import pause_after
from tests.drivers.ganesha.conftest import Running, processes_of, runs, wait_until

LOCAL = "127.0.0.1"
NewUnit = Callable[[GaneshaSettings], Running]


@pytest.mark.parametrize("part", ["ganesha", "bus"])
def test_a_killed_part_is_started_again_with_the_same_rules(
    running: Running, data: Path, part: str
) -> None:
    running.unit.export("s1", data, {LOCAL: "ro"})
    for _ in range(3):
        killed = running.kill(part)
        wait_until(lambda: running.unit.served("s1") == {LOCAL: "ro"})
        assert running.access("s1") == "ro"
        assert running.pid(part) != killed


def test_the_parts_end_with_a_killed_supervisor_and_the_next_start_takes_over(
    running: Running, data: Path
) -> None:
    running.unit.export("s1", data, {LOCAL: "ro"})
    parts = running.pid("ganesha"), running.pid("bus")
    running.kill("supervisor")
    wait_until(lambda: not any(map(runs, parts)))
    assert "its supervisor does not run" in running.unit.problems()[0]
    running.unit.start()
    assert running.access("s1") == "ro"


def test_a_start_while_the_parts_of_a_killed_supervisor_end_starts_them_again(
    running: Running, data: Path
) -> None:
    running.unit.export("s1", data, {LOCAL: "ro"})
    for _ in range(6):
        running.kill("supervisor")
        running.unit.start()  # raised TransientError if the daemon answered once more and then ended
        assert running.access("s1") == "ro"


def test_the_next_export_takes_over_from_a_killed_supervisor(running: Running, data: Path) -> None:
    running.unit.export("s1", data, {LOCAL: "ro"})
    running.kill("supervisor")
    running.unit.export("s1", data, {LOCAL: "rw"})
    assert running.access("s1") == "rw"


def test_the_next_removal_takes_over_from_a_killed_supervisor(running: Running, data: Path) -> None:
    running.unit.export("s1", data, {LOCAL: "ro"})
    running.unit.export("s2", data, {LOCAL: "rw"})
    running.kill("supervisor")
    running.unit.remove("s1")
    assert (running.access("s1"), running.access("s2")) == ("none", "rw")


def test_a_terminated_supervisor_ends_all_parts(running: Running) -> None:
    pids = [running.pid(part) for part in ("supervisor", "ganesha", "bus")]
    os.kill(pids[0], signal.SIGTERM)
    wait_until(lambda: not any(map(runs, pids)))
    assert processes_of(running.settings.directory) == []


def test_a_daemon_that_hangs_is_started_again(
    new_unit: NewUnit, settings: GaneshaSettings, data: Path
) -> None:
    hasty = new_unit(settings.model_copy(update={"heartbeat_limit": 0.5}))
    hasty.unit.start()
    hasty.unit.export("s1", data, {LOCAL: "ro"})
    hung = hasty.pid("ganesha")
    os.kill(hung, signal.SIGSTOP)
    wait_until(lambda: not runs(hung))
    wait_until(lambda: hasty.unit.served("s1") == {LOCAL: "ro"})
    assert hasty.access("s1") == "ro"


def test_a_server_that_answers_no_client_any_more_is_late() -> None:
    with socket.create_server((LOCAL, 0)) as server:
        port = server.getsockname()[1]
        heartbeat = OfferHeartbeat(LOCAL, port, "nfs4", pause=0.0, limit=0.05)
        with closing(heartbeat):
            assert not heartbeat.is_late()
            connection, _ = server.accept()
            with connection:
                wait_until(lambda: not heartbeat.is_late() and bool(connection.recv(64)))
                connection.sendall(bytes(28))
                wait_until(heartbeat.is_late)


def test_a_server_that_has_never_answered_is_not_late() -> None:
    with socket.create_server((LOCAL, 0)) as server:
        heartbeat = OfferHeartbeat(LOCAL, server.getsockname()[1], "nfs4", pause=0.0, limit=0.0)
        with closing(heartbeat):
            assert [heartbeat.is_late() for _ in range(20)] == [False] * 20


@pytest.mark.parametrize("version", [3, 4])
def test_the_daemon_executes_the_null_procedure(running: Running, version: int) -> None:
    settings = running.settings
    is_served = version in settings.versions
    assert answers_nfs(settings.address, settings.nfs_port, version=version) == is_served


def test_the_files_that_were_read_ahead_are_read_again_after_an_edit(
    settings: GaneshaSettings,
) -> None:
    settings.files.make()
    exports = ExportFiles(settings.files)
    for number in (1, 2):
        record = ExportRecord(id=number, name=f"s{number}", path="/srv", clients={LOCAL: "ro"})
        exports.propose(record)
        exports.make_permanent(record.name)
    exports.read_ahead(1)
    exports.read_ahead(9)
    before = exports.restored()
    assert before.count("EXPORT {") == 2
    exports.path("s1").write_text(exports.path("s1").read_text().replace("RO", "RW"))
    exports.remove("s2")
    exports.read_ahead(9)
    assert exports.restored() == export_file(record.replace(id=1, name="s1"))
    assert exports.path("s1").read_text() == exports.restored()


def test_rules_that_change_while_the_daemon_is_down_are_in_force_afterwards(
    running: Running, data: Path
) -> None:
    running.unit.export("s1", data, {LOCAL: "rw"})
    running.unit.export("s2", data, {LOCAL: "rw"})
    running.kill("ganesha")
    running.unit.export("s1", data, {LOCAL: "ro"})
    running.kill("bus")
    running.unit.remove("s2")
    assert (running.access("s1"), running.access("s2")) == ("ro", "none")


def test_what_a_change_returned_is_true_however_the_parts_are_killed(
    running: Running, data: Path
) -> None:
    running.unit.export("s1", data, {LOCAL: "rw"})
    done, killed, turn = threading.Event(), list[int](), 0

    def kill_at_random() -> None:
        chance = random.Random(1)
        while not done.wait(chance.uniform(0.2, 1.2)):
            if pid := running.pid(chance.choice(["ganesha", "bus"])):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

    killer = threading.Thread(target=kill_at_random)
    killer.start()
    try:
        while len(killed) < 8:
            turn += 1
            rules = {LOCAL: ("rw", "ro")[turn % 2], f"10.0.{turn // 256}.{turn % 256}": "rw"}
            running.unit.export("s1", data, rules)
            assert running.unit.served("s1") in (rules, None)
            assert running.unit.recorded("s1") == rules
    finally:
        done.set()
        killer.join()
    wait_until(lambda: running.unit.served("s1") == rules)


def test_a_daemon_that_cannot_come_back_makes_changes_fail_for_now(
    running: Running, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.unit.export("s1", data, {LOCAL: "rw"})
    monkeypatch.setattr("share_actors.drivers.ganesha.unit.WAIT_S", 1.0)
    running.files.bus_config.unlink()
    running.files.bus_config.mkdir()
    running.kill("bus")
    with pytest.raises(TransientError, match=r"bus\.conf"):
        running.unit.export("s1", data, {LOCAL: "ro"})
    running.files.bus_config.rmdir()
    running.unit.export("s1", data, {LOCAL: "ro"})
    assert running.access("s1") == "ro"


def test_a_start_tries_again_at_once_what_could_not_come_back(running: Running, data: Path) -> None:
    running.unit.export("s1", data, {LOCAL: "ro"})
    running.files.bus_config.unlink()
    running.files.bus_config.mkdir()
    running.kill("bus")
    wait_until(lambda: "does not serve" in running.unit.problems()[-1])
    with pytest.raises(DriverError, match=r"cannot start: .*bus\.conf"):
        running.unit.start()
    running.files.bus_config.rmdir()
    running.unit.start()
    assert running.access("s1") == "ro"


def test_one_supervisor_runs_after_many_starts_at_once(
    new_unit: NewUnit, settings: GaneshaSettings, tmp_path: Path
) -> None:
    made = new_unit(settings)
    code = (
        "import sys; from share_actors.drivers.ganesha import Ganesha, GaneshaSettings;"
        "Ganesha(GaneshaSettings.model_validate_json(sys.argv[1])).start()"
    )
    words = [sys.executable, "-c", code, settings.model_dump_json()]
    starts = [subprocess.Popen(words) for _ in range(3)]
    assert [one.wait(60) for one in starts] == [0, 0, 0]
    supervisors = [
        one for one in processes_of(settings.directory) if str(settings.directory) in one.cmdline()
    ]
    assert [one.pid for one in supervisors] == [made.pid("supervisor")]


def test_a_unit_outlives_the_process_that_started_it(
    new_unit: NewUnit, settings: GaneshaSettings, data: Path
) -> None:
    made = new_unit(settings)
    code = (
        "import sys, os, signal; from share_actors.drivers.ganesha import Ganesha, GaneshaSettings;"
        "Ganesha(GaneshaSettings.model_validate_json(sys.argv[1])).start();"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, settings.model_dump_json()], capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    made.unit.export("s1", data, {LOCAL: "ro"})
    assert made.access("s1") == "ro"


def test_a_process_with_a_recycled_id_is_never_ended(tmp_path: Path) -> None:
    bystander = subprocess.Popen(["sleep", "600"])
    try:
        created = psutil.Process(bystander.pid).create_time()
        record = tmp_path / "pid"
        record.write_text(json.dumps({"pid": bystander.pid, "created": created - 5}))
        end(record)
        assert bystander.poll() is None
        assert not record.exists()
        record.write_text(json.dumps({"pid": bystander.pid, "created": created}))
        assert recorded(record) is not None
    finally:
        bystander.kill()
        bystander.wait()
    assert recorded(record) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', '{"pid": -1, "created": 0}'])
def test_a_damaged_record_of_a_process_names_none(tmp_path: Path, text: str) -> None:
    (record := tmp_path / "pid").write_text(text)
    assert recorded(record) is None


def test_a_unit_that_keeps_dying_is_started_more_and_more_slowly() -> None:
    failing = [pause_after(count, served=False) for count in (0, 1, 2, 3, 4, 100)]
    assert failing == [0, 0, 0.1, 0.2, 0.4, 5.0]
    assert pause_after(100, served=True) == 0.4
