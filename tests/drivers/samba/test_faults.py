"""A private smbd that is killed, that hangs, or whose changes are interrupted."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import psutil
import pytest

from share_actors.drivers import TransientError
from share_actors.drivers.samba import Samba, SambaSettings
from share_actors.drivers.samba.programs import Programs
from share_actors.drivers.samba.unit import samba_unit
from share_actors.drivers.supervision.processes import is_alive, recorded
from share_actors.testing.leftovers import end, runs
from share_actors.testing.visits import ReadOnly, Refused
from tests.drivers.samba.conftest import HOST, OUT, processes
from tests.storage.cifs_client import CifsMounts


def recorded_pid(settings: SambaSettings, role: str) -> int:
    """The process id of the `smbd` or the `supervisor` of *settings*."""
    process = recorded(settings.directory / "pids" / role)
    assert process is not None
    return process.pid


def test_a_killed_smbd_serves_again_with_the_same_rules(
    samba: Samba, settings: SambaSettings, share: Path, mount: CifsMounts
) -> None:
    samba.export("one", share, {"alice": "rw", "bob": "ro"})
    mount.visit(HOST, "one", "alice").write("a", b"1")

    end([recorded_pid(settings, "smbd")])
    samba.start()

    mount.visit(HOST, "one", "alice").write("b", b"1")
    with pytest.raises(ReadOnly):
        mount.visit(HOST, "one", "bob").write("a", b"2")
    assert samba.problems() == ()


def test_a_killed_smbd_does_not_serve_before_its_supervisor_has_noticed(
    samba: Samba, settings: SambaSettings
) -> None:
    unit = samba_unit(settings, Programs(settings))
    supervisor = psutil.Process(recorded_pid(settings, "supervisor"))
    served = unit.serves

    supervisor.suspend()
    try:
        end([recorded_pid(settings, "smbd")])
        serves_without = unit.serves
    finally:
        supervisor.resume()
    samba.start()

    assert (served, serves_without, unit.serves) == (True, False, True)


def test_a_smbd_that_hangs_is_restarted_with_the_same_rules(
    samba: Samba, settings: SambaSettings, share: Path, mount: CifsMounts
) -> None:
    hasty = Samba(settings.model_copy(update={"heartbeat_limit": 0.5}))
    hasty.start()
    hasty.export("one", share, {"alice": "rw"})

    hung = recorded_pid(settings, "smbd")
    os.kill(hung, signal.SIGSTOP)
    psutil.wait_procs([psutil.Process(hung)], timeout=60)
    hasty.start()

    assert recorded_pid(settings, "smbd") != hung
    mount.visit(HOST, "one", "alice").write("a", b"1")


def test_rules_change_while_smbd_is_restarted(
    samba: Samba, settings: SambaSettings, share: Path, mount: CifsMounts
) -> None:
    samba.export("one", share, {"alice": "rw"})

    end([recorded_pid(settings, "smbd")])
    samba.export("one", share, {"bob": "rw"})

    mount.visit(HOST, "one", "bob").write("a", b"1")
    with pytest.raises(OUT):
        mount.visit(HOST, "one", "alice")


def test_a_password_is_set_while_smbd_is_restarted(samba: Samba, settings: SambaSettings) -> None:
    for number in range(5):
        end([recorded_pid(settings, "smbd")])
        samba.set_user(f"user{number}", "1")
        samba.start()

    assert len(samba.users()) == 7


def test_a_killed_supervisor_is_told_and_replaced_without_disturbing_a_client(
    samba: Samba, settings: SambaSettings, share: Path, mount: CifsMounts
) -> None:
    samba.export("one", share, {"alice": "rw"})
    file = mount.visit(HOST, "one", "alice").hold("a")
    daemon = recorded_pid(settings, "smbd")

    end([recorded_pid(settings, "supervisor")])
    problems = samba.problems()
    samba.start()

    assert problems == ("smbd: its supervisor does not run; start the backend",)
    file.write(b"goes on")
    assert recorded_pid(settings, "smbd") == daemon
    assert samba.problems() == ()


def test_a_smbd_that_hangs_is_ended_by_the_start_after_its_supervisor_was_killed(
    samba: Samba, settings: SambaSettings, share: Path, mount: CifsMounts
) -> None:
    hasty = Samba(settings.model_copy(update={"heartbeat_limit": 3.0}))
    hasty.start()
    hasty.export("one", share, {"alice": "rw"})
    hung = recorded_pid(settings, "smbd")
    end([recorded_pid(settings, "supervisor")])
    os.kill(hung, signal.SIGSTOP)

    hasty.start()

    assert recorded_pid(settings, "smbd") != hung
    mount.visit(HOST, "one", "alice").write("a", b"1")


def test_a_smbd_whose_record_is_lost_is_ended_by_the_start_after_its_supervisor_was_killed(
    samba: Samba, settings: SambaSettings, share: Path, mount: CifsMounts
) -> None:
    samba.export("one", share, {"alice": "rw"})
    before = psutil.Process(recorded_pid(settings, "smbd"))
    end([recorded_pid(settings, "supervisor")])
    shutil.rmtree(settings.directory / "pids")

    samba.start()

    assert not is_alive(before)
    mount.visit(HOST, "one", "alice").write("a", b"1")


def test_rules_are_in_force_while_no_supervisor_runs(
    samba: Samba, settings: SambaSettings, share: Path, mount: CifsMounts
) -> None:
    samba.export("one", share, {"alice": "rw"})
    file = mount.visit(HOST, "one", "alice").hold("a")

    end([recorded_pid(settings, "supervisor")])
    samba.export("one", share, {"bob": "rw"})

    with pytest.raises(OUT):
        file.write(b"1")


def test_nothing_runs_after_a_stop_even_if_the_supervisor_was_killed(
    samba: Samba, settings: SambaSettings
) -> None:
    end([recorded_pid(settings, "supervisor")])

    samba.stop()
    samba.stop()

    assert processes(settings) == []


def test_supervisor_and_smbd_killed_at_once_leave_nothing_that_prevents_a_start(
    samba: Samba, settings: SambaSettings, share: Path, mount: CifsMounts
) -> None:
    samba.export("one", share, {"alice": "rw"})

    end(process.pid for process in processes(settings))
    samba.start()

    mount.visit(HOST, "one", "alice").write("a", b"1")


def test_a_client_process_that_does_not_answer_is_cut_off_all_the_same(
    samba: Samba, settings: SambaSettings, share: Path, mount: CifsMounts
) -> None:
    samba.export("one", share, {"alice": "rw", "bob": "rw"})
    other = mount.visit(HOST, "one", "bob").hold("b")
    file = mount.visit(HOST, "one", "alice").hold("a")
    stuck = smbd_process_of(samba, "alice")
    os.kill(stuck, signal.SIGSTOP)

    samba.export("one", share, {"bob": "rw"})

    assert not runs(stuck)
    with pytest.raises(Refused):
        file.write(b"1")
    other.write(b"goes on")


def smbd_process_of(samba: Samba, user: str) -> int:
    """The process that serves *user*."""
    (pid,) = (pid for pid, users in samba.status().users.items() if user in users)
    return pid


def test_a_change_without_a_running_smbd_is_recorded_and_fails_for_now(
    stopped: Samba, share: Path, mount: CifsMounts
) -> None:
    with pytest.raises(TransientError, match="start the backend"):
        stopped.export("one", share, {"alice": "rw"})

    assert (stopped.recorded("one"), stopped.served("one")) == ({"alice": "rw"}, None)
    stopped.start()
    mount.visit(HOST, "one", "alice").write("a", b"1")


def test_an_export_removed_while_smbd_does_not_run_is_gone_when_it_does(
    samba: Samba, share: Path, mount: CifsMounts
) -> None:
    samba.export("one", share, {"alice": "rw"})

    samba.stop()
    samba.remove("one")
    samba.start()

    assert samba.export_names() == frozenset()
    with pytest.raises(OUT):
        mount.visit(HOST, "one", "alice")


def test_a_denial_that_was_interrupted_is_completed_by_its_repetition(
    samba: Samba, share: Path, mount: CifsMounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    samba.export("one", share, {"alice": "rw", "bob": "rw"})
    file = mount.visit(HOST, "one", "alice").hold("a")
    with monkeypatch.context() as patched:
        patched.setattr(Samba, "_apply", interrupted)
        with pytest.raises(KeyboardInterrupt):
            samba.export("one", share, {"bob": "rw"})
    file.write(b"before")

    cut = samba.export("one", share, {"bob": "rw"})

    assert [client.user for client in cut.denied] == ["alice"]
    with pytest.raises(OUT):
        file.write(b"after!")


def test_an_interrupted_change_to_ro_is_completed_by_a_start(
    samba: Samba, share: Path, mount: CifsMounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    samba.export("one", share, {"alice": "rw"})
    file = mount.visit(HOST, "one", "alice").hold("a")
    with monkeypatch.context() as patched:
        patched.setattr(Samba, "_apply", interrupted)
        with pytest.raises(KeyboardInterrupt):
            samba.export("one", share, {"alice": "ro"})

    samba.start()

    with pytest.raises((ReadOnly, *OUT)):
        file.write(b"after!")


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_check_that_raises_changes_nothing(samba: Samba, share: Path) -> None:
    samba.export("one", share, {"alice": "rw"})

    with pytest.raises(KeyboardInterrupt):
        samba.export("one", share, {"bob": "rw"}, check=interrupted)
    with pytest.raises(KeyboardInterrupt):
        samba.remove("one", check=interrupted)

    assert samba.recorded("one") == samba.served("one") == {"alice": "rw"}
