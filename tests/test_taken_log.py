"""What `up` asks before it starts anything: who holds the log, and which raylets have lost their head."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from share_actors.actors.runtime.system_state import SystemState
from share_actors.cli.commands.system.taken import lingering, refuse_others, wait_until_free
from share_actors.cli.session import Options, Session
from share_actors.errors import LogError
from share_actors.events.log import Log
from share_actors.events.log.lease.lease import Owner
from share_actors.events.log.lease.leased_log import LeaseKeeper, lease_store
from tests.cli_home import home
from tests.waiting import until

__all__ = ["home"]
OTHER = Owner("session_1/share-actors", "share-actors", "/home/other", "there", 7)


@contextmanager
def raylet(directory: Path, head: str) -> Iterator[int]:
    """A process that looks like a raylet of the head at this address."""
    program = directory / "raylet"
    program.write_text("#!/bin/sh\nwhile true; do sleep 0.1; done\n")
    program.chmod(0o755)
    process = subprocess.Popen([program, f"--gcs-address={head}"])
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


@contextmanager
def held(session: Session, owner: Owner) -> Iterator[Callable[[], None]]:
    """The log of *session*, held by *owner* until the given function is called."""
    config = session.config
    with closing(Log.open(config.log, config.log_path)) as log:
        keeper = LeaseKeeper(lease_store(config.log, config.log_path), owner)
        keeper.keep(log)
        yield keeper.close


def test_a_raylet_without_its_head_is_found_and_one_with_it_is_not(tmp_path: Path) -> None:
    (tmp_path / "lost").mkdir()
    with (
        socket.create_server(("127.0.0.1", 0)) as head,
        raylet(tmp_path, f"127.0.0.1:{head.getsockname()[1]}") as living,
        raylet(tmp_path / "lost", "127.0.0.1:1") as lost,
    ):
        until(lambda: any(left.process.pid == lost for left in lingering()))
        found = {left.process.pid: str(left) for left in lingering()}

    assert found[lost] == f"raylet ({lost}) of the lost head at 127.0.0.1:1"
    assert living not in found


def test_a_log_that_nobody_holds_is_free_also_before_it_exists(home: Path) -> None:
    session = Session(Options(), "up")

    wait_until_free(session, None)
    Log.open(session.config.log, session.config.log_path).close()
    wait_until_free(session, None)


def test_a_file_that_is_no_log_is_left_for_its_opening_to_report(home: Path) -> None:
    session = Session(Options(), "up")
    session.config.log_path.write_text("no database, but long enough to be read as one" * 100)

    wait_until_free(session, None)


def test_the_log_of_another_system_is_refused_with_its_holder_and_what_lingers_here(
    home: Path, tmp_path: Path
) -> None:
    session = Session(Options(), "up")
    former = SystemState(namespace="share-actors", session="session_2")
    with (
        held(session, OTHER),
        raylet(tmp_path, "127.0.0.1:1") as lost,
    ):
        for ask in (refuse_others, wait_until_free):
            with pytest.raises(
                LogError, match=r"of home /home/other \(process 7 on there"
            ) as error:
                ask(session, former)

    assert f"raylet ({lost}) of the lost head at 127.0.0.1:1" in error.value.details["lingering"]
    assert "end its raylet" in error.value.details["next_step"]


def test_what_is_left_of_the_former_system_is_told_and_waited_for(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(Options(), "up")
    former = SystemState(namespace="share-actors", session="session_1")
    with held(session, OTHER) as end:
        told = session.output.print_message

        def tell(text: str) -> None:
            told(text)
            end()

        monkeypatch.setattr(session.output, "print_message", tell)
        wait_until_free(session, former)

    assert "Processes of the former system on there still hold the log" in capsys.readouterr().err


def test_what_is_left_of_the_former_system_is_refused_if_it_does_not_end(home: Path) -> None:
    session = Session(Options(), "up")
    former = SystemState(namespace="share-actors", session="session_1")

    with held(session, OTHER):
        refuse_others(session, former)
        with pytest.raises(LogError, match="is in use by") as error:
            wait_until_free(session, former, wait_s=0.0)

    assert "Stop Ray on there" in error.value.details["next_step"]
