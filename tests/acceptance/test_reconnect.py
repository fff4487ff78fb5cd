"""Connecting while the manager is being restarted, and connections to a system that has ended."""

from __future__ import annotations

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


@pytest.mark.parametrize("stopped", [True, False])
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
    for text in said:
        assert RUNS_AGAIN.format(address) in text
        assert "its log keeps everything that was recorded" in text
