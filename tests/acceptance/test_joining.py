"""A second machine, which is a second home here, joins the cluster of a head, and leaves it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from share_actors.actors.runtime import system_state
from share_actors.actors.runtime.system_state import SystemState
from share_actors.cli import ray_session
from share_actors.config import LogSettings
from tests.acceptance.cli import CommandLine
from tests.events.postgres import LOG_SECTION
from tests.waiting import until

pytestmark = pytest.mark.timeout(300)
CONFIG = (
    "\n"
    + LOG_SECTION
    + """\
schema_name = "joining"

[backends.dummy]
driver = "dummy"

[backends.tape]
driver = "dummy"
node = "tape-library"
"""
)


@pytest.fixture(scope="module")
def head(
    postgres_server: LogSettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
    """A system that listens on a loopback address other than Ray's own, as only this machine needs it."""
    directory = tmp_path_factory.mktemp("head")
    config = directory / "site.toml"
    config.write_text(CONFIG.format(log=postgres_server))
    with CommandLine(directory / "home", {"SHARE_ACTORS_CONFIG": str(config)}) as line:
        line.json("up", "--listen", "127.0.0.2:0")
        yield line
        line.json("down")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[CommandLine]:
    with CommandLine(tmp_path / "home") as line:
        yield line


def join(head: CommandLine, backend: str = "tape") -> list[str]:
    """The command that joins the head as a machine that reaches *backend*."""
    state = system_state.read(head.home)
    assert state is not None
    token = str(head.home / "cluster.token")
    return ["up", "--join", str(state.address), "--token-file", token, "--backend", backend]


def nodes(line: CommandLine) -> list[dict[str, Any]]:
    """The living nodes of the cluster."""
    return [node for node in line.json("node", "list")["nodes"] if node["alive"]]


def test_a_machine_joins_serves_its_backend_and_leaves(
    head: CommandLine, node: CommandLine
) -> None:
    service = node.start(*join(head), "--foreground")
    assert service.stdout is not None
    assert service.stdout.readline().startswith(
        "This machine is a node of the cluster at 127.0.0.2:"
    )
    assert node.json(*join(head))["already"] is True
    share = node.json("share", "create", "--size", "1", "--backend", "tape")
    assert (share["status"], len(nodes(head))) == ("available", 2)
    assert [n["resources"] for n in nodes(node) if n["backends"]] == [["tape-library"]]
    state = system_state.read(node.home)
    assert node("--json", "up").error["code"] == "refused"

    service.send_signal(signal.SIGTERM)
    out, err = service.communicate(timeout=120)

    assert service.returncode == 0, err
    assert "This machine has left the cluster" in out
    assert state is not None
    assert left_of(state) == []
    until(lambda: len(nodes(head)) == 1)
    created = head.json("share", "create", "--size", "1", "--backend", "dummy")
    assert created["status"] == "available"
    assert node.json("down") == {"running": False, "stopped": False, "cut_off": []}


def left_of(state: SystemState) -> list[psutil.Process | Path]:
    """The processes of the node that still run, and its directory if it is still there."""
    assert state.pid is not None
    assert state.directory is not None
    session = ray_session.session_processes(state.pid, state.created)
    running = [process for process in session if not ray_session.has_ended(process)]
    return [*running, *(path for path in (Path(state.directory),) if path.exists())]


def test_a_machine_with_a_wrong_token_or_backend_starts_nothing(
    head: CommandLine, node: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "wrong").write_text("0" * 64)
    command = join(head)
    command[command.index("--token-file") + 1] = str(tmp_path / "wrong")

    wrong = node("--json", *command).error
    unknown = node("--json", *join(head, "disk")).error

    assert (wrong["code"], wrong["field"]) == ("unavailable", "token_file")
    assert (unknown["code"], unknown["value"]) == ("config", "disk")
    assert system_state.read(node.home) is None
    assert len(nodes(head)) == 1


def test_one_up_recovers_from_the_loss_of_the_head_while_another_machine_holds_the_log(
    head: CommandLine, node: CommandLine
) -> None:
    command = join(head)
    node.json(*command)
    share = node.json("share", "create", "--size", "1", "--backend", "tape")
    lost = system_state.read(head.home)
    assert lost is not None

    head.kill_everything()
    head.json("up", "--listen", str(lost.address))

    assert (
        head.json("share", "create", "--size", "1", "--backend", "dummy")["status"] == "available"
    )
    assert node.json(*command)["already"] is False
    until(lambda: len(nodes(head)) == 2)
    assert node.json("share", "extend", share["id"], "--size", "2")["size"] == 2
    node.json("down")
    until(lambda: len(nodes(head)) == 1)
