"""Connecting while the manager is being restarted, and connections to a system that has ended."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from share_actors import client
from share_actors.errors import Refused, Unavailable
from tests.acceptance.cli import CommandLine
from tests.acceptance.conftest import NewSite
from tests.acceptance.systems import kill
from tests.preloaded import programs

pytestmark = pytest.mark.timeout(400)
HOLDER = """
import pathlib, sys, time, share_actors
system = share_actors.connect()
share = system.create_share(size=1, name="kept")
print("holds", flush=True)
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.1)
calls = share.refresh, system.shares, lambda: system.create_share(size=1, timeout=60)
def say():
    for call in calls:
        try:
            print("done", call(), flush=True)
        except share_actors.Unavailable as error:
            print(error, flush=True)
say()
print([handle.seen.name for handle in share_actors.connect().shares().items], flush=True)
say()
"""
ORPHAN = """
import os, pathlib, sys, time
if os.fork():
    sys.exit()
while os.getppid() != 1:
    time.sleep(0.05)
{first}
import share_actors
system = share_actors.connect()
system.create_share(size=1, name="kept")
print("holds", flush=True)
restarted = pathlib.Path(sys.argv[1])
while not restarted.exists():
    if not restarted.parent.exists():
        sys.exit("the test has ended")
    time.sleep(0.1)
try:
    system.count_shares()
except share_actors.Unavailable as error:
    print("told:", error, flush=True)
try:
    print("joined:", share_actors.connect().count_shares(), flush=True)
except share_actors.Unavailable as error:
    print("not joined:", error, error.details["next_step"], flush=True)
    raise
"""
"""A program whose parent has ended, as of a background job or a service."""
RUNS_AGAIN = "It runs again at {}: call share_actors.connect() again"


@pytest.fixture
def cli() -> Iterator[CommandLine]:
    with tempfile.TemporaryDirectory(prefix="sa") as top, CommandLine(Path(top) / "home") as line:
        yield line


def test_connect_waits_while_the_manager_is_restarted(new_site: NewSite) -> None:
    site = new_site()
    share = site.system.create_share(size=1)
    for _ in range(3):
        kill(site.manager_pid())

        with client.connect(namespace=site.config.namespace) as system:
            assert system.share(share.id).status == "available"


def test_a_start_is_refused_also_while_the_manager_of_the_running_system_is_restarted(
    new_site: NewSite,
) -> None:
    site = new_site()
    share = site.system.create_share(size=1)
    kill(site.manager_pid())

    with pytest.raises(Refused, match="taken by the system of home"):
        client.start(site.config)

    assert site.system.share(share.id).status == "available"


def test_connect_waits_for_its_timeout_only(new_site: NewSite) -> None:
    site = new_site()
    kill(site.manager_pid())

    with pytest.raises(Unavailable):
        client.connect(namespace=site.config.namespace, timeout=0.01)


def test_connect_to_a_namespace_without_a_system_is_refused_at_once(new_site: NewSite) -> None:
    site = new_site()
    assert site.system.config

    with pytest.raises(Unavailable, match="no system runs in namespace 'nobody'"):
        client.connect(namespace="nobody")


def test_commands_wait_while_the_manager_is_restarted(cli: CommandLine) -> None:
    cli.json("up")
    cli.json("share", "create", "--size", "1", "--name", "first")
    for command in (["share", "show", "first"], ["down"]):
        kill(cli.json("status")["manager"]["pid"])

        result = cli("--json", *command)

        assert result.code == 0, (command, result)


@pytest.mark.parametrize("stopped", [pytest.param(True, marks=pytest.mark.soak), False])
def test_a_program_that_holds_a_connection_is_told_to_connect_again_and_what_was_kept(
    cli: CommandLine, stopped: bool
) -> None:
    cli.json("up")
    restarted = cli.home / "restarted"
    program = cli.start_program(programs.forked(), HOLDER, str(restarted))
    assert program.stdout is not None
    assert "holds\n" in iter(program.stdout.readline, "")
    if stopped:
        cli.json("down")
    else:
        cli.kill_everything()
    address = cli.json("up")["address"]

    restarted.touch()
    out, err = program.communicate(timeout=200)

    said = [line for line in out.splitlines() if line.startswith("the system of")]
    assert (len(said), "['kept']" in out.splitlines()) == (6, True), (out, err)
    how = "was stopped" if stopped else "has ended without being stopped"
    for text in said:
        assert text.startswith(f"the system of this connection {how};")
        assert RUNS_AGAIN.format(address) in text
        assert "its log keeps everything that was recorded" in text


def _ends_after_a_restart(cli: CommandLine, program: str) -> tuple[str, str]:
    """What *program* prints that holds a connection while its system is stopped and started."""
    cli.json("up")
    restarted = cli.home / "restarted"
    process = cli.start_program([sys.executable], program, str(restarted))
    assert process.stdout is not None
    assert "holds\n" in iter(process.stdout.readline, "")
    cli.json("down")
    cli.json("up")
    restarted.touch()
    return process.communicate(timeout=200)


def test_a_program_whose_parent_has_ended_survives_its_system_and_joins_the_next_one(
    cli: CommandLine,
) -> None:
    out, err = _ends_after_a_restart(cli, ORPHAN.format(first=""))

    assert "told: the system of" in out
    assert out.endswith("joined: {'available': 1}\n"), err


@pytest.mark.soak
def test_a_program_that_ray_would_end_as_it_leaves_its_lost_system_is_told_so(
    cli: CommandLine,
) -> None:
    out, err = _ends_after_a_restart(cli, ORPHAN.format(first="import ray"))

    assert "told: the system of" in out
    assert "Ray was imported without RAY_RAYLET_PID" in out
    assert "write `from share_actors import connect` before `import ray`" in out
    assert "share_actors.errors.Unavailable: the Ray cluster" in err
